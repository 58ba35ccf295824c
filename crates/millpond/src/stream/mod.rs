//! What a job is written with: an environment, streams, and what can be done to them.
//!
//! * [`env`](mod@env): where a job is defined, once for the plan and once on each worker.
//! * [`record`]: what travels on a stream.
//! * [`plain`]: streams without a key; [`keyed`]: streams with one; [`connected`]: two together.

pub(crate) mod connected;
pub(crate) mod env;
pub(crate) mod keyed;
pub(crate) mod plain;
pub(crate) mod record;
