//! What windows and joins keep, through a change of types in the middle of them: by field name and by a migration, at
//! another parallelism. What both programs say together is what the input amounts to.

use std::collections::BTreeMap;
use std::time::Duration;

use millpond::windows::{Purging, Session, Sliding, Tumbling, WhenComplete, WindowAssigner};
use millpond::{Aggregate, Collect, Data, Job, RunEnd, StateDescriptor, Stream, TimeOffset, TypedDescriptor};
use serde::{Deserialize, Serialize};

use crate::source::{Gate, Numbers, in_order};
use crate::support::{fresh_store, options, wait};

const COUNT: u64 = 600;
/// In the middle of a tumbling window, of two sliding ones, and of a session.
const HALF: u64 = 340;
const KEYS: u64 = 5;
/// Every second stretch of so many milliseconds is empty.
const STRETCH: u64 = 40;

/// Key, moment, numbers.
type Line = (u64, i64, Vec<u64>);

fn is_there(n: u64) -> bool {
    (n / STRETCH).is_multiple_of(2)
}

fn numbers() -> impl Iterator<Item = u64> + Clone {
    (0..COUNT).filter(|n| is_there(*n))
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A record, whatever its type.
trait Event: Data {
    fn of(number: &u64) -> Self;
    fn number(&self) -> u64;
}

impl Event for u32 {
    fn of(number: &u64) -> Self {
        *number as u32
    }
    fn number(&self) -> u64 {
        u64::from(*self)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Old {
    n: u32,
    gone: String,
}

impl Event for Old {
    fn of(number: &u64) -> Self {
        Old { n: *number as u32, gone: "gone".to_owned() }
    }
    fn number(&self) -> u64 {
        u64::from(self.n)
    }
}

/// Takes up [`Old`] by name, and a plain number through a migration.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct New {
    #[serde(default)]
    note: Option<String>,
    #[serde(alias = "n")]
    number: u64,
}

impl Event for New {
    fn of(number: &u64) -> Self {
        New { note: Some("new".to_owned()), number: *number }
    }
    fn number(&self) -> u64 {
        self.number
    }
}

fn from_number(old: u32) -> New {
    New { note: None, number: u64::from(old) }
}

/// Sums up, in an accumulator of its own type.
struct Sum<A>(fn() -> A, fn(&mut A, u64), fn(&A) -> u64);

impl<E: Event, A: Data> Aggregate<E> for Sum<A> {
    type Accumulator = A;
    type Output = u64;
    fn create(&self) -> A {
        (self.0)()
    }
    fn add(&self, sum: &mut A, event: &E) {
        (self.1)(sum, event.number());
    }
    fn merge(&self, sum: &mut A, other: &A) {
        (self.1)(sum, (self.2)(other));
    }
    fn result(&self, sum: &A) -> u64 {
        (self.2)(sum)
    }
}

fn old_sum() -> Sum<Old> {
    Sum(|| Old::of(&0), |sum, n| sum.n += n as u32, |sum| u64::from(sum.n))
}
fn plain_sum() -> Sum<u32> {
    Sum(|| 0, |sum, n| *sum += n as u32, |sum| u64::from(*sum))
}
fn new_sum() -> Sum<New> {
    Sum(|| New::of(&0), |sum, n| sum.number += n, |sum| sum.number)
}

/// What a program makes of two streams of the same numbers.
type Program = for<'s> fn(Stream<'s, u64>, Stream<'s, u64>) -> Stream<'s, Line>;

fn job(program: Program, gate: &Gate, out: &Collect<Line>) -> Job {
    let (gate, out) = (gate.clone(), out.clone());
    Job::new("evolving", move |env| {
        let source = |uid| {
            let numbers = Numbers { count: COUNT, gate: gate.clone() };
            env.source(numbers, in_order()).uid(uid).filter(|n| is_there(*n))
        };
        program(source("left"), source("right"))
            .map(|(key, at, numbers): &Line| {
                let mut numbers = numbers.clone();
                numbers.sort_unstable();
                (*key, *at, numbers)
            })
            .sink(out.sink())
            .uid("out");
        Ok(())
    })
}

/// Runs one program to the middle and the other from there; both together say just what is expected.
fn evolves(old: Program, new: Program, mut expected: Vec<Line>) {
    expected.sort();
    assert!(!expected.is_empty(), "nothing is expected");
    said_by_both(old, new, |said, first| {
        assert!(first < expected.len(), "all is said before the program is changed");
        assert_eq!(said, expected);
    });
}

/// What both say, sorted, and how many lines of it the first said.
fn said_by_both(old: Program, new: Program, check: impl Fn(Vec<Line>, usize)) {
    for (before, after) in [(1, 3), (3, 2)] {
        let (store, gate, out) = (fresh_store(), Gate::default(), Collect::new());
        let running = job(old, &gate, &out).start(options(&store, before, None)).unwrap();
        gate.open(HALF);
        wait("the first half", || running.records_read() >= 2 * HALF);
        let RunEnd::Stopped(from) = running.stop(false).unwrap().end else { panic!("it did not stop") };
        let first = out.items().len();
        gate.open(COUNT);
        let mut told = options(&store, after, Some(from));
        told.allow_non_restored = false;
        job(new, &gate, &out).run(told).unwrap();
        let mut said = out.items();
        said.sort();
        eprintln!("{before} workers, then {after}");
        check(said, first);
    }
}

/// The numbers of each key and window, by brute force.
fn windows(assigner: Kind) -> BTreeMap<(u64, i64), Vec<u64>> {
    let mut windows = BTreeMap::<(u64, i64), Vec<u64>>::new();
    for n in numbers() {
        let starts: Vec<i64> = match assigner {
            Kind::Tumbling => vec![(n / 70 * 70) as i64],
            Kind::Sliding => (-60..=n as i64).filter(|start| start % 30 == 0 && start + 60 > n as i64).collect(),
            // A stretch, from its first number of the key.
            Kind::Session => {
                vec![numbers().find(|m| m / STRETCH == n / STRETCH && m % KEYS == n % KEYS).unwrap() as i64]
            }
        };
        for start in starts {
            windows.entry((n % KEYS, start)).or_default().push(n);
        }
    }
    windows
}

#[derive(Clone, Copy)]
enum Kind {
    Tumbling,
    Sliding,
    Session,
}

impl From<Kind> for WindowAssigner {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Tumbling => Tumbling::of(ms(70)).into(),
            Kind::Sliding => Sliding::of(ms(60), ms(30)).into(),
            Kind::Session => Session::gap(ms(10)).into(),
        }
    }
}

