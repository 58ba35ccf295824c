//! The benchmarks, by name.

mod keyed_sum;
mod subjects;

use crate::harness::Benchmark;

/// All of them.
pub fn all() -> Vec<Benchmark> {
    keyed_sum::benchmarks()
}
