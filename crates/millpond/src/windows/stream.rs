//! Windows on a keyed stream.

use std::any::TypeId;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use super::assigner::WindowAssigner;
use super::fold::{Aggregating, Counting, Everything, Fold, Folding, Merge, Reducing};
use super::kept::Kept;
use super::late::{CountLate, LatePolicy, SideLate};
use super::operator::WindowOperator;
use super::panes::{Fixed, Panes, Sessions};
use super::rules::Rules;
use super::slices::Sliced;
use super::trigger::Trigger;
use super::triggers::WhenComplete;
use super::window::{Window, WindowResult};
use crate::operators::context::TimeDomain;
use crate::runtime::failure::UserError;
use crate::state::codec::StateValue;
use crate::state::evolution::descriptors::TypedDescriptor;
use crate::state::handles::Aggregate;
use crate::state::setup::KeyedSetup;
use crate::stream::keyed::KeyedStream;
use crate::stream::record::{Data, Key};
use crate::time::millis;

/// A keyed stream cut into windows. Made by [`KeyedStream::window`].
///
/// A window is one of a key. Its results carry [`Window::last`] as their timestamp (those of a
/// [`Global`](crate::windows::Global) window the time of the record or timer that made it fire).
pub struct WindowedStream<'s, K: Key, T: Data, G = WhenComplete, L = CountLate> {
    stream: KeyedStream<'s, K, T>,
    rules: Rules,
    trigger: G,
    late: PhantomData<L>,
}

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    /// Cuts the stream into windows:
    ///
    /// ```no_run
    /// use millpond::Stream;
    /// use millpond::windows::{Tumbling, WindowResult};
    /// use std::time::Duration;
    /// # fn job<'s>(words: Stream<'s, String>) -> Stream<'s, WindowResult<String, u64>> {
    /// words
    ///     .key_by(|word| word.clone())
    ///     .window(Tumbling::of(Duration::from_secs(60)))
    ///     .allowed_lateness(Duration::from_secs(10))
    ///     .count()
    ///     .uid("words-a-minute")
    /// # }
    /// ```
    ///
    /// By default a window fires when it is complete, and is forgotten then; a record that comes when all its windows are
    /// gone is late, and is dropped and counted.
    pub fn window(self, assigner: impl Into<WindowAssigner>) -> WindowedStream<'s, K, T> {
        WindowedStream {
            stream: self,
            rules: Rules::new("window", assigner.into()),
            trigger: WhenComplete,
            late: PhantomData,
        }
    }
}

impl<'s, K: Key, T: Data, G, L> WindowedStream<'s, K, T, G, L> {
    /// Keeps event-time windows for this long after they are complete. Records that come meanwhile are taken in, and
    /// by default the window fires again for each.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.rules.lateness = millis(lateness);
        self
    }

    /// Fires as `trigger` says.
    pub fn trigger<H: Trigger<T>>(self, trigger: H) -> WindowedStream<'s, K, T, H, L> {
        WindowedStream { stream: self.stream, rules: self.rules, trigger, late: PhantomData }
    }

    /// Gives late records as a stream of their own: what follows returns the results and the late records.
    ///
    /// ```no_run
    /// # use millpond::Stream;
    /// # use millpond::windows::{Tumbling, WindowResult};
    /// # use std::time::Duration;
    /// # fn job<'s>(words: Stream<'s, String>) {
    /// let (counts, late) = words
    ///     .key_by(|word| word.clone())
    ///     .window(Tumbling::of(Duration::from_secs(60)))
    ///     .late_side_output()
    ///     .count();
    /// let late: Stream<'_, String> = late;
    /// # }
    /// ```
    pub fn late_side_output(self) -> WindowedStream<'s, K, T, G, SideLate> {
        WindowedStream { stream: self.stream, rules: self.rules, trigger: self.trigger, late: PhantomData }
    }
}

impl<'s, K: Key, T: Data, G: Trigger<T>, L: LatePolicy> WindowedStream<'s, K, T, G, L> {
    /// The result of `aggregate` over each window, of which only the accumulator is kept.
    pub fn aggregate<A>(self, aggregate: A) -> L::Streams<'s, WindowResult<K, A::Output>, T>
    where
        A: Aggregate<T>,
        A::Output: Data,
    {
        self.aggregate_kept(Kept::default(), aggregate)
    }