fn all_of(kind: Kind) -> Vec<Line> {
    windows(kind).into_iter().map(|((key, start), numbers)| (key, start, numbers)).collect()
}

fn sums_of(kind: Kind) -> Vec<Line> {
    all_of(kind).into_iter().map(|(key, start, numbers)| (key, start, vec![numbers.iter().sum()])).collect()
}

/// The records of each window.
fn processed<'s, E: Event>(
    numbers: Stream<'s, u64>,
    kind: Kind,
    state: Option<TypedDescriptor<E>>,
) -> Stream<'s, Line> {
    let windows = numbers.map(E::of).key_by(|event: &E| event.number() % KEYS).window(kind);
    let all = |_: &u64, _, events: &[E]| Ok([events.iter().map(E::number).collect::<Vec<_>>()]);
    let results = match state {
        Some(state) => windows.process_as(state, all),
        None => windows.process(all),
    };
    results.uid("windows").map(|result| (result.key, result.window.start.as_millis(), result.value.clone()))
}

/// The sum of each window.
fn summed<'s, A: Data>(
    numbers: Stream<'s, u64>,
    kind: Kind,
    sum: Sum<A>,
    state: Option<TypedDescriptor<A>>,
) -> Stream<'s, Line> {
    let windows = numbers.map(u32::of).key_by(|event: &u32| event.number() % KEYS).window(kind);
    let results = match state {
        Some(state) => windows.aggregate_as(state, sum),
        None => windows.aggregate(sum),
    };
    results.uid("windows").map(|result| (result.key, result.window.start.as_millis(), vec![result.value]))
}

