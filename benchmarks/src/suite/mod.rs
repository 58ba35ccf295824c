//! The benchmarks, by name.

mod engine;
mod flink_engine;
mod going;
mod growth;
mod instructions;
mod keyed_sum;
mod millpond_engine;
mod nexmark;
mod recovery;
mod repository;
mod state;
mod steady;
mod subjects;

use crate::harness::Benchmark;

/// All of them.
pub fn all() -> Vec<Benchmark> {
    let groups = [
        keyed_sum::benchmarks(),
        nexmark::benchmarks(),
        state::benchmarks(),
        steady::benchmarks(),
        recovery::benchmarks(),
        repository::benchmarks(),
        growth::benchmarks(),
        instructions::benchmarks(),
    ];
    groups.into_iter().flatten().collect()
}