    /// As [`WindowedStream::aggregate`], with a say in how accumulators are kept. Called "windows", and for sessions
    /// "sessions", the state is that of an `aggregate`:
    ///
    /// ```no_run
    /// # use millpond::{Aggregate, StateDescriptor, Stream};
    /// # use millpond::windows::{Tumbling, WindowResult, WindowedStream};
    /// # #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
    /// # struct Total { cents: i64 }
    /// # struct Totals;
    /// # impl Aggregate<i64> for Totals {
    /// #     type Accumulator = Total;
    /// #     type Output = i64;
    /// #     fn create(&self) -> Total { Total::default() }
    /// #     fn add(&self, total: &mut Total, cents: &i64) { total.cents += cents; }
    /// #     fn merge(&self, total: &mut Total, other: &Total) { total.cents += other.cents; }
    /// #     fn result(&self, total: &Total) -> i64 { total.cents }
    /// # }
    /// # fn job<'s>(amounts: WindowedStream<'s, u64, i64>) -> Stream<'s, WindowResult<u64, i64>> {
    /// let kept = StateDescriptor::new("windows").migrate(|francs: f64| Total { cents: (francs * 100.0) as i64 });
    /// amounts.aggregate_as(kept, Totals)
    /// # }
    /// ```
    pub fn aggregate_as<A>(
        self,
        state: impl Into<TypedDescriptor<A::Accumulator>>,
        aggregate: A,
    ) -> L::Streams<'s, WindowResult<K, A::Output>, T>
    where
        A: Aggregate<T>,
        A::Output: Data,
    {
        self.aggregate_kept(Kept::values(state.into()), aggregate)
    }

    fn aggregate_kept<A>(
        self,
        kept: Kept<A::Accumulator>,
        aggregate: A,
    ) -> L::Streams<'s, WindowResult<K, A::Output>, T>
    where
        A: Aggregate<T>,
        A::Output: Data,
    {
        let aggregate = Rc::new(aggregate);
        let finish = Rc::clone(&aggregate);
        self.run_sliced(kept, Aggregating(aggregate), move |_, _, kept, emit| {
            emit(finish.result(kept));
            Ok(())
        })
    }

    /// What `reduce` makes of the records of each window, of which only one is kept.
    pub fn reduce(self, reduce: impl Fn(&T, &T) -> T + 'static) -> L::Streams<'s, WindowResult<K, T>, T> {
        self.reduce_kept(Kept::default(), reduce)
    }

    /// As [`WindowedStream::reduce`], with a say in how records are kept: see [`WindowedStream::aggregate_as`].
    pub fn reduce_as(
        self,
        state: impl Into<TypedDescriptor<T>>,
        reduce: impl Fn(&T, &T) -> T + 'static,
    ) -> L::Streams<'s, WindowResult<K, T>, T> {
        self.reduce_kept(Kept::values(state.into()), reduce)
    }