/// Both ways for one kind of window.
macro_rules! for_each_kind {
    ($($name:ident $kind:ident $state:literal;)*) => {$(
        mod $name {
            use super::*;

            fn migrating() -> Option<TypedDescriptor<New>> {
                Some(StateDescriptor::new($state).migrate(from_number))
            }

            #[test]
            fn records_by_name() {
                let old: Program = |numbers, _| processed::<Old>(numbers, Kind::$kind, None);
                let new: Program = |numbers, _| processed::<New>(numbers, Kind::$kind, None);
                evolves(old, new, all_of(Kind::$kind));
            }

            #[test]
            fn records_by_a_migration() {
                let old: Program = |numbers, _| processed::<u32>(numbers, Kind::$kind, None);
                let new: Program = |numbers, _| processed::<New>(numbers, Kind::$kind, migrating());
                evolves(old, new, all_of(Kind::$kind));
            }

            #[test]
            fn accumulators_by_name() {
                let old: Program = |numbers, _| summed(numbers, Kind::$kind, old_sum(), None);
                let new: Program = |numbers, _| summed(numbers, Kind::$kind, new_sum(), None);
                evolves(old, new, sums_of(Kind::$kind));
            }

            #[test]
            fn accumulators_by_a_migration() {
                let old: Program = |numbers, _| summed(numbers, Kind::$kind, plain_sum(), None);
                let new: Program = |numbers, _| summed(numbers, Kind::$kind, new_sum(), migrating());
                evolves(old, new, sums_of(Kind::$kind));
            }
        }
    )*};
}

for_each_kind! {
    tumbling Tumbling "windows";
    sliding Sliding "windows";
    sessions Session "sessions";
}

/// Sums of windows that overlap, with the size of the window in what stands for its moment.
fn overlapping<'s>(numbers: Stream<'s, u64>, size: u64, slide: u64) -> Stream<'s, Line> {
    let windows = numbers.map(u32::of).key_by(|event: &u32| event.number() % KEYS);
    let sums = windows.window(Sliding::of(ms(size), ms(slide))).aggregate(plain_sum());
    sums.uid("windows").map(|result| {
        let (start, end) = (result.window.start.as_millis(), result.window.end.as_millis());
        (result.key, start * 1_000 + end - start, vec![result.value])
    })
}

/// The sums of the windows that one program began, and the other, or both.
fn sums_of_two(old: (u64, u64), new: (u64, u64)) -> Vec<Line> {
    let mut sums = BTreeMap::<(u64, i64), u64>::new();
    for n in numbers() {
        let (size, slide) = if n < HALF { old } else { new };
        let (size, slide, at) = (size as i64, slide as i64, n as i64);
        for start in (at - size + 1..=at).filter(|start| start.rem_euclid(slide) == 0) {
            *sums.entry((n % KEYS, start * 1_000 + size)).or_default() += n;
        }
    }
    sums.into_iter().map(|((key, at), sum)| (key, at, vec![sum])).collect()
}

#[test]
fn windows_that_overlap_live_on_beside_those_of_another_size_or_slide() {
    let begun: Program = |numbers, _| overlapping(numbers, 60, 30);
    evolves(begun, |numbers, _| overlapping(numbers, 90, 30), sums_of_two((60, 30), (90, 30)));
    evolves(begun, |numbers, _| overlapping(numbers, 60, 20), sums_of_two((60, 30), (60, 20)));
    // These do not consist of slices.
    evolves(begun, |numbers, _| overlapping(numbers, 60, 25), sums_of_two((60, 30), (60, 25)));
}

#[test]
fn windows_that_overlap_go_on_with_another_trigger() {
    fn watched<'s>(numbers: Stream<'s, u64>) -> Stream<'s, Line> {
        let windows = numbers.map(u32::of).key_by(|event: &u32| event.number() % KEYS).window(Kind::Sliding);
        let sums = windows.trigger(Purging::of(WhenComplete)).aggregate(plain_sum()).uid("windows");
        sums.map(|result| (result.key, result.window.start.as_millis(), vec![result.value]))
    }
    // In slices, and whole, as older versions kept them.
    let plain: Program = |numbers, _| summed(numbers, Kind::Sliding, plain_sum(), None);
    evolves(plain, |numbers, _| watched(numbers), sums_of(Kind::Sliding));
    evolves(|numbers, _| watched(numbers), plain, sums_of(Kind::Sliding));
}

