//! Joins: two keyed streams whose records belong together because of when they happened.
//!
//! * [`KeyedStream::join`](crate::KeyedStream::join) pairs the records of both streams that are in the same window of the
//!   same key, or gives both groups whole.
//! * [`KeyedStream::interval_join`](crate::KeyedStream::interval_join) pairs each record with those of the other stream
//!   that happened within an interval around it.
//!
//! Both are written on [`CoProcess`](crate::CoProcess), the first with the operator of [windows](crate::windows).

mod either;
mod interval;
mod interval_operator;
mod window;

pub use either::Either;
pub use interval::{BoundedIntervalJoin, IntervalJoin};
pub use window::{JoinedStreams, WindowedJoin};
