//! User code that fails: the run starts again from its newest checkpoint, or says where and on what it failed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use millpond::{ErrorKind, Job, RestartStrategy, RunEnd, RunOptions, UserError};

use crate::sink::Ledger;
use crate::source::{Gate, Numbers, in_order};

const COUNT: u64 = 600;

/// A job whose operator `fragile` fails once for each of the numbers `on`.
fn fragile(on: &[u64], fail: fn() -> Result<(), UserError>) -> (Job, Ledger<(u64, u64)>) {
    let (gate, ledger, left) = (Gate::default(), Ledger::new(), Arc::new(Mutex::new(on.to_vec())));
    gate.open(COUNT);
    let out = ledger.clone();
    let job = Job::new("fragile", move |env| {
        let left = Arc::clone(&left);
        env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order())
            .uid("numbers")
            .key_by(|number| number % 12)
            .process_fn(move |setup| {
                let count = setup.value::<u64>("count");
                move |number: &u64, context| {
                    let mut left = left.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if let Some(place) = left.iter().position(|on| on == number) {
                        left.remove(place);
                        fail()?;
                    }
                    let so_far = count.get().unwrap_or(0) + 1;
                    count.set(so_far);
                    context.emit((*context.key(), so_far));
                    Ok(())
                }
            })
            .uid("fragile")
            .sink(out.sink())
            .uid("ledger");
        Ok(())
    });
    (job, ledger)
}

/// Two workers that often take a checkpoint.
pub(crate) fn options(store: &str, restart: RestartStrategy) -> RunOptions {
    RunOptions {
        parallelism: Some(2),
        store: Some(format!("memory://{store}")),
        checkpoint_interval: Duration::from_millis(5),
        restart,
        ..RunOptions::default()
    }
}

fn by_hand() -> Vec<(u64, u64)> {
    let mut expected: Vec<_> = (0..COUNT).map(|number| (number % 12, number / 12 + 1)).collect();
    expected.sort_unstable();
    expected
}

fn returns() -> Result<(), UserError> {
    Err("no such airport".into())
}

fn panics() -> Result<(), UserError> {
    panic!("no such airport")
}

#[test]
fn after_a_failure_the_run_starts_again_and_nothing_is_lost_or_twice() {
    for (name, fail) in [("returns", returns as fn() -> _), ("panics", panics)] {
        let (job, ledger) = fragile(&[100, 300, 500], fail);
        let again = RestartStrategy::FixedDelay { attempts: 3, delay: Duration::from_millis(1) };
        assert_eq!(job.run(options(name, again)).unwrap().end, RunEnd::Finished);
        let mut records = ledger.records();
        records.sort_unstable();
        assert_eq!(records, by_hand(), "{name}");
    }
}

#[test]
fn a_run_that_is_not_started_again_names_operator_and_record() {
    for (name, fail) in [("returns-once", returns as fn() -> _), ("panics-once", panics)] {
        let (job, ledger) = fragile(&[400], fail);
        let error = job.run(options(name, RestartStrategy::None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        let message = error.to_string();
        for part in ["fragile", "400", "no such airport"] {
            assert!(message.contains(part), "no '{part}' in: {message}");
        }
        // The next run has no trouble, and goes on where this one was.
        job.run(options(name, RestartStrategy::None)).unwrap();
        let mut records = ledger.records();
        records.sort_unstable();
        assert_eq!(records, by_hand(), "{name}");
    }
}

#[test]
fn after_as_many_attempts_as_are_allowed_it_gives_up() {
    let (job, _) = fragile(&[100, 300, 500], returns);
    let twice = RestartStrategy::FixedDelay { attempts: 2, delay: Duration::from_millis(1) };
    assert_eq!(job.run(options("gives-up", twice)).unwrap_err().kind(), ErrorKind::Failed);
}

#[test]
fn it_gives_up_when_it_fails_twice_on_one_record() {
    let (job, _) = fragile(&[400, 400], returns);
    let again = RestartStrategy::FixedDelay { attempts: 10, delay: Duration::from_millis(1) };
    // No checkpoint: the second attempt gets no further than the first.
    let options = RunOptions { checkpoint_interval: Duration::ZERO, ..options("one-record", again) };
    let message = job.run(options).unwrap_err().to_string();
    assert!(message.contains("400") && message.contains("twice"), "{message}");
}
