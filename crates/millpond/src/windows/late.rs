//! What becomes of records that come when their windows are gone.

use crate::stream::plain::Stream;
use crate::stream::record::Data;

/// What becomes of late records: [`CountLate`] or [`SideLate`].
pub trait LatePolicy: sealed::Sealed + 'static {
    /// The streams that leave the operator: results alone, or with the late records.
    type Streams<'s, O: Data, T: Data>;
    /// Whether late records go to a stream of their own.
    const TO_SIDE: bool;
    /// Chooses the streams.
    fn streams<'s, O: Data, T: Data>(main: Stream<'s, O>, side: Stream<'s, T>) -> Self::Streams<'s, O, T>;
}

/// Late records are dropped; how many there were is logged as a warning, ever more seldom as they become more.
#[derive(Clone, Copy, Debug)]
pub struct CountLate;

/// Late records are a stream of their own.
#[derive(Clone, Copy, Debug)]
pub struct SideLate;

impl LatePolicy for CountLate {
    type Streams<'s, O: Data, T: Data> = Stream<'s, O>;
    const TO_SIDE: bool = false;
    fn streams<'s, O: Data, T: Data>(main: Stream<'s, O>, _: Stream<'s, T>) -> Stream<'s, O> {
        main
    }
}

impl LatePolicy for SideLate {
    type Streams<'s, O: Data, T: Data> = (Stream<'s, O>, Stream<'s, T>);
    const TO_SIDE: bool = true;
    fn streams<'s, O: Data, T: Data>(main: Stream<'s, O>, side: Stream<'s, T>) -> (Stream<'s, O>, Stream<'s, T>) {
        (main, side)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::CountLate {}
    impl Sealed for super::SideLate {}
}

/// Late records that a subtask has dropped since it began.
#[derive(Debug, Default)]
pub(crate) struct LateCount {
    dropped: u64,
    warn_at: u64,
}

impl LateCount {
    /// Counts one that `operator`, a kind of operator, has dropped.
    pub(crate) fn count(&mut self, operator: &'static str, subtask: usize) {
        self.dropped += 1;
        if self.dropped >= self.warn_at {
            let dropped = self.dropped;
            tracing::warn!(operator, subtask, dropped, "late records dropped; `late_side_output` keeps them");
            self.warn_at = self.dropped.saturating_mul(10);
        }
    }
}
