//! Windows: a keyed stream cut into stretches of time.
//!
//! A record belongs to the windows that a [`WindowAssigner`] says: [`Tumbling`], [`Sliding`], [`Session`] or [`Global`],
//! in event time or in processing time. A [`Trigger`] says when a window gives its result. What a window keeps is one
//! entry of keyed state, so that a snapshot takes the windows that changed and no others.
//!
//! In event time a window is *complete* when the watermark has reached its last moment, and *gone* when the allowed
//! lateness has passed besides: then nothing of it is kept. A record whose windows are all gone is *late*.
//!
//! By the clock of the machine a window is complete, and gone, at its end, or when the input ends before that.
//!
//! * `assigner`: which windows a record is in.
//! * `trigger`, `triggers`: when a window fires.
//! * `fold`, `panes`, `slices`: what is kept of a window, and where.
//! * `rules`, `late`: when a window is gone, and what becomes of records that come then.
//! * `operator`: all of it together; everything here is written on the public API of keyed streams.

mod assigner;
mod fold;
mod kept;
mod late;
mod offset;
mod operator;
mod panes;
mod rules;
mod slice;
mod slices;
mod stream;
#[cfg(test)]
mod tests;
mod trigger;
mod triggers;
mod window;

pub use assigner::{Global, Session, Sliding, Tumbling, WindowAssigner};
pub(crate) use fold::{Fold, Merge};
pub(crate) use kept::Kept;
pub(crate) use late::LateCount;
pub use late::{CountLate, LatePolicy, SideLate};
pub use offset::TimeOffset;
pub(crate) use operator::WindowOperator;
pub(crate) use panes::{Fixed, Panes, Sessions};
pub(crate) use rules::Rules;
pub use stream::WindowedStream;
pub use trigger::{Moment, Trigger, Verdict};
pub use triggers::{Count, Every, Purging, WhenComplete};
pub use window::{Window, WindowResult};
