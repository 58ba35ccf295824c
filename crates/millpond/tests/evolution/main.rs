//! State that a program wrote is taken up by one whose types are others.

mod crash;
mod key_names;
mod keys;
#[path = "../common/on_disk.rs"]
mod on_disk;
mod operator;
mod refused;
mod support;
mod values;
mod windows;

#[path = "../recovery/source.rs"]
mod source;
