//! A store: objects under one address, and the four things done to them.
//!
//! An object is created once and never changed; the only mutable thing about a store is which
//! objects there are. [`Store::put_if_absent`] is the one operation that everything rests on: it
//! makes an object's name mean the same bytes for everybody, durably.

mod durable;
pub mod layout;
mod objects;
mod open;

pub use objects::{ObjectInfo, PutOutcome, Store};
pub use open::OpenMode;
