//! A keyed stream and rules that every subtask has.

use millpond::{
    BroadcastProcess, BroadcastState, Context, Env, EventTime, KeyedContext, ListState, Timer, UserError,
    WatermarkStrategy,
};

use crate::harness::{COUNT, recovers, recovers_through};
use crate::sink::Ledger;
use crate::source::{Numbers, in_order};

/// Numbers are kept until event time has come to its end, when all rules are known; then each rule is applied to each.
struct Rules {
    kept: ListState<u64>,
    rules: BroadcastState<u64, u64>,
}

type Out = (u64, u64);

impl BroadcastProcess<u64, u64, u64> for Rules {
    type Out = Out;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Out, ()>) -> Result<(), UserError> {
        self.kept.add(*number);
        context.set_event_timer(EventTime::from_millis(COUNT as i64));
        if self.rules.insert(0, 0).is_ok() {
            return Err("a record of the keyed side could change broadcast state".into());
        }
        Ok(())
    }

    fn broadcast(&mut self, rule: &u64, _: &mut Context<'_, Out, ()>) -> Result<(), UserError> {
        // Of the rules with one last digit the newest counts; they come in order, from one split.
        Ok(self.rules.insert(rule % 10, *rule)?)
    }

    fn on_timer(&mut self, _: Timer, context: &mut KeyedContext<'_, u64, Out, ()>) -> Result<(), UserError> {
        for number in self.kept.get() {
            self.rules.entries().into_iter().for_each(|(_, rule)| context.emit((number, rule)));
        }
        self.kept.clear();
        Ok(())
    }
}

/// Some last digits have rules to the end; others have none after the first cut, so that it shows whether theirs were kept.
fn is_rule(number: &u64) -> bool {
    number.is_multiple_of(3) && number % 20 < 10 && (*number < 100 || number % 10 < 4)
}

/// As many keys as it takes for each of eight workers to have some.
const KEYS: u64 = 64;

fn job(env: &Env<'_>, numbers: Numbers, ledger: Ledger<Out>) {
    let strategy: WatermarkStrategy<u64> = in_order();
    let rules = env.source(Numbers::clone(&numbers), strategy.clone()).uid("rules").filter(is_rule);
    let numbers = env.source(numbers, strategy).uid("numbers").filter(|number| number % 3 != 0);
    numbers
        .key_by(|number| number % KEYS)
        .connect_broadcast(rules)
        .process(|setup| Rules { kept: setup.list("kept"), rules: setup.operator_states().broadcast("rules") })
        .uid("apply")
        .sink(ledger.sink())
        .uid("ledger");
}

/// The same by hand.
fn expected() -> Vec<Out> {
    let mut rules = std::collections::BTreeMap::new();
    (0..COUNT).filter(is_rule).for_each(|rule| {
        rules.insert(rule % 10, rule);
    });
    let numbers = (0..COUNT).filter(|number| number % 3 != 0);
    numbers.flat_map(|number| rules.values().map(move |rule| (number, *rule))).collect()
}

#[test]
fn rules_reach_every_subtask_and_stay() {
    recovers(2, job, expected());
}

#[test]
fn they_are_copied_to_as_many_workers_as_there_are() {
    let workers: std::collections::BTreeSet<usize> = (0..KEYS)
        .map(|key| millpond_snapshot::hash::worker_of(millpond_snapshot::hash::key_hash(&key).unwrap(), 8))
        .collect();
    assert_eq!(workers.len(), 8, "a worker has no key that would show its rules");
    recovers_through(2, &[8, 1, 8], false, job, expected());
    recovers_through(2, &[1, 7, 3], true, job, expected());
}
