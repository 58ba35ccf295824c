//! The `flights` job end to end: real processes, real files, real kills. Whatever happens to it, what it commits is
//! what an independent computation over the same rows comes to.

mod support;

mod bad_input;
mod broken;
mod cluster;
mod copied;
mod crash;
mod ending;
mod fork;
mod growing;
mod positions;
mod rescale;
mod takeover;
mod whole;
