//! The server over TCP.

mod job;
mod life;
mod reading;
mod steering;
