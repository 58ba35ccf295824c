//! A record of one of two streams.

use serde::{Deserialize, Serialize};

/// A record of the first or of the second of two streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Either<L, R> {
    /// Of the first.
    Left(L),
    /// Of the second.
    Right(R),
}