#[test]
fn what_a_reduce_and_a_fold_keep_is_migrated_too() {
    fn reduced<'s, E: Event>(numbers: Stream<'s, u64>, state: TypedDescriptor<E>) -> Stream<'s, Line> {
        let windows = numbers.map(E::of).key_by(|event: &E| event.number() % KEYS).window(Kind::Session);
        // The greatest: the key of a sum would be another.
        let greatest =
            windows.reduce_as(state, |a: &E, b| if a.number() > b.number() { a.clone() } else { b.clone() });
        greatest.uid("windows").map(|r| (r.key, r.window.start.as_millis(), vec![r.value.number()]))
    }
    let greatest = |(key, start, numbers): Line| (key, start, vec![numbers.into_iter().max().unwrap()]);
    let expected: Vec<Line> = all_of(Kind::Session).into_iter().map(greatest).collect();
    let old: Program = |numbers, _| reduced::<u32>(numbers, "sessions".into());
    let new: Program = |numbers, _| reduced::<New>(numbers, StateDescriptor::new("sessions").migrate(from_number));
    evolves(old, new, expected);

    let old: Program = |numbers, _| {
        let windows = numbers.key_by(|n| n % KEYS).window(Kind::Tumbling);
        let sums = windows.fold(|sum: &mut u32, n| *sum += *n as u32);
        sums.uid("windows").map(|r| (r.key, r.window.start.as_millis(), vec![u64::from(r.value)]))
    };
    let new: Program = |numbers, _| {
        let windows = numbers.key_by(|n| n % KEYS).window(Kind::Tumbling);
        let state = StateDescriptor::new("windows").migrate(|old: u32| vec![u64::from(old)]);
        let sums = windows.fold_as(state, |all: &mut Vec<u64>, n| all.push(*n));
        sums.uid("windows").map(|r| (r.key, r.window.start.as_millis(), vec![r.value.iter().sum()]))
    };
    evolves(old, new, sums_of(Kind::Tumbling));
}

#[test]
fn windows_of_keys_that_become_one_become_one() {
    // Ten keys, and then five: the old ones say their windows first.
    let old: Program = |numbers, _| {
        let windows = numbers.key_by(|n| n % (2 * KEYS)).window(Kind::Tumbling);
        windows.count().uid("windows").map(|r| (r.key, r.window.start.as_millis(), vec![r.value]))
    };
    let new: Program = |numbers, _| {
        let keyed = numbers.key_by(|n| format!("key {}", n % KEYS));
        let windows = keyed.migrate_key(|old: u64| format!("key {}", old % KEYS)).window(Kind::Tumbling);
        windows
            .count()
            .uid("windows")
            .map(|r| (r.key["key ".len()..].parse().unwrap(), r.window.start.as_millis(), vec![r.value]))
    };
    let mut expected = BTreeMap::<(u64, i64), u64>::new();
    numbers().for_each(|n| *expected.entry((n % KEYS, (n / 70 * 70) as i64)).or_default() += 1);
    said_by_both(old, new, |said, _| {
        let mut found = BTreeMap::<(u64, i64), u64>::new();
        said.iter().for_each(|(key, start, n)| *found.entry((key % KEYS, *start)).or_default() += n[0]);
        assert_eq!(found, expected);
        // The one that was open when the keys became one.
        let open = said.iter().filter(|(_, start, _)| *start == (HALF / 70 * 70) as i64);
        assert_eq!(open.map(|(key, ..)| *key).collect::<Vec<_>>(), (0..KEYS).collect::<Vec<_>>());
    });
}

/// The pairs of an interval join, by brute force.
fn near() -> Vec<Line> {
    let pairs = numbers().flat_map(|left| {
        numbers()
            .map(move |right| (left, right))
            .filter(|(left, right)| left % KEYS == right % KEYS && *right + 10 >= *left && *right <= *left + 15)
    });
    pairs.map(|(left, right)| (left % KEYS, left as i64, vec![left.min(right), left.max(right)])).collect()
}

