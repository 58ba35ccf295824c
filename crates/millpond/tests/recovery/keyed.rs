//! Keyed state: value, list, map, reducing and aggregating, several in one operator; and the shorthands.

use std::collections::BTreeMap;

use millpond::{
    Aggregate, AggregatingState, KeyedContext, KeyedProcess, ListState, MapState, ReducingState, UserError,
    ValueState,
};

use crate::harness::{COUNT, recovers};
use crate::source::in_order;

/// Twelve keys; all numbers of a key are in one split, so they come in order.
fn key(number: &u64) -> String {
    format!("key-{}", number % 12)
}

/// The sum and the number of elements.
struct Mean;

impl Aggregate<u64> for Mean {
    type Accumulator = (u64, u64);
    type Output = u64;

    fn create(&self) -> (u64, u64) {
        (0, 0)
    }
    fn add(&self, accumulator: &mut (u64, u64), element: &u64) {
        accumulator.0 += element;
        accumulator.1 += 1;
    }
    fn merge(&self, accumulator: &mut (u64, u64), other: &(u64, u64)) {
        accumulator.0 += other.0;
        accumulator.1 += other.1;
    }
    fn result(&self, accumulator: &(u64, u64)) -> u64 {
        accumulator.0 / accumulator.1
    }
}

/// One state of each kind.
struct Every {
    count: ValueState<u64>,
    recent: ListState<u64>,
    by_digit: MapState<u8, u64>,
    greatest: ReducingState<u64>,
    mean: AggregatingState<u64, Mean>,
}

/// The key, then what each state says.
type Said = (String, u64, Vec<u64>, Vec<(u8, u64)>, u64, u64);

fn digit(number: u64) -> u8 {
    (number % 10) as u8
}

impl KeyedProcess<String, u64> for Every {
    type Out = Said;
    type Side = ();

    fn process(
        &mut self,
        number: &u64,
        context: &mut KeyedContext<'_, String, Said, ()>,
    ) -> Result<(), UserError> {
        let count = self.count.update(|count| {
            *count += 1;
            *count
        });
        self.recent.add(*number);
        if count.is_multiple_of(5) {
            // Emptied now and then: a snapshot must have that, too.
            self.recent.clear();
        }
        self.by_digit.upsert(digit(*number), || 0, |seen| *seen += 1);
        if count.is_multiple_of(7) {
            self.by_digit.remove(&digit(*number));
        }
        self.greatest.add(number % 97);
        self.mean.add(number);
        let said = (
            context.key().clone(),
            count,
            self.recent.get(),
            self.by_digit.entries(),
            self.greatest.get().ok_or("nothing reduced")?,
            self.mean.get().ok_or("nothing aggregated")?,
        );
        context.emit(said);
        Ok(())
    }
}

/// The same in plain Rust.
fn every_by_hand() -> Vec<Said> {
    #[derive(Default)]
    struct State(u64, Vec<u64>, BTreeMap<u8, u64>, u64, u64);
    let mut states = BTreeMap::<String, State>::new();
    (0..COUNT)
        .map(|number| {
            let key = key(&number);
            let State(count, recent, by_digit, greatest, sum) = states.entry(key.clone()).or_default();
            *count += 1;
            recent.push(number);
            if *count % 5 == 0 {
                recent.clear();
            }
            *by_digit.entry(digit(number)).or_default() += 1;
            if *count % 7 == 0 {
                by_digit.remove(&digit(number));
            }
            *greatest = (*greatest).max(number % 97);
            *sum += number;
            (key, *count, recent.clone(), by_digit.clone().into_iter().collect(), *greatest, *sum / *count)
        })
        .collect()
}

#[test]
fn every_kind_of_keyed_state() {
    recovers(
        1,
        |env, numbers, ledger| {
            env.source(numbers, in_order())
                .uid("numbers")
                .key_by(key)
                .process(|setup| Every {
                    count: setup.value("count"),
                    recent: setup.list("recent"),
                    by_digit: setup.map("by-digit"),
                    greatest: setup.reducing("greatest", |a: &u64, b: &u64| *a.max(b)),
                    mean: setup.aggregating("mean", Mean),
                })
                .uid("every")
                .sink(ledger.sink())
                .uid("ledger");
        },
        every_by_hand(),
    );
}

#[test]
fn the_shorthands() {
    // For each key: how many, and which is the first of each ten thousandth of the square.
    let mut counts = BTreeMap::<u64, u64>::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut expected = Vec::new();
    for number in 0..COUNT {
        let count = counts.entry(number % 12).or_default();
        *count += 1;
        expected.push((number % 12, *count));
        if seen.insert(number % 51) {
            expected.push((1000 + number % 51, 0));
        }
    }
    recovers(
        1,
        |env, numbers, ledger| {
            let numbers = env.source(numbers, in_order()).uid("numbers");
            let counts = numbers.clone().key_by(|number| number % 12).count().uid("counts");
            // 51 is a multiple of three, so that which one is the first does not depend on chance; all are alike anyway.
            let firsts = numbers.key_by(|number| number % 51).dedup(None).uid("firsts");
            let firsts = firsts.map(|number| (1000 + number % 51, 0));
            counts.union([firsts]).sink(ledger.sink()).uid("ledger");
        },
        expected,
    );
}
