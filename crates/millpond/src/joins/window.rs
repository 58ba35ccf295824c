//! Joins over windows: the records of both streams that are in the same window of the same key.

use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::either::Either;
use crate::operators::connected::CoProcess;
use crate::operators::context::{KeyedContext, Timer};
use crate::runtime::failure::UserError;
use crate::state::codec::StateValue;
use crate::state::evolution::forms::SessionPane;
use crate::stream::keyed::KeyedStream;
use crate::stream::record::{Data, Key};
use crate::time::millis;
use crate::windows::{
    CountLate, Fixed, Fold, Kept, LatePolicy, Merge, Panes, Rules, Sessions, SideLate, Trigger, WhenComplete,
    Window, WindowAssigner, WindowOperator, WindowResult,
};

/// Two streams with the same key that are to be joined over windows. Made by [`KeyedStream::join`].
pub struct JoinedStreams<'s, K: Key, L: Data, R: Data> {
    left: KeyedStream<'s, K, L>,
    right: KeyedStream<'s, K, R>,
}

/// Two streams with the same key, cut into the same windows. Made by [`JoinedStreams::window`].
pub struct WindowedJoin<'s, K: Key, L: Data, R: Data, G = WhenComplete, P = CountLate> {
    streams: JoinedStreams<'s, K, L, R>,
    rules: Rules,
    trigger: G,
    kept: Kept<Sides<L, R>>,
    late: PhantomData<P>,
}

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    /// Joins this stream with another over windows:
    ///
    /// ```no_run
    /// use millpond::{KeyedStream, Stream};
    /// use millpond::windows::{Tumbling, WindowResult};
    /// use std::time::Duration;
    /// # fn job<'s>(orders: KeyedStream<'s, u64, (u64, String)>, payments: KeyedStream<'s, u64, (u64, i64)>) {
    /// let paid: Stream<'_, WindowResult<u64, (String, i64)>> = orders
    ///     .join(payments)
    ///     .window(Tumbling::of(Duration::from_secs(60)))
    ///     .apply(|order, payment| (order.1.clone(), payment.1));
    /// # }
    /// ```
    pub fn join<R: Data>(self, right: KeyedStream<'s, K, R>) -> JoinedStreams<'s, K, T, R> {
        JoinedStreams { left: self, right }
    }
}

impl<'s, K: Key, L: Data, R: Data> JoinedStreams<'s, K, L, R> {
    /// Cuts both streams into windows; a session is one of the records of both.
    pub fn window(self, assigner: impl Into<WindowAssigner>) -> WindowedJoin<'s, K, L, R> {
        WindowedJoin {
            streams: self,
            rules: Rules::new("window_join", assigner.into()),
            trigger: WhenComplete,
            kept: Kept::default(),
            late: PhantomData,
        }
    }
}

impl<'s, K: Key, L: Data, R: Data, G, P> WindowedJoin<'s, K, L, R, G, P> {
    /// As [`WindowedStream::allowed_lateness`](crate::windows::WindowedStream::allowed_lateness).
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.rules.lateness = millis(lateness);
        self
    }

    /// Fires as `trigger` says, which sees the records of both streams.
    pub fn trigger<H: Trigger<Either<L, R>>>(self, trigger: H) -> WindowedJoin<'s, K, L, R, H, P> {
        WindowedJoin { streams: self.streams, rules: self.rules, trigger, kept: self.kept, late: PhantomData }
    }

    /// Gives late records as a stream of their own: what follows returns the results and the late records.
    pub fn late_side_output(self) -> WindowedJoin<'s, K, L, R, G, SideLate> {
        let WindowedJoin { streams, rules, trigger, kept, .. } = self;
        WindowedJoin { streams, rules, trigger, kept, late: PhantomData }
    }
}

impl<'s, K: Key, L: Data, R: Data, G, P> WindowedJoin<'s, K, L, R, G, P> {
    /// Turns kept records of older types, where a snapshot has such, into new ones: those of the first stream with `left`,
    /// those of the second with `right`, which gives back what it gets if only the others have changed. There may be
    /// several; see [`StateDescriptor::migrate`](crate::StateDescriptor::migrate).
    ///
    /// ```no_run
    /// # use millpond::KeyedStream;
    /// # use millpond::windows::Tumbling;
    /// # use std::time::Duration;
    /// # fn job<'s>(orders: KeyedStream<'s, u64, (u64, String)>, payments: KeyedStream<'s, u64, (u64, i64)>) {
    /// let paid = orders
    ///     .join(payments)
    ///     .window(Tumbling::of(Duration::from_secs(60)))
    ///     .migrate(|order: u64| (order, "unknown".to_owned()), |payment: (u64, i64)| payment)
    ///     .apply(|order, payment| (order.1.clone(), payment.1));
    /// # }
    /// ```
    pub fn migrate<OldL, OldR>(
        mut self,
        left: impl Fn(OldL) -> L + 'static,
        right: impl Fn(OldR) -> R + 'static,
    ) -> Self
    where
        OldL: DeserializeOwned + 'static,
        OldR: DeserializeOwned + 'static,
    {
        let both = Rc::new(move |old: Sides<OldL, OldR>| {
            let left = old.left.into_iter().map(&left).collect();
            Ok(Sides { left, right: old.right.into_iter().map(&right).collect() })
        });
        let of_session = Rc::clone(&both);
        self.kept.alone.add(move |old| both(old));
        self.kept.panes.add(move |old: SessionPane<Sides<OldL, OldR>>| old.try_map(|kept| of_session(kept)));
        self
    }
}

