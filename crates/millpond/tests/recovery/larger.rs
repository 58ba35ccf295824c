//! Much more state than memory for it, killed again and again.

use std::path::Path;
use std::time::Duration;

use millpond::{
    EventTime, Job, KeyedContext, KeyedProcess, MapState, RestartStrategy, RunEnd, RunOptions, StateBackend,
    Timer, UserError, ValueState,
};

use crate::harness::wait;
use crate::sink::Ledger;
use crate::source::{Gate, Numbers, in_order};

const KEYS: u64 = 9_000;
/// Each key comes so often.
const ROUNDS: u64 = 4;
/// What a key remembers besides a few numbers.
const NOTE: usize = 150;
/// Less than a twentieth of what the notes alone take.
const CACHE: u64 = KEYS * NOTE as u64 / 20;

/// Remembers what came of each key, and says it at the end of event time.
struct Remember {
    note: ValueState<String>,
    seen: MapState<u64, u64>,
}

/// The key, the numbers that came, and the note.
type Said = (u64, Vec<(u64, u64)>, String);

fn note(key: u64, number: u64) -> String {
    format!("{key} {number} ").repeat(NOTE).chars().take(NOTE).collect()
}

/// When a key says what it has seen: after all numbers.
fn at(key: u64) -> u64 {
    KEYS * ROUNDS + key % 50
}

impl KeyedProcess<u64, u64> for Remember {
    type Out = Said;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Said, ()>) -> Result<(), UserError> {
        let key = *context.key();
        self.seen.insert(number / KEYS, *number);
        self.note.set(note(key, *number));
        context.set_event_timer(EventTime::from_millis(at(key) as i64));
        Ok(())
    }

    fn on_timer(&mut self, _: Timer, context: &mut KeyedContext<'_, u64, Said, ()>) -> Result<(), UserError> {
        let said = (*context.key(), self.seen.entries(), self.note.get().ok_or("no note")?);
        context.emit(said);
        self.seen.clear();
        self.note.clear();
        Ok(())
    }
}

fn bytes_under(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_under(&entry.path()),
        Ok(metadata) => metadata.len(),
        // It may be gone by now.
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

#[test]
fn state_that_is_twenty_times_its_cache_survives_kills() {
    let directory = tempfile::tempdir().unwrap();
    let (gate, ledger) = (Gate::default(), Ledger::new());
    let (numbers, out) = (Numbers { count: KEYS * ROUNDS, gate: gate.clone() }, ledger.clone());
    let job = Job::new("larger", move |env| {
        env.source(numbers.clone(), in_order())
            .uid("numbers")
            .key_by(|number| number % KEYS)
            .process(|setup| Remember { note: setup.value("note"), seen: setup.map("seen") })
            .uid("remember")
            .sink(out.sink())
            .uid("ledger");
        Ok(())
    });
    let options = |parallelism| RunOptions {
        parallelism: Some(parallelism),
        store: Some("memory://larger".to_owned()),
        checkpoint_interval: Duration::from_millis(50),
        restart: RestartStrategy::None,
        state_backend: StateBackend::Disk,
        state_cache: CACHE,
        state_dir: Some(directory.path().to_owned()),
        ..RunOptions::default()
    };
    let mut read = 0;
    for (round, parallelism) in [(1, 2), (2, 1), (3, 3)] {
        let running = job.start(options(parallelism)).unwrap();
        gate.open(KEYS * round);
        wait("the numbers of a round", || running.records_read() >= KEYS * round - read);
        read = KEYS * round;
        let published = running.snapshots_published();
        wait("two snapshots", || running.snapshots_published() >= published + 2);
        let bytes = bytes_under(directory.path());
        assert!(bytes > 10 * CACHE, "only {bytes} bytes are on disk");
        // Some of what follows is processed, and lost again.
        gate.open(read + 500);
        wait("some more", || running.records_read() > 0);
        assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
        gate.open(read);
        assert_eq!(bytes_under(directory.path()), 0, "what is on disk goes with its run");
    }
    gate.open(KEYS * ROUNDS);
    assert_eq!(job.start(options(2)).unwrap().wait().unwrap().end, RunEnd::Finished);

    let mut said = ledger.records();
    said.sort_unstable();
    let expected = |key: u64| {
        let numbers: Vec<_> = (0..ROUNDS).map(|round| (round, round * KEYS + key)).collect();
        (key, numbers, note(key, (ROUNDS - 1) * KEYS + key))
    };
    assert_eq!(said.len() as u64, KEYS);
    for (found, expected) in said.into_iter().zip((0..KEYS).map(expected)) {
        assert_eq!(found, expected);
    }
}
