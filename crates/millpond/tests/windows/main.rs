//! Windows and joins as a user has them: whole jobs, against an oracle in plain Rust that knows nothing of the engine.

mod aligned;
mod interval_join;
mod late;
mod oracle;
mod other_clocks;
mod session;
mod support;
mod window_join;
