//! From any parallelism to any other: keyed state and timers by hash range, a list dealt out evenly, a union given whole to all,
//! splits to whoever runs now; with more workers than keys and than splits, and with fewer. Broadcast state is copied: see
//! `broadcast`.

use std::collections::BTreeMap;

use millpond::{
    Context, EventTime, KeyedContext, KeyedProcess, OperatorListState, Process, Timer, UserError, ValueState,
};
use proptest::prelude::*;

use crate::harness::{COUNT, recovers_through};
use crate::source::in_order;

/// There are fewer keys than workers at times.
const KEYS: u64 = 2;
/// How long after a number its timer fires, in milliseconds of event time.
const DELAY: i64 = 40;

/// What kind of thing it is, and two numbers.
type Out = (char, u64, u64);

/// Counts the numbers of a key, and says of each when its timer fires.
struct Counted {
    count: ValueState<u64>,
}

impl KeyedProcess<u64, u64> for Counted {
    type Out = Out;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Out, ()>) -> Result<(), UserError> {
        let count = self.count.get().unwrap_or(0) + 1;
        self.count.set(count);
        context.set_event_timer(EventTime::from_millis(*number as i64 + DELAY));
        context.emit(('c', *context.key(), count));
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, context: &mut KeyedContext<'_, u64, Out, ()>) -> Result<(), UserError> {
        let key = *context.key();
        context.emit(('t', key, timer.time.as_millis() as u64));
        Ok(())
    }
}

/// How many numbers are dealt out: all of them are there before the first cut, so that no subtask has others than those that it
/// was dealt at the last one.
const DEALT: u64 = 100;

/// Holds all numbers until the end of time, keeps those that are dealt out, and knows of every number below ten that any
/// subtask has seen.
struct Held {
    held: OperatorListState<u64>,
    dealt: OperatorListState<u64>,
    seen: OperatorListState<u64>,
    subtask: u64,
}

impl Process<u64> for Held {
    type Out = Out;
    type Side = ();

    fn process(&mut self, number: &u64, _: &mut Context<'_, Out, ()>) -> Result<(), UserError> {
        self.held.add(*number);
        if *number < DEALT {
            self.dealt.add(*number);
        }
        if *number < 10 {
            self.seen.add(*number);
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: EventTime, context: &mut Context<'_, Out, ()>) -> Result<(), UserError> {
        if watermark == EventTime::MAX {
            self.held.get().into_iter().for_each(|number| context.emit(('h', number, 0)));
            self.held.set(Vec::new());
            // The first cut comes after the tenth number: from then on each subtask has them all.
            let mut seen = self.seen.get();
            seen.sort_unstable();
            seen.dedup();
            context.emit(('u', self.subtask, seen.into_iter().sum()));
            context.emit(('d', 0, self.dealt.get().len() as u64));
        }
        Ok(())
    }
}

/// The same by hand.
fn expected(last_parallelism: usize) -> Vec<Out> {
    let mut counts = BTreeMap::<u64, u64>::new();
    let mut out = Vec::new();
    for number in 0..COUNT {
        let key = number % KEYS;
        let count = counts.entry(key).or_default();
        *count += 1;
        out.push(('c', key, *count));
        out.push(('t', key, number + DELAY as u64));
        out.push(('h', number, 0));
    }
    let workers = last_parallelism as u64;
    out.extend((0..workers).map(|subtask| ('u', subtask, (0..10).sum())));
    // Evenly: nobody has two more than another.
    out.extend((0..workers).map(|subtask| ('d', 0, DEALT / workers + u64::from(subtask < DEALT % workers))));
    out
}

fn survives(parallelisms: &[usize], crashed: bool) {
    recovers_through(
        1,
        parallelisms,
        crashed,
        |env, numbers, ledger| {
            let numbers = env.source(numbers, in_order()).uid("numbers");
            let counted = numbers
                .clone()
                .key_by(|number| number % KEYS)
                .process(|setup| Counted { count: setup.value("count") })
                .uid("counted");
            let held = numbers
                .rebalance()
                .process(|setup| Held {
                    held: setup.list("held"),
                    dealt: setup.list("dealt"),
                    seen: setup.union("seen"),
                    subtask: setup.subtask() as u64,
                })
                .uid("held");
            counted.union([held]).sink(ledger.sink()).uid("ledger");
        },
        expected(*parallelisms.last().unwrap()),
    );
}

#[test]
fn from_many_more_workers_than_keys_and_splits_to_one_and_back() {
    survives(&[8, 1, 8], false);
    survives(&[1, 7, 2], true);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_chain_of_parallelisms_comes_to_the_same(
        parallelisms in prop::collection::vec(1..=8_usize, 2..=4),
        crashed: bool,
    ) {
        survives(&parallelisms, crashed);
    }
}
