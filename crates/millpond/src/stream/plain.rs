//! Streams without a key.

use std::rc::Rc;
use std::sync::Arc;

use millpond_snapshot::hash::{key_hash, worker_of};
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concat;

use super::env::{EnvInner, Kind};
use super::keyed::KeyedStream;
use super::record::{Data, Key, KeyedRecord, Record};
use crate::dataflow::aligned::{Input, aligned};
use crate::dataflow::partition::partition;
use crate::dataflow::stateless::stateless;
use crate::dataflow::time::Time;
use crate::operators::part::PartSender;
use crate::operators::process::{Process, ProcessOperator};
use crate::operators::sink::{PREPARED, SinkOperator};
use crate::runtime::failure::{Failure, UserError, for_each_record, for_each_taken};
use crate::sink::Sink;
use crate::state::setup::OperatorSetup;

/// Records of type `T`, in no order but the one in which each worker sends them.
///
/// A stream is a handle; what is done to it adds operators to the job. Clones are the same stream.
pub struct Stream<'s, T: Data> {
    pub(crate) env: Rc<EnvInner<'s>>,
    /// The operator that the stream leaves.
    pub(crate) operator: usize,
    /// The stream on this worker; `None` while the job is planned.
    pub(crate) inner: Option<StreamVec<'s, Time, Record<T>>>,
}

impl<T: Data> Clone for Stream<'_, T> {
    fn clone(&self) -> Self {
        Stream { env: Rc::clone(&self.env), operator: self.operator, inner: self.inner.clone() }
    }
}

impl<'s, T: Data> Stream<'s, T> {
    /// Gives the operator that this stream leaves an identity, by which its state is found in a snapshot. Operators with
    /// state should have one: a uid that is derived changes when the job does.
    pub fn uid(self, uid: &str) -> Self {
        self.env.set_uid(self.operator, uid);
        self
    }

    /// Names the operator that this stream leaves, for people.
    pub fn name(self, name: &str) -> Self {
        self.env.set_name(self.operator, name);
        self
    }