fn interval_join<'s, L: Event, R: Event>(
    left: Stream<'s, u64>,
    right: Stream<'s, u64>,
    prepare: impl FnOnce(
        millpond::joins::BoundedIntervalJoin<'s, u64, L, R>,
    ) -> millpond::joins::BoundedIntervalJoin<'s, u64, L, R>,
) -> Stream<'s, Line> {
    let left = left.map(L::of).key_by(|event: &L| event.number() % KEYS);
    let right = right.map(R::of).key_by(|event: &R| event.number() % KEYS);
    let join = left.interval_join(right).between(TimeOffset::Before(ms(10)), TimeOffset::After(ms(15)));
    let pair =
        |left: &L, right: &R| (left.number() % KEYS, left.number() as i64, vec![left.number(), right.number()]);
    prepare(join).process(pair).uid("join")
}

#[test]
fn records_of_an_interval_join_by_name() {
    let old: Program = |left, right| interval_join::<Old, u32>(left, right, |join| join);
    let new: Program = |left, right| interval_join::<New, u32>(left, right, |join| join);
    evolves(old, new, near());
}

#[test]
fn records_of_an_interval_join_by_a_migration_of_each_side() {
    let old: Program = |left, right| interval_join::<u32, u32>(left, right, |join| join);
    let new: Program = |left, right| {
        interval_join::<New, New>(left, right, |join| join.migrate_left(from_number).migrate_right(from_number))
    };
    evolves(old, new, near());
}

fn window_join<'s, L: Event, R: Event>(
    left: Stream<'s, u64>,
    right: Stream<'s, u64>,
    kind: Kind,
    prepare: impl FnOnce(millpond::joins::WindowedJoin<'s, u64, L, R>) -> millpond::joins::WindowedJoin<'s, u64, L, R>,
) -> Stream<'s, Line> {
    let left = left.map(L::of).key_by(|event: &L| event.number() % KEYS);
    let right = right.map(R::of).key_by(|event: &R| event.number() % KEYS);
    let all = |_: &u64, _, left: &[L], right: &[R]| {
        Ok([left.iter().map(L::number).chain(right.iter().map(R::number)).collect::<Vec<_>>()])
    };
    let joined = prepare(left.join(right).window(kind)).co_group(all).uid("join");
    joined.map(|result| (result.key, result.window.start.as_millis(), result.value.clone()))
}

/// Each number twice: once of each side.
fn groups(kind: Kind) -> Vec<Line> {
    all_of(kind)
        .into_iter()
        .map(|(key, start, n)| (key, start, n.iter().flat_map(|n| [*n, *n]).collect()))
        .collect()
}

#[test]
fn records_of_a_window_join_by_name() {
    let old: Program = |left, right| window_join::<Old, Old>(left, right, Kind::Tumbling, |join| join);
    let new: Program = |left, right| window_join::<New, New>(left, right, Kind::Tumbling, |join| join);
    evolves(old, new, groups(Kind::Tumbling));
    let old: Program = |left, right| window_join::<u32, Old>(left, right, Kind::Session, |join| join);
    let new: Program = |left, right| window_join::<u32, New>(left, right, Kind::Session, |join| join);
    evolves(old, new, groups(Kind::Session));
}

#[test]
fn records_of_a_window_join_by_a_migration() {
    let old: Program = |left, right| window_join::<u32, u32>(left, right, Kind::Sliding, |join| join);
    let new: Program = |left, right| {
        window_join::<New, New>(left, right, Kind::Sliding, |join| join.migrate(from_number, from_number))
    };
    evolves(old, new, groups(Kind::Sliding));
    let old: Program = |left, right| window_join::<u32, u32>(left, right, Kind::Session, |join| join);
    let new: Program = |left, right| {
        window_join::<New, u32>(left, right, Kind::Session, |join| join.migrate(from_number, |old: u32| old))
    };
    evolves(old, new, groups(Kind::Session));
}

#[test]
fn what_windows_keep_has_no_time_to_live_of_its_own() {
    let program: Program = |numbers, _| {
        let state = StateDescriptor::new("windows").ttl(millpond::Ttl::new(ms(1)));
        processed::<u32>(numbers, Kind::Tumbling, Some(state.into()))
    };
    let error = job(program, &Gate::default(), &Collect::new()).run(options(&fresh_store(), 1, None));
    let error = error.expect_err("it must not start").to_string();
    assert!(error.contains("leave out the time to live"), "{error}");
}
