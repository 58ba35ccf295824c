//! What is computed, whoever computes it: the input by its index, and the check over the output.
//!
//! Each of these functions stands a second time in Java, under `flink/`; the checks over the output show that they agree.

pub mod keyed_sum;
pub mod mix;
pub mod nexmark;