impl<'s, K, L, R, G, P> WindowedJoin<'s, K, L, R, G, P>
where
    K: Key,
    L: Data,
    R: Data,
    G: Trigger<Either<L, R>>,
    P: LatePolicy,
{
    /// What `function` makes of each pair of records in a window, one of each stream. A record without a partner is in
    /// no pair.
    pub fn apply<O: Data>(
        self,
        function: impl Fn(&L, &R) -> O + 'static,
    ) -> P::Streams<'s, WindowResult<K, O>, Either<L, R>> {
        self.try_apply(move |left, right| Ok(function(left, right)))
    }

    /// As [`WindowedJoin::apply`], with a function that may fail the run.
    pub fn try_apply<O: Data>(
        self,
        function: impl Fn(&L, &R) -> Result<O, UserError> + 'static,
    ) -> P::Streams<'s, WindowResult<K, O>, Either<L, R>> {
        self.run(move |_, _, kept, emit| {
            for left in &kept.left {
                for right in &kept.right {
                    emit(function(left, right)?);
                }
            }
            Ok(())
        })
    }

    /// What `function` makes of all records of each window, those of the first and those of the second stream; there
    /// may be none of one of them. It gets the key and the window besides. Outer joins are written with it.
    ///
    /// ```no_run
    /// # use millpond::KeyedStream;
    /// # use millpond::windows::Tumbling;
    /// # use std::time::Duration;
    /// # fn job<'s>(orders: KeyedStream<'s, u64, (u64, String)>, payments: KeyedStream<'s, u64, (u64, i64)>) {
    /// let unpaid = orders
    ///     .join(payments)
    ///     .window(Tumbling::of(Duration::from_secs(60)))
    ///     .co_group(|_, _, orders, payments| {
    ///         Ok(if payments.is_empty() { orders.to_vec() } else { Vec::new() })
    ///     });
    /// # }
    /// ```
    ///
    /// # Errors
    /// An error of `function` fails the run.
    pub fn co_group<O, I>(
        mut self,
        function: impl Fn(&K, Window, &[L], &[R]) -> Result<I, UserError> + 'static,
    ) -> P::Streams<'s, WindowResult<K, O>, Either<L, R>>
    where
        O: Data,
        I: IntoIterator<Item = O>,
    {
        self.rules.kind = "co_group";
        self.run(move |key, window, kept, emit| {
            function(key, window, &kept.left, &kept.right)?.into_iter().for_each(emit);
            Ok(())
        })
    }

    fn run<O: Data>(
        self,
        finish: impl Fn(&K, Window, &Sides<L, R>, &mut dyn FnMut(O)) -> Result<(), UserError> + 'static,
    ) -> P::Streams<'s, WindowResult<K, O>, Either<L, R>> {
        if self.rules.assigner.merges() {
            self.build::<Sessions<Sides<L, R>>, O>(finish)
        } else {
            self.build::<Fixed<Sides<L, R>>, O>(finish)
        }
    }

    fn build<W: Panes<Either<L, R>, BothSides>, O: Data>(
        self,
        finish: impl Fn(&K, Window, &Sides<L, R>, &mut dyn FnMut(O)) -> Result<(), UserError> + 'static,
    ) -> P::Streams<'s, WindowResult<K, O>, Either<L, R>> {
        let WindowedJoin { streams, rules, trigger, kept, .. } = self;
        let fold = Rc::new(BothSides);
        let kept = kept.merged_by::<Either<L, R>, BothSides>(&fold);
        let rules = Rules { late_to_side: P::TO_SIDE, ..rules };
        let (main, side) = streams.left.connect(streams.right).process_as(rules.kind, |setup| {
            let finish = Box::new(finish);
            CoWindows(WindowOperator::<K, _, _, W, G, O>::new(setup, rules, fold, trigger, finish, kept))
        });
        P::streams(main, side)
    }
}

/// Keeps the records of both streams.
pub(crate) struct BothSides;

/// The records of a window, each with those of its stream.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sides<L, R> {
    left: Vec<L>,
    right: Vec<R>,
}

impl<L: StateValue, R: StateValue> Fold<Either<L, R>> for BothSides {
    type Kept = Sides<L, R>;
    fn first(&self, record: &Either<L, R>) -> Sides<L, R> {
        let mut kept = Sides { left: Vec::new(), right: Vec::new() };
        self.add(&mut kept, record);
        kept
    }
    fn add(&self, kept: &mut Sides<L, R>, record: &Either<L, R>) {
        match record {
            Either::Left(left) => kept.left.push(left.clone()),
            Either::Right(right) => kept.right.push(right.clone()),
        }
    }
}

impl<L: StateValue, R: StateValue> Merge<Either<L, R>> for BothSides {
    fn merge(&self, kept: &mut Sides<L, R>, mut later: Sides<L, R>) {
        kept.left.append(&mut later.left);
        kept.right.append(&mut later.right);
    }
}

/// Windows that two streams share.
struct CoWindows<W>(W);

impl<K, L, R, F, P, G, O> CoProcess<K, L, R> for CoWindows<WindowOperator<K, Either<L, R>, F, P, G, O>>
where
    K: Key,
    L: Data,
    R: Data,
    F: Fold<Either<L, R>>,
    P: Panes<Either<L, R>, F>,
    G: Trigger<Either<L, R>>,
    O: Data,
{
    type Out = WindowResult<K, O>;
    type Side = Either<L, R>;

    fn left(
        &mut self,
        record: &L,
        context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError> {
        self.0.record(&Either::Left(record.clone()), context)
    }

    fn right(
        &mut self,
        record: &R,
        context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError> {
        self.0.record(&Either::Right(record.clone()), context)
    }

    fn on_timer(
        &mut self,
        timer: Timer,
        context: &mut KeyedContext<'_, K, Self::Out, Self::Side>,
    ) -> Result<(), UserError> {
        self.0.timer(timer, context)
    }
}