    fn reduce_kept(
        self,
        kept: Kept<T>,
        reduce: impl Fn(&T, &T) -> T + 'static,
    ) -> L::Streams<'s, WindowResult<K, T>, T> {
        self.run(kept, Reducing(reduce), |_, _, kept, emit| {
            emit(kept.clone());
            Ok(())
        })
    }

    /// How many records there are in each window.
    pub fn count(self) -> L::Streams<'s, WindowResult<K, u64>, T> {
        self.run_sliced(Kept::default(), Counting, |_, _, kept, emit| {
            emit(*kept);
            Ok(())
        })
    }

    /// What `fold` makes of `A::default()` and the records of each window, of which only that is kept.
    ///
    /// Sessions cannot be folded, because two that become one need a way to merge: use [`WindowedStream::aggregate`].
    pub fn fold<A>(self, fold: impl Fn(&mut A, &T) + 'static) -> L::Streams<'s, WindowResult<K, A>, T>
    where
        A: Data + Default,
    {
        self.fold_kept(Kept::default(), fold)
    }

    /// As [`WindowedStream::fold`], with a say in how values are kept: see [`WindowedStream::aggregate_as`].
    pub fn fold_as<A>(
        self,
        state: impl Into<TypedDescriptor<A>>,
        fold: impl Fn(&mut A, &T) + 'static,
    ) -> L::Streams<'s, WindowResult<K, A>, T>
    where
        A: Data + Default,
    {
        self.fold_kept(Kept::values(state.into()), fold)
    }

    fn fold_kept<A>(
        self,
        kept: Kept<A>,
        fold: impl Fn(&mut A, &T) + 'static,
    ) -> L::Streams<'s, WindowResult<K, A>, T>
    where
        A: Data + Default,
    {
        let merges = self.rules.assigner.merges();
        let fold = Rc::new(Folding(fold, PhantomData));
        self.build::<_, Fixed<A>, _>(
            kept,
            fold,
            |_, _, kept, emit| {
                emit(kept.clone());
                Ok(())
            },
            move |setup| {
                if merges {
                    setup.refuse(
                        "sessions cannot be folded: two that become one need a way to merge; use `aggregate`",
                    );
                }
            },
        )
    }

    /// What `function` makes of all records of each window, in the order in which they came. It gets the key and the
    /// window besides. All records are kept until the window is done, so prefer the others where they will do.
    ///
    /// ```no_run
    /// # use millpond::Stream;
    /// # use millpond::windows::{Session, WindowResult};
    /// # use std::time::Duration;
    /// # fn job<'s>(clicks: Stream<'s, (u64, String)>) {
    /// let longest: Stream<'_, WindowResult<u64, String>> = clicks
    ///     .key_by(|(user, _)| *user)
    ///     .window(Session::gap(Duration::from_secs(1800)))
    ///     .process(|_user, _window, clicks| {
    ///         Ok(clicks.iter().map(|(_, page)| page.clone()).max_by_key(String::len))
    ///     });
    /// # }
    /// ```
    ///
    /// # Errors
    /// An error of `function` fails the run.
    pub fn process<R, I>(
        self,
        function: impl Fn(&K, Window, &[T]) -> Result<I, UserError> + 'static,
    ) -> L::Streams<'s, WindowResult<K, R>, T>
    where
        R: Data,
        I: IntoIterator<Item = R>,
    {
        self.process_kept(Kept::default(), function)
    }

    /// As [`WindowedStream::process`], with a say in how records are kept: see [`WindowedStream::aggregate_as`]. A
    /// migration is one of records.
    ///
    /// # Errors
    /// An error of `function` fails the run.
    pub fn process_as<R, I>(
        self,
        state: impl Into<TypedDescriptor<T>>,
        function: impl Fn(&K, Window, &[T]) -> Result<I, UserError> + 'static,
    ) -> L::Streams<'s, WindowResult<K, R>, T>
    where
        R: Data,
        I: IntoIterator<Item = R>,
    {
        self.process_kept(Kept::lists(state.into()), function)
    }

    fn process_kept<R, I>(
        self,
        kept: Kept<Vec<T>>,
        function: impl Fn(&K, Window, &[T]) -> Result<I, UserError> + 'static,
    ) -> L::Streams<'s, WindowResult<K, R>, T>
    where
        R: Data,
        I: IntoIterator<Item = R>,
    {
        self.run(kept, Everything, move |key, window, kept, emit| {
            function(key, window, kept)?.into_iter().for_each(emit);
            Ok(())
        })
    }

    /// As [`Self::run`], but that windows which overlap share what they have in common.
    fn run_sliced<F, R>(
        mut self,
        kept: Kept<F::Kept>,
        fold: F,
        finish: impl Fn(&K, Window, &F::Kept, &mut dyn FnMut(R)) -> Result<(), UserError> + 'static,
    ) -> L::Streams<'s, WindowResult<K, R>, T>
    where
        F: Merge<T>,
        R: Data,
    {
        let assigner = self.rules.assigner;
        if !assigner.overlaps() {
            return self.run(kept, fold, finish);
        }
        // Another trigger remembers something of each window, or wants to see each record of it.
        self.rules.shares_slices =
            assigner.domain() == TimeDomain::Event && TypeId::of::<G>() == TypeId::of::<WhenComplete>();
        let fold = Rc::new(fold);
        let kept = kept.merged_by::<T, F>(&fold);
        self.build::<F, Sliced<F::Kept>, R>(kept, fold, finish, |_| ())
    }

    fn run<F, R>(
        self,
        kept: Kept<F::Kept>,
        fold: F,
        finish: impl Fn(&K, Window, &F::Kept, &mut dyn FnMut(R)) -> Result<(), UserError> + 'static,
    ) -> L::Streams<'s, WindowResult<K, R>, T>
    where
        F: Merge<T>,
        R: Data,
    {
        let fold = Rc::new(fold);
        let kept = kept.merged_by::<T, F>(&fold);
        if self.rules.assigner.merges() {
            self.build::<F, Sessions<F::Kept>, R>(kept, fold, finish, |_| ())
        } else {
            self.build::<F, Fixed<F::Kept>, R>(kept, fold, finish, |_| ())
        }
    }

    fn build<F, P, R>(
        self,
        kept: Kept<F::Kept>,
        fold: Rc<F>,
        finish: impl Fn(&K, Window, &F::Kept, &mut dyn FnMut(R)) -> Result<(), UserError> + 'static,
        check: impl FnOnce(&mut KeyedSetup),
    ) -> L::Streams<'s, WindowResult<K, R>, T>
    where
        F: Fold<T>,
        F::Kept: StateValue,
        P: Panes<T, F>,
        R: Data,
    {
        let WindowedStream { stream, rules, trigger, .. } = self;
        let rules = Rules { late_to_side: L::TO_SIDE, ..rules };
        let (main, side) = stream.process_as(rules.kind, |setup| {
            check(setup);
            WindowOperator::<K, T, F, P, G, R>::new(setup, rules, fold, trigger, Box::new(finish), kept)
        });
        L::streams(main, side)
    }
}
