//! A run on a store that fails, lies, or answers late, at each entry that it writes to the job's log; and with another run that
//! takes the number first. Whatever happens, one run goes on, the log is whole, what was kept is there, the output is exactly
//! once, and what people are told is true.
//!
//! * [`trouble`]: what happens to which write. * [`scene`]: the job, and what must hold of it. * [`steps`]: the entries, and how
//!   a run comes to write them. * [`away`]: a store that cannot be read while a run begins.

mod away;
#[path = "../../../../millpond-snapshot/tests/common/faulty.rs"]
mod faulty;
mod scene;
#[path = "../../../tests/recovery/sink.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared with the recovery tests")]
mod sink;
#[path = "../../../tests/recovery/source.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared with the recovery tests")]
mod source;
mod steps;
mod trouble;
#[path = "../../../tests/common/waiting.rs"]
mod waiting;

use crate::error::ErrorKind;
use faulty::Fault;
use scene::Scene;
use steps::{STEPS, Step};
use trouble::Trouble;

const FAULTS: [Fault; 3] = [Fault::Before, Fault::After, Fault::Late];

fn each_step(trouble: impl Fn(&Step) -> Trouble, check: impl Fn(&Step, &Scene, Result<(), crate::Error>)) {
    for step in STEPS {
        let scene = Scene::new(step, trouble(step));
        let outcome = (step.run)(&scene);
        assert!(scene.met_trouble(), "{}: nothing happened to it", step.name);
        check(step, &scene, outcome);
        scene.check(step.name);
    }
}

/// The store fails once: nobody outside notices.
#[test]
fn a_write_that_fails_once_is_made_up_for() {
    for fault in FAULTS {
        each_step(
            |step| Trouble::once(step.kinds, fault),
            |step, _, outcome| assert!(outcome.is_ok(), "{}, {fault:?}: {outcome:?}", step.name),
        );
    }
}

/// The store can neither write an entry nor tell whether it is there, until the run has given up on it.
#[test]
fn a_write_whose_outcome_stays_open_is_recognised_later() {
    for fault in FAULTS {
        each_step(
            |step| Trouble::away(step.kinds, fault),
            |step, _, outcome| {
                let there = fault != Fault::Before;
                match (step.survives(there), outcome) {
                    (true, outcome) => assert!(outcome.is_ok(), "{}, {fault:?}: {outcome:?}", step.name),
                    (false, Ok(())) => panic!("{}, {fault:?}: it ended well", step.name),
                    (false, Err(error)) => {
                        let text = error.to_string();
                        assert!(text.contains("could not write"), "{}, {fault:?}: {text}", step.name);
                        // Of a savepoint it is certain, since another entry has its number.
                        let open = text.contains("it may be there nevertheless");
                        assert_eq!(open, step.kinds != ["savepoint"], "{}, {fault:?}: {text}", step.name);
                        assert!(!text.contains("another run"), "{}, {fault:?}: {text}", step.name);
                    }
                }
            },
        );
    }
}

/// Another run has the number: this one ends and says so.
#[test]
fn a_run_that_has_a_successor_ends_at_whatever_it_writes_next() {
    each_step(
        |step| Trouble::rival(step.kinds),
        |step, scene, outcome| {
            if step.name == "start" {
                // It has not begun, and begins behind the other one.
                assert!(outcome.is_ok(), "{outcome:?}");
            } else {
                let error = outcome.expect_err(step.name);
                assert_eq!(error.kind(), ErrorKind::Fenced, "{}: {error}", step.name);
                let text = error.to_string();
                assert!(text.contains("another run of job 'counts' has taken over"), "{}: {text}", step.name);
                assert_eq!(
                    scene.last_entry().body.kind(),
                    "start",
                    "{}: it wrote behind its successor",
                    step.name
                );
            }
        },
    );
}
