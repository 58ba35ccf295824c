//! The store as people use it: addresses, retention and cleaning.

mod address;
mod release;
mod resolve;
mod retention;

pub use address::SnapshotAddress;
pub use release::{Released, release};
pub use resolve::{Resolved, resolve};
pub use retention::select;
