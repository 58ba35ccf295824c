//! What Millpond adds to timely dataflow, and the only place that speaks timely's types.
//!
//! * [`time`]: the timestamp, a partial order of (epoch, watermark).
//! * [`flow`]: how far the sources may run ahead.
//! * [`emitter`]: an operator's output: a buffer, and the right to send it.
//! * [`inlet`]: an operator's input: records of the current epoch pass, earlier ones wait.
//! * [`aligned`]: the operator that everything with state is built on. It sees batches, then a watermark,
//!   then the end of an epoch, in an order that makes a snapshot consistent.
//! * [`stateless`]: the operator that has no epoch to end.
//! * [`partition`]: the operator that deals records out to the workers that own them.
//! * [`root`]: the one operator that begins epochs.

pub(crate) mod aligned;
pub(crate) mod emitter;
pub(crate) mod flow;
pub(crate) mod inlet;
pub(crate) mod partition;
pub(crate) mod root;
pub(crate) mod stateless;
pub(crate) mod time;
