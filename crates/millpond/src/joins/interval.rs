//! The interval join: for each record of one stream, the records of the other that happened within an interval around it.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::either::Either;
use super::interval_operator::{Bounds, IntervalOperator};
use crate::runtime::failure::UserError;
use crate::state::evolution::descriptors::TypedDescriptor;
use crate::stream::keyed::KeyedStream;
use crate::stream::record::{Data, Key};
use crate::windows::{CountLate, LatePolicy, SideLate, TimeOffset};

/// Two streams with the same key that are to be joined by event time. Made by [`KeyedStream::interval_join`].
pub struct IntervalJoin<'s, K: Key, L: Data, R: Data> {
    left: KeyedStream<'s, K, L>,
    right: KeyedStream<'s, K, R>,
}

/// An interval join with its bounds. Made by [`IntervalJoin::between`].
pub struct BoundedIntervalJoin<'s, K: Key, L: Data, R: Data, P = CountLate> {
    streams: IntervalJoin<'s, K, L, R>,
    bounds: Bounds,
    kept: (TypedDescriptor<L>, TypedDescriptor<R>),
    late: PhantomData<P>,
}

impl<'s, K: Key, T: Data> KeyedStream<'s, K, T> {
    /// Joins each record of this stream with those of another that happened about the same event time:
    ///
    /// ```no_run
    /// use millpond::{KeyedStream, Stream, TimeOffset};
    /// use std::time::Duration;
    /// # fn job<'s>(orders: KeyedStream<'s, u64, (u64, String)>, payments: KeyedStream<'s, u64, (u64, i64)>) {
    /// let paid: Stream<'_, (String, i64)> = orders
    ///     .interval_join(payments)
    ///     .between(TimeOffset::Before(Duration::from_secs(5)), TimeOffset::After(Duration::from_secs(3600)))
    ///     .process(|order, payment| (order.1.clone(), payment.1))
    ///     .uid("paid-orders");
    /// # }
    /// ```
    pub fn interval_join<R: Data>(self, right: KeyedStream<'s, K, R>) -> IntervalJoin<'s, K, T, R> {
        IntervalJoin { left: self, right }
    }
}

impl<'s, K: Key, L: Data, R: Data> IntervalJoin<'s, K, L, R> {
    /// Says how far from a record of the first stream a record of the second may be: from `lower` to `upper`, both
    /// included. A record is kept until the watermark says that no partner can come any more.
    pub fn between(
        self,
        lower: impl Into<TimeOffset>,
        upper: impl Into<TimeOffset>,
    ) -> BoundedIntervalJoin<'s, K, L, R> {
        let bounds = Bounds { lower: lower.into().as_millis(), upper: upper.into().as_millis() };
        BoundedIntervalJoin { streams: self, bounds, kept: ("left".into(), "right".into()), late: PhantomData }
    }
}

impl<'s, K: Key, L: Data, R: Data, P: LatePolicy> BoundedIntervalJoin<'s, K, L, R, P> {
    /// Leaves the lower bound itself out.
    pub fn lower_exclusive(mut self) -> Self {
        self.bounds.lower = self.bounds.lower.saturating_add(1);
        self
    }

    /// Leaves the upper bound itself out.
    pub fn upper_exclusive(mut self) -> Self {
        self.bounds.upper = self.bounds.upper.saturating_sub(1);
        self
    }

    /// Gives late records, those at or before the watermark, as a stream of their own: what follows returns the results
    /// and the late records. Without it they are dropped and counted.
    pub fn late_side_output(self) -> BoundedIntervalJoin<'s, K, L, R, SideLate> {
        BoundedIntervalJoin { streams: self.streams, bounds: self.bounds, kept: self.kept, late: PhantomData }
    }

    /// Turns kept records of the first stream that are of the type `Old`, where a snapshot has such, into new ones: as
    /// [`StateDescriptor::migrate`](crate::StateDescriptor::migrate) does. There may be several.
    ///
    /// ```no_run
    /// # use millpond::{KeyedStream, TimeOffset};
    /// # use std::time::Duration;
    /// # fn job<'s>(orders: KeyedStream<'s, u64, (u64, String)>, payments: KeyedStream<'s, u64, (u64, i64)>) {
    /// let paid = orders
    ///     .interval_join(payments)
    ///     .between(TimeOffset::Before(Duration::from_secs(5)), TimeOffset::After(Duration::from_secs(3600)))
    ///     .migrate_left(|order: u64| (order, "unknown".to_owned())) // orders had no name
    ///     .process(|order, payment| (order.1.clone(), payment.1))
    ///     .uid("paid-orders");
    /// # }
    /// ```
    pub fn migrate_left<Old: DeserializeOwned + 'static>(mut self, migrate: impl Fn(Old) -> L + 'static) -> Self {
        self.kept.0 = self.kept.0.migrate(migrate);
        self
    }

    /// As [`BoundedIntervalJoin::migrate_left`], for records of the second stream.
    pub fn migrate_right<Old: DeserializeOwned + 'static>(mut self, migrate: impl Fn(Old) -> R + 'static) -> Self {
        self.kept.1 = self.kept.1.migrate(migrate);
        self
    }

    /// What `function` makes of each pair. Its timestamp is the later of the two.
    pub fn process<O: Data>(self, function: impl Fn(&L, &R) -> O + 'static) -> P::Streams<'s, O, Either<L, R>> {
        self.try_process(move |left, right| Ok(function(left, right)))
    }

    /// As [`BoundedIntervalJoin::process`], with a function that may fail the run.
    pub fn try_process<O: Data>(
        self,
        function: impl Fn(&L, &R) -> Result<O, UserError> + 'static,
    ) -> P::Streams<'s, O, Either<L, R>> {
        let BoundedIntervalJoin { streams, bounds, kept, .. } = self;
        let (main, side) = streams.left.connect(streams.right).process_as("interval_join", |setup| {
            IntervalOperator::new(setup, bounds, kept, P::TO_SIDE, Box::new(function))
        });
        P::streams(main, side)
    }
}
