//! A program that is changed on its way: two inputs that share lists, an aggregate, entries that expire and processing-time
//! timers. Old runs and new ones, stopped or crashed in each part, with more workers than keys and with fewer; what all of them
//! commit together is what a loop over the numbers makes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond::{
    Aggregate, AggregatingState, CoProcess, Env, EventTime, Key, KeyedContext, ListState, ManualClock, MapState,
    RunEnd, StateDescriptor, StateValue, TimeDomain, Timer, Ttl, UserError,
};
use serde::{Deserialize, Serialize};

use crate::harness::{COUNT, STATES, Trial, wait};
use crate::sink::Ledger;
use crate::source::{Numbers, in_order};

/// Into how many runs the job is cut, less one, and how many numbers each of them reads.
const CUTS: u64 = 4;
const PART: u64 = COUNT / (CUTS + 1);
/// Fewer than there are workers at times.
const KEYS: u64 = 3;
/// How far the clock goes from one run to the next, after which time an entry expires, and a timer fires: in seconds. An entry
/// of the first part is there in the third, and not in the fourth; a timer fires in the second run after it was set.
const STEP: u64 = 6;
const TTL: u64 = 15;
const DELAY: u64 = 10;

/// What kind of thing it is, and two numbers.
type Out = (char, u64, u64);

/// What both programs do; their types are their own.
struct Both<K, E, S, A: Aggregate<u64>> {
    left: ListState<E>,
    right: ListState<E>,
    seen: MapState<u64, S>,
    total: AggregatingState<u64, A>,
    element: fn(u64) -> E,
    number: fn(&E) -> u64,
    seen_once: fn() -> S,
    key: fn(&K) -> u64,
}

impl<K: Key, E: StateValue, S: StateValue, A: Aggregate<u64, Output = u64>> Both<K, E, S, A> {
    fn take(&self, number: u64, others: &ListState<E>, context: &mut KeyedContext<'_, K, Out, ()>) {
        // Pairs of one block, whichever comes first.
        for other in others.get().iter().map(self.number).filter(|other| other / 10 == number / 10) {
            context.emit(('p', number.min(other), number.max(other)));
        }
        self.total.add(&number);
        if !self.seen.contains(&(number % PART)) {
            self.seen.insert(number % PART, (self.seen_once)());
            context.emit(('f', number % PART, number / PART));
        }
        context.set_event_timer(EventTime::from_millis(COUNT as i64));
        let now = context.processing_time().as_millis();
        context.set_processing_timer(EventTime::from_millis(now + DELAY as i64 * 1000));
    }
}

impl<K: Key, E: StateValue, S: StateValue, A: Aggregate<u64, Output = u64>> CoProcess<K, u64, u64>
    for Both<K, E, S, A>
{
    type Out = Out;
    type Side = ();

    fn left(&mut self, number: &u64, context: &mut KeyedContext<'_, K, Out, ()>) -> Result<(), UserError> {
        self.left.add((self.element)(*number));
        self.take(*number, &self.right, context);
        Ok(())
    }

    fn right(&mut self, number: &u64, context: &mut KeyedContext<'_, K, Out, ()>) -> Result<(), UserError> {
        self.right.add((self.element)(*number));
        self.take(*number, &self.left, context);
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, context: &mut KeyedContext<'_, K, Out, ()>) -> Result<(), UserError> {
        let key = (self.key)(context.key());
        match timer.domain {
            TimeDomain::Event => context.emit(('a', key, self.total.get().ok_or("nothing was added")?)),
            TimeDomain::Processing => context.emit(('t', key, timer.time.as_millis() as u64)),
        }
        Ok(())
    }
}

/// The sum and the count, in one number.
struct OldTotal;

