//! So much state that a snapshot takes it in several stretches, changed all the while, and taken up by more or fewer workers.

use std::time::Duration;

use millpond::{
    EventTime, Job, KeyedContext, KeyedProcess, MapState, RestartStrategy, RunEnd, RunOptions, Timer, UserError,
    ValueState,
};

use crate::harness::wait;
use crate::sink::Ledger;
use crate::source::{Gate, Numbers, in_order};

/// With two workers each has one stretch, and one alone has two.
const KEYS: u64 = 90_000;
/// Each key comes so often.
const ROUNDS: u64 = 6;

/// Adds up what came of each key, and says it at the end of event time.
struct AddUp {
    sum: ValueState<u64>,
    rounds: MapState<u64, u64>,
}

/// The key, the sum, and of how many rounds it is.
type Said = (u64, u64, usize);

impl KeyedProcess<u64, u64> for AddUp {
    type Out = Said;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Said, ()>) -> Result<(), UserError> {
        self.sum.set(self.sum.get().unwrap_or(0) + number);
        let round = number / KEYS;
        self.rounds.insert(round, *number);
        // Entries and timers come and go.
        let moment = |round| EventTime::from_millis((KEYS * ROUNDS + round) as i64);
        if let Some(last) = round.checked_sub(1) {
            context.delete_event_timer(moment(last));
            last.checked_sub(1).map(|gone| self.rounds.remove(&gone));
        }
        context.set_event_timer(moment(round));
        Ok(())
    }

    fn on_timer(&mut self, _: Timer, context: &mut KeyedContext<'_, u64, Said, ()>) -> Result<(), UserError> {
        let said = (*context.key(), self.sum.get().ok_or("no sum")?, self.rounds.entries().len());
        context.emit(said);
        Ok(())
    }
}

#[test]
fn a_snapshot_in_several_stretches_is_of_one_moment() {
    let (gate, ledger) = (Gate::default(), Ledger::new());
    let (numbers, out) = (Numbers { count: KEYS * ROUNDS, gate: gate.clone() }, ledger.clone());
    let job = Job::new("stretches", move |env| {
        env.source(numbers.clone(), in_order())
            .uid("numbers")
            .key_by(|number| number % KEYS)
            .process(|setup| AddUp { sum: setup.value("sum"), rounds: setup.map("rounds") })
            .uid("add-up")
            .sink(out.sink())
            .uid("ledger");
        Ok(())
    });
    let options = |parallelism| RunOptions {
        parallelism: Some(parallelism),
        store: Some("memory://stretches".to_owned()),
        checkpoint_interval: Duration::from_millis(20),
        restart: RestartStrategy::None,
        ..RunOptions::default()
    };
    for (round, parallelism) in [(2, 1), (3, 2), (5, 1)] {
        let running = job.start(options(parallelism)).unwrap();
        gate.open(KEYS * round);
        let published = running.snapshots_published();
        wait("two snapshots", || running.snapshots_published() >= published + 2);
        // Wherever it is with the numbers, and with the next snapshot.
        assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
    }
    gate.open(KEYS * ROUNDS);
    assert_eq!(job.start(options(2)).unwrap().wait().unwrap().end, RunEnd::Finished);

    let mut said = ledger.records();
    said.sort_unstable();
    let sum = |key: u64| (0..ROUNDS).map(|round| round * KEYS + key).sum();
    assert!(said.into_iter().eq((0..KEYS).map(|key| (key, sum(key), 2))));
}