    fn stateless<U: Data>(
        self,
        kind: &'static str,
        logic: impl FnMut(&mut Vec<Record<T>>, &mut Vec<Record<U>>) -> Result<(), Failure> + 'static,
    ) -> Stream<'s, U> {
        let operator = self.env.add_stateless(kind, vec![self.operator]);
        let inner = self
            .inner
            .zip(self.env.context())
            .map(|(stream, context)| stateless(stream, kind, context.reporter(operator), logic));
        Stream { env: self.env, operator, inner }
    }

    /// Turns each record into another.
    pub fn map<U: Data>(self, f: impl Fn(&T) -> U + 'static) -> Stream<'s, U> {
        self.try_map(move |value| Ok(f(value)))
    }

    /// Turns each record into another, or fails the run: the error names operator and record.
    pub fn try_map<U: Data>(self, f: impl Fn(&T) -> Result<U, UserError> + 'static) -> Stream<'s, U> {
        self.stateless("map", move |batch, out| {
            for_each_record(batch, |record| {
                out.push(Record { timestamp: record.timestamp, value: f(&record.value)? });
                Ok(())
            })
        })
    }

    /// Keeps the records for which `f` says so.
    pub fn filter(self, f: impl Fn(&T) -> bool + 'static) -> Stream<'s, T> {
        self.stateless("filter", move |batch, out| {
            let mut keep = Vec::with_capacity(batch.len());
            for_each_record(batch, |record| {
                keep.push(f(&record.value));
                Ok(())
            })?;
            out.extend(batch.drain(..).zip(keep).filter(|(_, keep)| *keep).map(|(record, _)| record));
            Ok(())
        })
    }

    /// Turns each record into any number of others.
    pub fn flat_map<U: Data, I: IntoIterator<Item = U>>(self, f: impl Fn(&T) -> I + 'static) -> Stream<'s, U> {
        self.stateless("flat_map", move |batch, out| {
            for_each_record(batch, |record| {
                let timestamp = record.timestamp;
                out.extend(f(&record.value).into_iter().map(|value| Record { timestamp, value }));
                Ok(())
            })
        })
    }

    /// As [`Stream::map`], for a function that consumes its record: what is large in it is moved on and not copied. A run that
    /// fails in `f` names the record by its timestamp, as there is nothing else left of it.
    ///
    /// ```
    /// # use millpond::{IteratorSource, Job, WatermarkStrategy};
    /// # Job::new("lines", |env| {
    /// # let lines = || (0..3).map(|n| (n, format!("line {n}")));
    /// # let lines = env.source(IteratorSource::new(lines), WatermarkStrategy::none());
    /// let texts = lines.map_owned(|(_, text)| text);
    /// # let _ = texts; Ok(()) });
    /// ```
    pub fn map_owned<U: Data>(self, f: impl Fn(T) -> U + 'static) -> Stream<'s, U> {
        self.stateless("map", move |batch, out| {
            for_each_taken(batch, Record::time, |record| {
                out.push(Record { timestamp: record.timestamp, value: f(record.value) });
                Ok(())
            })
        })
    }

    /// As [`Stream::flat_map`], for a function that consumes its record. What [`Stream::map_owned`] says of failures holds here
    /// as well.
    pub fn flat_map_owned<U: Data, I: IntoIterator<Item = U>>(
        self,
        f: impl Fn(T) -> I + 'static,
    ) -> Stream<'s, U> {
        self.stateless("flat_map", move |batch, out| {
            for_each_taken(batch, Record::time, |record| {
                let timestamp = record.timestamp;
                out.extend(f(record.value).into_iter().map(|value| Record { timestamp, value }));
                Ok(())
            })
        })
    }

    /// Shows each record to `f`, and passes it on.
    pub fn inspect(self, f: impl Fn(&T) + 'static) -> Stream<'s, T> {
        self.stateless("inspect", move |batch, out| {
            for_each_record(batch, |record| {
                f(&record.value);
                Ok(())
            })?;
            out.append(batch);
            Ok(())
        })
    }

    /// This stream and the others as one.
    pub fn union(self, others: impl IntoIterator<Item = Stream<'s, T>>) -> Stream<'s, T> {
        let mut inputs = vec![self.operator];
        let mut inner = self.inner;
        for other in others {
            inputs.push(other.operator);
            inner = inner.zip(other.inner).map(|(a, b)| a.concat(b));
        }
        let operator = self.env.add_stateless("union", inputs);
        Stream { env: self.env, operator, inner }
    }

    /// Deals records out to the workers in turn.
    pub fn rebalance(self) -> Stream<'s, T> {
        let workers = self.env.context().map_or(1, |context| context.workers as u64);
        let mut next = self.env.context().map_or(0, |context| context.worker as u64);
        self.distribute("rebalance", move |record, out| {
            next = (next + 1) % workers;
            out.push((next, record));
        })
    }

    /// Gives every worker every record.
    pub fn broadcast(self) -> Stream<'s, T> {
        let workers = self.env.context().map_or(1, |context| context.workers as u64);
        self.distribute("broadcast", move |record, out| out.extend((0..workers).map(|to| (to, record.clone()))))
    }

    fn distribute(
        self,
        kind: &'static str,
        mut address: impl FnMut(Record<T>, &mut Vec<(u64, Record<T>)>) + 'static,
    ) -> Stream<'s, T> {
        let operator = self.env.add_stateless(kind, vec![self.operator]);
        self.env.note_exchange::<T>();
        let inner = self.inner.zip(self.env.context()).map(|(stream, context)| {
            let (sent, received) = (Arc::clone(&context.flow), Arc::clone(&context.flow));
            let addressed = stateless(stream, kind, context.reporter(operator), move |batch, out| {
                let before = out.len();
                batch.drain(..).for_each(|record| address(record, out));
                sent.enter(out.len() - before);
                Ok(())
            });
            let pact = Exchange::new(|(to, _): &(u64, Record<T>)| *to);
            crate::dataflow::stateless::exchange(addressed, pact, kind, move |batch, out| {
                received.leave(batch.len());
                out.extend(batch.drain(..).map(|(_, record)| record));
            })
        });
        Stream { env: self.env, operator, inner }
    }

    /// Divides the stream by key: all records with one key are seen by one subtask.
    ///
    /// A key must have canonical bytes: integers, strings, booleans, options, enums, tuples and structs of them do, floats
    /// and maps do not, and fail the run.
    pub fn key_by<K: Key>(self, key: impl Fn(&T) -> K + 'static) -> KeyedStream<'s, K, T> {
        // For its room.
        let mut keys = Vec::new();
        self.deal_out(move |batch, workers, out| {
            for_each_record(batch, |record| {
                let key = key(&record.value);
                keys.push((key_hash(&key)?, key));
                Ok(())
            })?;
            for (record, (hash, key)) in batch.drain(..).zip(keys.drain(..)) {
                out[worker_of(hash, workers)].push(KeyedRecord { hash, key, record });
            }
            Ok(())
        })
    }

    /// As [`Stream::key_by`], for a function that takes its record apart into a key and the value that goes along with it, so
    /// that a key which is a text is moved and not copied. What [`Stream::map_owned`] says of failures holds here as well.
    ///
    /// ```
    /// # use millpond::{IteratorSource, Job, WatermarkStrategy};
    /// # Job::new("words", |env| {
    /// # let words = || (0..3).map(|n| (format!("word {n}"), n));
    /// # let words = env.source(IteratorSource::new(words), WatermarkStrategy::none());
    /// // Of words and how often they come in a line, how often they come in all.
    /// let counts = words.key_by_owned(|(word, count)| (word, count)).sum(|count| *count).uid("counts");
    /// # let _ = counts; Ok(()) });
    /// ```
    pub fn key_by_owned<K: Key, V: Data>(self, key: impl Fn(T) -> (K, V) + 'static) -> KeyedStream<'s, K, V> {
        self.deal_out(move |batch, workers, out| {
            for_each_taken(batch, Record::time, |Record { timestamp, value }| {
                let (key, value) = key(value);
                let hash = key_hash(&key)?;
                let record = Record { timestamp, value };
                out[worker_of(hash, workers)].push(KeyedRecord { hash, key, record });
                Ok(())
            })
        })
    }

    /// Divides the stream: `deal` puts what a batch becomes into one list for each of so many workers.
    fn deal_out<K: Key, V: Data>(
        self,
        mut deal: impl FnMut(&mut Vec<Record<T>>, usize, &mut [Vec<KeyedRecord<K, V>>]) -> Result<(), Failure>
        + 'static,
    ) -> KeyedStream<'s, K, V> {
        self.env.note_exchange::<(K, V)>();
        let inner = self.inner.zip(self.env.context()).map(|(stream, context)| {
            let (flow, workers) = (Arc::clone(&context.flow), context.workers);
            partition(stream, "key_by", context.reporter(self.operator), move |batch, out| {
                flow.enter(batch.len());
                deal(batch, workers, out)
            })
        });
        KeyedStream { env: self.env, operator: self.operator, inner, keys: Default::default() }
    }

    /// Runs `process` on the stream as it is distributed. `make` declares operator states.
    pub fn process<P: Process<T>>(self, make: impl FnOnce(&mut OperatorSetup) -> P) -> Stream<'s, P::Out> {
        self.process_with_side(make).0
    }

    /// As [`Stream::process`], with the side output.
    pub fn process_with_side<P: Process<T>>(
        self,
        make: impl FnOnce(&mut OperatorSetup) -> P,
    ) -> (Stream<'s, P::Out>, Stream<'s, P::Side>) {
        let mut setup = self.env.operator_setup();
        let process = make(&mut setup);
        let kind = Kind { kind: "process", label: "process".to_owned(), sink: false };
        let operator = self.env.add_aligned(kind, vec![self.operator], setup.declarations(), setup.error.take());
        let streams = self.inner.zip(self.env.context()).map(|(stream, context)| {
            let part = PartSender::new(context, operator, setup);
            let input = Input { stream, pact: Pipeline, counted: false };
            aligned(input, context.setting(operator), |_| ProcessOperator::new(part, process))
        });
        let (main, side) = streams.unzip();
        let env = Rc::clone(&self.env);
        (Stream { env, operator, inner: main }, Stream { env: self.env, operator, inner: side })
    }

    /// Sends the stream to `sink`. The result is a handle by which the sink can be given a uid.
    pub fn sink<S: Sink<T>>(self, sink: S) -> Sunk<'s> {
        let mut setup = self.env.operator_setup();
        let prepared = setup.list(PREPARED);
        let kind = Kind { kind: "sink", label: sink.describe(), sink: true };
        let operator = self.env.add_aligned(kind, vec![self.operator], setup.declarations(), setup.error.take());
        if let Some((stream, context)) = self.inner.zip(self.env.context()) {
            let part = PartSender::new(context, operator, setup);
            let input = Input { stream, pact: Pipeline, counted: false };
            aligned(input, context.setting(operator), |activator| {
                let notices = context.mailbox.subscribe(activator);
                SinkOperator::new(sink, part, prepared, notices, operator)
            });
        }
        Sunk { env: self.env, operator }
    }
}

/// A sink that has been added.
pub struct Sunk<'s> {
    env: Rc<EnvInner<'s>>,
    operator: usize,
}

impl Sunk<'_> {
    /// Gives the sink an identity, by which its state is found in a snapshot.
    pub fn uid(self, uid: &str) -> Self {
        self.env.set_uid(self.operator, uid);
        self
    }

    /// Names the sink, for people.
    pub fn name(self, name: &str) -> Self {
        self.env.set_name(self.operator, name);
        self
    }
}
