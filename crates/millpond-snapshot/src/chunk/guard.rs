//! The Parquet decoder, kept from taking the program down.
//!
//! The decoder reports most of what is wrong with a file, and panics on some of it. Only bytes that
//! somebody forged together with a manifest that names their hash get this far; they are an error like
//! any other.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Error, Result};

/// Runs a step of the decoder on behalf of `file`. If it panics, whatever it worked on must not be
/// used again.
pub(super) fn guarded<T, E: Display>(file: &str, field: &str, step: impl FnOnce() -> Result<T, E>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|error| Error::corrupt(file, field, error)),
        Err(panic) => {
            let why = format!("the Parquet decoder panicked: {}", message(&panic));
            Err(Error::corrupt(file, field, why))
        }
    }
}

fn message(panic: &Box<dyn Any + Send>) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
