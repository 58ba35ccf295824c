//! Any sequence of what may be done to a job (run on, take a savepoint, stop, crash, go back, rescale, change the program,
//! fork) leaves the state and the output that a loop over the input leaves.
//!
//! * [`input`]: the records.
//! * [`program`]: the job, in four versions, each of which takes up the state of those before it.
//! * [`oracle`]: what a loop over the records makes of them, given how far each version of the program came.
//! * [`steps`]: what may be done, drawn at random.
//! * [`line`]: one job through its runs, and what must hold of it.
//! * [`look`]: the snapshots that the engine leaves, read without it.
//!
//! `MILLPOND_SEQUENCES=500` runs more of them than usual. Seeds that failed stand in `seeds.txt` and are run first.

mod input;
mod line;
mod look;
#[path = "../common/on_disk.rs"]
mod on_disk;
mod oracle;
mod program;
#[path = "../recovery/source.rs"]
mod source;
mod steps;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};

use crate::steps::{Scene, sequences};

/// How many sequences are run unless told.
const CASES: u32 = 8;

#[test]
fn any_sequence_of_steps_leaves_what_a_loop_over_the_input_leaves() {
    let cases =
        std::env::var("MILLPOND_SEQUENCES").map_or(CASES, |cases| cases.parse().expect("a number of sequences"));
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/sequences/seeds.txt"))),
        // A sequence takes a while, and most shrinking is in its length.
        max_shrink_iters: 200,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&sequences(), |steps| Scene::new().play(&steps).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
