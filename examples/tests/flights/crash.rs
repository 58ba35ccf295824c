//! `kill -9` at random moments, many times in one run.
//!
//! `MILLPOND_TEST_KILLS` sets how many times, `MILLPOND_TEST_SEED` when. A seed that failed goes into [`SEEDS`].

use std::time::Duration;

use crate::support::oracle::expected;
use crate::support::scene::{Scene, bundled};

/// Seeds that are always run.
const SEEDS: [u64; 1] = [20130101];

/// A number that chance gives out again for the same seed.
struct Chance(u64);

impl Chance {
    /// From 0 to `below`, less one.
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % below
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number: {text}")))
}

#[test]
fn a_job_that_is_killed_again_and_again_counts_every_row_once() {
    let expected = expected(&std::fs::read_to_string(bundled()).unwrap());
    let kills = from_environment("MILLPOND_TEST_KILLS").unwrap_or(8);
    for seed in SEEDS.into_iter().chain(from_environment("MILLPOND_TEST_SEED")) {
        eprintln!("seed {seed}");
        let mut chance = Chance(seed);
        let scene = Scene::new();
        let mut killed = 0;
        while killed < kills {
            // Slow enough that no run comes to the end before it is killed for the last time.
            let rate = 27_004 / (2 + kills / 2);
            let parallelism = 1 + chance.below(4);
            let mut run = scene.start(&format!("-p {parallelism} --rate {rate} --checkpoint-interval 100ms"));
            if chance.below(3) > 0 {
                // Any moment of a start will do for some; the others shall have something to lose.
                let before = scene.history().snapshots("checkpoint");
                run.wait_until("a new checkpoint", || scene.history().snapshots("checkpoint") != before);
            }
            std::thread::sleep(Duration::from_millis(chance.below(400)));
            if !run.kill() {
                break;
            }
            killed += 1;
            scene.assert_output_so_far(&expected);
        }
        assert!(killed >= kills / 2, "only {killed} kills: the job was too fast for this test");
        scene.finish("-p 2");
        scene.assert_output(&expected);
        assert!(scene.history().restores() > 0, "no run started from a snapshot");
    }
}
