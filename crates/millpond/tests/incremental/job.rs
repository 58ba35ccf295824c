//! A job that keeps a number under each key, and a hand on how many it has read.

use std::path::Path;
use std::time::Duration;

use millpond::{Collect, Env, Job, KeyedContext, RunOptions, RunningJob, StateDescriptor};

use crate::source::{Gate, Numbers, in_order};
use crate::waiting::wait;

/// The job's name, and those of its operator and state.
pub(crate) const JOB: &str = "table";
pub(crate) const STATE: &str = "value";

/// What a number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: u64,
    /// What the key's value becomes; `None`: it goes.
    pub(crate) value: Option<u64>,
}

/// An operator that applies changes, under a uid.
pub(crate) fn table(
    env: &Env<'_>,
    uid: &str,
    gate: &Gate,
    state: StateDescriptor,
    change: impl Fn(u64) -> Change + Copy + Send + Sync + 'static,
) {
    env.source(Numbers { count: u64::MAX, gate: gate.clone() }, in_order())
        .uid(&format!("numbers-{uid}"))
        .key_by(move |number| change(*number).key)
        .process_fn(move |setup| {
            let table = setup.value::<u64>(state);
            move |number: &u64, _: &mut KeyedContext<'_, u64, (), ()>| {
                match change(*number).value {
                    Some(value) => table.set(value),
                    None => table.clear(),
                }
                Ok(())
            }
        })
        .uid(uid)
        .sink(Collect::new().sink())
        .uid(&format!("nothing-{uid}"));
}

/// A job of one such operator.
pub(crate) fn job(
    gate: &Gate,
    state: StateDescriptor,
    change: impl Fn(u64) -> Change + Copy + Send + Sync + 'static,
) -> Job {
    let gate = gate.clone();
    Job::new(JOB, move |env| {
        table(env, JOB, &gate, state.clone(), change);
        Ok(())
    })
}

/// Options for a run on `store` that takes snapshots only when it is asked.
pub(crate) fn options(store: impl AsRef<Path>) -> RunOptions {
    RunOptions {
        parallelism: Some(2),
        store: Some(store.as_ref().display().to_string()),
        checkpoint_interval: Duration::ZERO,
        ..RunOptions::default()
    }
}

/// Lets the numbers below `limit` pass, and waits until they have been read.
pub(crate) fn read(running: &RunningJob, gate: &Gate, limit: u64) {
    gate.open(limit);
    wait("the numbers", || running.records_read() >= limit);
}
