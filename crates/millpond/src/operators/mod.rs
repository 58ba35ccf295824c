//! The operators with state, between the dataflow below and the streams above.
//!
//! * [`part`]: what every one of them does to take part in a snapshot.
//! * [`keyed_core`]: keys, states, timers and their snapshots, shared by the keyed operators.
//! * [`keyed`]: one keyed input; [`connected`]: two keyed inputs; [`broadcast`]: a keyed input and one that all see.
//! * [`running`]: one keyed input, and a result for each of its records.
//! * [`process`]: one input without a key.
//! * [`source`], [`sink`]: the ends of a job.

pub(crate) mod broadcast;
pub(crate) mod connected;
pub(crate) mod context;
pub(crate) mod keyed;
pub(crate) mod keyed_core;
pub(crate) mod part;
pub(crate) mod process;
pub(crate) mod running;
pub(crate) mod sink;
pub(crate) mod source;
