//! Streams with a key.

use std::marker::PhantomData;
use std::rc::Rc;

use millpond_snapshot::hash::worker_of;
use serde::de::DeserializeOwned;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::ParallelizationContract;

use super::env::{EnvInner, Kind};
use super::plain::Stream;
use super::record::{Data, Key, KeyedRecord, Record};
use crate::dataflow::aligned::{Input, Operator, aligned};
use crate::dataflow::partition::to_owner;
use crate::dataflow::time::Time;
use crate::operators::context::KeyedContext;
use crate::operators::keyed::{FromFn, KeyedOperator, KeyedProcess};
use crate::operators::keyed_core::{self, KeyedCore};
use crate::operators::running::RunningOperator;
use crate::runtime::failure::UserError;
use crate::state::codec::StateValue;
use crate::state::evolution::Values;
use crate::state::evolution::descriptors::TypedDescriptor;
use crate::state::handles::Aggregate;
use crate::state::setup::KeyedSetup;

/// Records of type `T`, divided by a key of type `K`. Made by [`Stream::key_by`].
#[must_use = "records that are divided by key and then taken by nobody stop the job's sources"]
pub struct KeyedStream<'s, K: Key, T: Data> {
    pub(crate) env: Rc<EnvInner<'s>>,
    pub(crate) operator: usize,
    pub(crate) inner: Option<StreamVec<'s, Time, KeyedRecord<K, T>>>,
    /// How keys of a snapshot are read.
    pub(crate) keys: Values<K>,
}

/// Sends each record to the worker that owns its hash.
pub(crate) fn by_hash<K: Key, T: Data>(
    stream: StreamVec<'_, Time, KeyedRecord<K, T>>,
) -> Input<'_, KeyedRecord<K, T>, impl ParallelizationContract<Time, Vec<KeyedRecord<K, T>>>> {
    let workers = stream.scope().peers();
    let pact = to_owner(move |record: &KeyedRecord<K, T>| worker_of(record.hash, workers));
    Input { stream, pact, counted: true }
}