impl Aggregate<u64> for OldTotal {
    type Accumulator = (u32, u32);
    type Output = u64;
    fn create(&self) -> (u32, u32) {
        (0, 0)
    }
    fn add(&self, total: &mut (u32, u32), number: &u64) {
        total.0 += *number as u32;
        total.1 += 1;
    }
    fn merge(&self, total: &mut (u32, u32), other: &(u32, u32)) {
        total.0 += other.0;
        total.1 += other.1;
    }
    fn result(&self, total: &(u32, u32)) -> u64 {
        u64::from(total.0) * 1000 + u64::from(total.1)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Accumulated {
    count: u64,
    sum: u64,
}

struct NewTotal;

impl Aggregate<u64> for NewTotal {
    type Accumulator = Accumulated;
    type Output = u64;
    fn create(&self) -> Accumulated {
        Accumulated::default()
    }
    fn add(&self, total: &mut Accumulated, number: &u64) {
        total.sum += number;
        total.count += 1;
    }
    fn merge(&self, total: &mut Accumulated, other: &Accumulated) {
        total.sum += other.sum;
        total.count += other.count;
    }
    fn result(&self, total: &Accumulated) -> u64 {
        total.sum * 1000 + total.count
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Element {
    number: u64,
}

fn seen() -> StateDescriptor {
    StateDescriptor::new("seen").ttl(Ttl::new(Duration::from_secs(TTL)))
}

fn old(env: &Env<'_>, numbers: Numbers, ledger: Ledger<Out>) {
    let left = env.source(numbers.clone(), in_order()).uid("left").filter(|number| number % 2 == 0);
    let right = env.source(numbers, in_order()).uid("right").filter(|number| number % 2 == 1);
    left.key_by(|number| number % KEYS)
        .connect(right.key_by(|number| number % KEYS))
        .process(|setup| Both {
            left: setup.list("left"),
            right: setup.list("right"),
            seen: setup.map(seen()),
            total: setup.aggregating("total", OldTotal),
            element: |number| number as u32,
            number: |element: &u32| u64::from(*element),
            seen_once: || 1_u8,
            key: |key: &u64| *key,
        })
        .uid("both")
        .sink(ledger.sink())
        .uid("ledger");
}

fn new(env: &Env<'_>, numbers: Numbers, ledger: Ledger<Out>) {
    let left = env.source(numbers.clone(), in_order()).uid("left").filter(|number| number % 2 == 0);
    let right = env.source(numbers, in_order()).uid("right").filter(|number| number % 2 == 1);
    let key = |number: &u64| format!("key {}", number % KEYS);
    let element = |name: &str| StateDescriptor::new(name).migrate(|old: u32| Element { number: u64::from(old) });
    left.key_by(key)
        .migrate_key(|old: u64| format!("key {old}"))
        .connect(right.key_by(key))
        .process(move |setup| Both {
            left: setup.list(element("left")),
            right: setup.list(element("right")),
            seen: setup.map(seen()),
            total: setup.aggregating(
                StateDescriptor::new("total")
                    .migrate(|(sum, count): (u32, u32)| Accumulated { count: count.into(), sum: sum.into() }),
                NewTotal,
            ),
            element: |number| Element { number },
            number: |element: &Element| element.number,
            seen_once: || 1_u16,
            key: |key: &String| key["key ".len()..].parse().unwrap_or(u64::MAX),
        })
        .uid("both")
        .sink(ledger.sink())
        .uid("ledger");
}

/// The same by hand.
fn expected() -> Vec<Out> {
    let mut out = Vec::new();
    let (mut totals, mut expiries) = (BTreeMap::<u64, u64>::new(), BTreeMap::<u64, u64>::new());
    for number in 0..COUNT {
        let (part, entry) = (number / PART, number % PART);
        let now = part * STEP;
        *totals.entry(number % KEYS).or_default() += number * 1000 + 1;
        if expiries.get(&entry).is_none_or(|expiry| *expiry <= now) {
            expiries.insert(entry, now + TTL);
            out.push(('f', entry, part));
        }
        let earlier = (number / 10 * 10..number).filter(|other| other % KEYS == number % KEYS);
        out.extend(earlier.filter(|other| other % 2 != number % 2).map(|other| ('p', other, number)));
    }
    out.extend(totals.into_iter().map(|(key, total)| ('a', key, total)));
    out.extend(timers().map(|(part, key)| ('t', key, (part * STEP + DELAY) * 1000)));
    assert_eq!(out.iter().filter(|(kind, ..)| *kind == 'f').count() as u64, 2 * PART);
    out.sort();
    out
}

/// Those that are due before the last run: the part in which they were set, and the key.
fn timers() -> impl Iterator<Item = (u64, u64)> {
    let due = (0..=CUTS).filter(|part| part * STEP + DELAY <= CUTS * STEP);
    due.flat_map(|part| (0..KEYS).map(move |key| (part, key)))
}

/// One run after the other at these parallelisms; from run number `changed` on it is the new program.
fn survives(parallelisms: [usize; CUTS as usize + 1], changed: usize, crashed: bool) {
    let clock = ManualClock::new();
    let mut trial = Trial::new(2, CUTS, STATES[2], &old);
    trial.clock = clock.clock();
    let (mut read, mut from) = (0, None);
    let (last, before) = parallelisms.split_last().unwrap();
    for (cut, parallelism) in before.iter().enumerate() {
        if cut == changed {
            trial.change(&new);
        }
        let running = trial.start(*parallelism, from.take());
        read = trial.pass(&running, cut as u64, read);
        if crashed {
            // Some of what follows is read, and lost again.
            trial.gate.open(read + 30);
            assert_eq!(running.interrupt().unwrap().end, RunEnd::Interrupted);
            trial.gate.open(read);
        } else {
            let RunEnd::Stopped(at) = running.stop(false).unwrap().end else { panic!("it did not stop") };
            from = Some(at);
        }
        clock.advance(Duration::from_secs(STEP));
    }
    if before.len() == changed {
        trial.change(&new);
    }
    let running = trial.start(*last, from);
    // A timer that is due when the input ends is not waited for by the job.
    let fired = || trial.ledger.records().iter().filter(|(kind, ..)| *kind == 't').count();
    wait("the timers", || fired() >= timers().count());
    trial.gate.open(COUNT);
    assert_eq!(running.wait().unwrap().end, RunEnd::Finished);
    assert_eq!(trial.sorted(), expected(), "{parallelisms:?}, changed before run {changed}, crashed: {crashed}");
}

#[test]
fn an_unchanged_program_at_any_parallelism() {
    let never = CUTS as usize + 1;
    for parallelism in [1, 3, 8] {
        survives([parallelism; 5], never, false);
    }
    survives([2, 8, 1, 5, 3], never, true);
    survives([8, 1, 4, 2, 7], never, false);
}

#[test]
fn a_program_that_is_changed_between_any_two_runs_and_stopped() {
    for changed in 1..=CUTS as usize {
        survives([1, 8, 2, 3, 1], changed, false);
        survives([8, 1, 5, 1, 8], changed, false);
    }
}

#[test]
fn a_program_that_is_changed_between_any_two_runs_and_crashes_in_each() {
    for changed in 1..=CUTS as usize {
        survives([2, 3, 8, 1, 2], changed, true);
        survives([8, 2, 1, 7, 4], changed, true);
    }
}