/// Declares a keyed function's states, those that every keyed operator has included, for the plan.
pub(crate) fn declare<K: Key, P>(
    env: &EnvInner<'_>,
    kind: &'static str,
    inputs: Vec<usize>,
    keys: Values<K>,
    make: impl FnOnce(&mut KeyedSetup) -> P,
) -> (usize, KeyedSetup, P) {
    let keys = Rc::new(keys);
    let mut setup = env.keyed_setup::<K>(Rc::clone(&keys));
    let process = make(&mut setup);
    let mut declarations = setup.declarations();
    declarations.extend(keyed_core::own_declarations::<K>(keys));
    let error = setup.operator.error.take();
    let operator =
        env.add_aligned(Kind { kind, label: kind.to_owned(), sink: false }, inputs, declarations, error);
    (operator, setup, process)
}

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    /// Turns keys of the type `Old`, where a snapshot of the operator that follows has such, into new ones. All its states
    /// and timers go with them.
    ///
    /// Several old keys may become one. Then their values must become one too: a state says how with
    /// [`StateDescriptor::merge`](crate::StateDescriptor::merge); lists are joined, reducing and aggregating states know it
    /// already, a timer that both have is one. Where nobody says it, the run does not start, and both keys are named.
    ///
    /// ```
    /// # use millpond::{KeyedStream, StateDescriptor, Stream};
    /// # fn job(requests: Stream<'_, (String, String)>) -> Stream<'_, u64> {
    /// requests
    ///     .key_by(|(host, _path)| host.clone())
    ///     .migrate_key(|(host, _path): (String, String)| host) // it was by host and path
    ///     .process_fn(|setup| {
    ///         let count = setup.value(StateDescriptor::new("count").merge(|a: u64, b: u64| a + b));
    ///         move |_, context| {
    ///             let n = count.update(|n| { *n += 1; *n });
    ///             context.emit(n);
    ///             Ok(())
    ///         }
    ///     })
    ///     .uid("requests")
    /// # }
    /// ```
    pub fn migrate_key<Old: DeserializeOwned + 'static>(mut self, migrate: impl Fn(Old) -> K + 'static) -> Self {
        self.keys.add(move |old| Ok(migrate(old)));
        self
    }

    /// Runs a [`KeyedProcess`]. `make` declares its states; it runs once for the plan and once in each subtask.
    pub fn process<P: KeyedProcess<K, T>>(self, make: impl FnOnce(&mut KeyedSetup) -> P) -> Stream<'s, P::Out> {
        self.process_with_side(make).0
    }

    /// As [`KeyedStream::process`], with the side output.
    pub fn process_with_side<P: KeyedProcess<K, T>>(
        self,
        make: impl FnOnce(&mut KeyedSetup) -> P,
    ) -> (Stream<'s, P::Out>, Stream<'s, P::Side>) {
        self.process_as("keyed_process", make)
    }

    pub(crate) fn process_as<P: KeyedProcess<K, T>>(
        self,
        kind: &'static str,
        make: impl FnOnce(&mut KeyedSetup) -> P,
    ) -> (Stream<'s, P::Out>, Stream<'s, P::Side>) {
        self.operator(kind, make, KeyedOperator::new)
    }

    /// Adds a keyed operator: `make` declares its states, `build` puts its logic on top of them.
    fn operator<P, L, O: Data, S: Data>(
        self,
        kind: &'static str,
        make: impl FnOnce(&mut KeyedSetup) -> P,
        build: impl FnOnce(KeyedCore<K>, P) -> L,
    ) -> (Stream<'s, O>, Stream<'s, S>)
    where
        L: Operator<Left = KeyedRecord<K, T>, Out = Record<O>, Side = Record<S>>,
    {
        let (operator, setup, process) = declare::<K, P>(&self.env, kind, vec![self.operator], self.keys, make);
        let streams = self.inner.zip(self.env.context()).map(|(stream, context)| {
            let core = KeyedCore::<K>::new(context, operator, setup);
            aligned(by_hash(stream), context.setting(operator), |_| build(core, process))
        });
        let (main, side) = streams.unzip();
        let env = Rc::clone(&self.env);
        (Stream { env, operator, inner: main }, Stream { env: self.env, operator, inner: side })
    }

    /// Runs a closure on each record. `make` declares the states that the closure uses:
    ///
    /// ```no_run
    /// # use millpond::{Env, IteratorSource, WatermarkStrategy, Stream};
    /// # fn job(words: Stream<'_, String>) {
    /// let counts: Stream<'_, (String, u64)> = words.key_by(|word| word.clone()).process_fn(|setup| {
    ///     let count = setup.value::<u64>("count");
    ///     move |word: &String, context| {
    ///         let n = count.update(|n| { *n += 1; *n });
    ///         context.emit((word.clone(), n));
    ///         Ok(())
    ///     }
    /// });
    /// # }
    /// ```
    pub fn process_fn<O, F>(self, make: impl FnOnce(&mut KeyedSetup) -> F) -> Stream<'s, O>
    where
        O: Data,
        F: FnMut(&T, &mut KeyedContext<'_, K, O, ()>) -> Result<(), UserError> + 'static,
    {
        self.process(|setup| FromFn(make(setup), PhantomData))
    }

    /// For each record, what `reduce` makes of all records of its key so far.
    pub fn reduce(self, reduce: impl Fn(&T, &T) -> T + 'static) -> Stream<'s, T> {
        self.reduce_as("reduced", reduce)
    }

    /// As [`KeyedStream::reduce`], with a say in how its state is kept. Called "reduced", it is that of a `reduce`.
    pub fn reduce_as(
        self,
        state: impl Into<TypedDescriptor<T>>,
        reduce: impl Fn(&T, &T) -> T + 'static,
    ) -> Stream<'s, T> {
        self.shorthand("reduce", |setup| {
            let reduced = setup.reducing::<T>(state, reduce);
            move |value: &T, context: &mut KeyedContext<'_, K, T, ()>| {
                reduced.add(value.clone());
                reduced.get().into_iter().for_each(|value| context.emit(value));
                Ok(())
            }
        })
    }

    /// For each record, the key and what `fold` has made of `A::default()` and all records of its key so far.
    pub fn fold<A: Data + Default>(self, fold: impl Fn(&mut A, &T) + 'static) -> Stream<'s, (K, A)> {
        self.fold_as("folded", fold)
    }

    /// As [`KeyedStream::fold`], with a say in how its state is kept. Called "folded", it is that of a `fold`:
    ///
    /// ```
    /// # use millpond::{KeyedStream, StateDescriptor, Stream};
    /// # #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
    /// # struct Total { cents: i64 }
    /// # fn job(amounts: KeyedStream<'_, u64, i64>) -> Stream<'_, (u64, Total)> {
    /// let folded = StateDescriptor::new("folded").migrate(|francs: f64| Total { cents: (francs * 100.0) as i64 });
    /// amounts.fold_as(folded, |total: &mut Total, cents| total.cents += cents).uid("totals")
    /// # }
    /// ```
    pub fn fold_as<A: Data + Default>(
        self,
        state: impl Into<TypedDescriptor<A>>,
        fold: impl Fn(&mut A, &T) + 'static,
    ) -> Stream<'s, (K, A)> {
        self.running("fold", |setup| {
            let folded = setup.value::<A>(state);
            move |value: &T| {
                Some(folded.update(|so_far| {
                    fold(so_far, value);
                    so_far.clone()
                }))
            }
        })
    }

    /// For each record, the key and the result of `aggregate` over all records of its key so far.
    pub fn aggregate<A>(self, aggregate: A) -> Stream<'s, (K, A::Output)>
    where
        A: Aggregate<T>,
        A::Output: Data,
    {
        self.aggregate_as("aggregate", aggregate)
    }

    /// As [`KeyedStream::aggregate`], with a say in how its state is kept. Called "aggregate", it is that of an `aggregate`.
    pub fn aggregate_as<A>(
        self,
        state: impl Into<TypedDescriptor<A::Accumulator>>,
        aggregate: A,
    ) -> Stream<'s, (K, A::Output)>
    where
        A: Aggregate<T>,
        A::Output: Data,
    {
        self.running("aggregate", |setup| {
            let state = setup.aggregating::<T, A>(state, aggregate);
            move |value: &T| {
                state.add(value);
                state.get()
            }
        })
    }

    /// For each record, the key and how many records of it there were so far.
    pub fn count(self) -> Stream<'s, (K, u64)> {
        self.running("count", |setup| {
            let count = setup.value(crate::StateDescriptor::new("count").merge(|a: u64, b: u64| a + b));
            move |_: &T| {
                Some(count.update(|n| {
                    *n += 1;
                    *n
                }))
            }
        })
    }

    /// For each record, the key and the sum of `field` over all records of it so far.
    pub fn sum<N>(self, field: impl Fn(&T) -> N + 'static) -> Stream<'s, (K, N)>
    where
        N: Data + StateValue + Copy + Default + std::ops::AddAssign,
    {
        self.running("sum", |setup| {
            let sum = setup.value(crate::StateDescriptor::new("sum").merge(|mut a: N, b: N| {
                a += b;
                a
            }));
            move |value: &T| {
                Some(sum.update(|sum| {
                    *sum += field(value);
                    *sum
                }))
            }
        })
    }

    /// The first record of each key. With a time to live, the first in each such stretch of processing time: then what
    /// has been seen is forgotten again.
    pub fn dedup(self, remember: Option<crate::Ttl>) -> Stream<'s, T> {
        self.shorthand("dedup", |setup| {
            let mut descriptor = crate::StateDescriptor::new("seen");
            descriptor.ttl = remember;
            let seen = setup.value(descriptor.merge(|a: bool, _| a));
            move |value: &T, context: &mut KeyedContext<'_, K, T, ()>| {
                if seen.get().is_none() {
                    seen.set(true);
                    context.emit(value.clone());
                }
                Ok(())
            }
        })
    }

    /// The key of each record with what comes of the record.
    fn running<O: Data, F: FnMut(&T) -> Option<O> + 'static>(
        self,
        kind: &'static str,
        make: impl FnOnce(&mut KeyedSetup) -> F,
    ) -> Stream<'s, (K, O)> {
        self.operator::<_, _, _, ()>(kind, make, RunningOperator::new).0
    }

    fn shorthand<O, F>(self, kind: &'static str, make: impl FnOnce(&mut KeyedSetup) -> F) -> Stream<'s, O>
    where
        O: Data,
        F: FnMut(&T, &mut KeyedContext<'_, K, O, ()>) -> Result<(), UserError> + 'static,
    {
        self.process_as(kind, |setup| FromFn(make(setup), PhantomData)).0
    }
}
