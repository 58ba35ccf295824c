//! All kinds of state at once: lists and maps of a key, timers, state that belongs to no key. The program is changed in
//! the middle of its input; what both programs say together is what the input amounts to.

use std::collections::BTreeMap;

use millpond::{
    BroadcastProcess, BroadcastState, Collect, Context, EventTime, Job, KeyedContext, ListState, MapState,
    OperatorListState, Process, ReducingState, RunEnd, StateDescriptor, Timer, UserError,
};
use serde::{Deserialize, Serialize};

use crate::source::{Gate, Numbers, SPLITS, in_order};
use crate::support::{fresh_store, options, wait};

const COUNT: u64 = 600;
const HALF: u64 = 300;
/// The length of a bucket in milliseconds of event time; one is open when the program is changed.
const BUCKET: u64 = 70;
/// The keys of the old program, and how many of them become one.
const OLD_KEYS: u64 = 12;
const NEW_KEYS: u64 = 4;

/// Key, bucket, what the numbers of it come to.
type Sum = (u64, u64, u64);

/// What the programs do is the same; only their types differ.
macro_rules! program {
    ($module:ident, key $key:ty, key_of $key_of:expr, number_of $number_of:expr, bucket $bucket:ty, total $total:ty,
     element $element:ty, element_of $element_of:expr, rule_key $rule_key:ty, rule $rule:ty, rule_of $rule_of:expr) => {
        mod $module {
            use super::*;

            pub(super) struct Buckets {
                pub(super) sums: MapState<$bucket, $total>,
                pub(super) all: ListState<$element>,
                pub(super) greatest: ReducingState<$total>,
                pub(super) rules: BroadcastState<$rule_key, $rule>,
                pub(super) sum_of: fn(&$total) -> u64,
                pub(super) rules_of: fn(&BroadcastState<$rule_key, $rule>) -> u64,
                pub(super) all_of: fn(&ListState<$element>) -> u64,
                pub(super) add: fn(&mut $total, u64),
                pub(super) zero: fn() -> $total,
            }

            impl BroadcastProcess<$key, u64, u64> for Buckets {
                type Out = (String, Sum);
                type Side = ();

                fn process(
                    &mut self,
                    number: &u64,
                    context: &mut KeyedContext<'_, $key, Self::Out, ()>,
                ) -> Result<(), UserError> {
                    let bucket = number / BUCKET;
                    let (zero, add) = (self.zero, self.add);
                    self.sums.upsert(bucket as $bucket, zero, |sum| add(sum, *number));
                    self.all.add($element_of(*number));
                    let mut alone = zero();
                    add(&mut alone, *number);
                    self.greatest.add(alone);
                    context.set_event_timer(EventTime::from_millis(((bucket + 1) * BUCKET) as i64));
                    context.set_event_timer(EventTime::from_millis(COUNT as i64 * 2));
                    Ok(())
                }

                fn broadcast(&mut self, rule: &u64, _: &mut Context<'_, Self::Out, ()>) -> Result<(), UserError> {
                    let (key, rule) = $rule_of(*rule);
                    Ok(self.rules.insert(key, rule)?)
                }

                fn on_timer(
                    &mut self,
                    timer: Timer,
                    context: &mut KeyedContext<'_, $key, Self::Out, ()>,
                ) -> Result<(), UserError> {
                    let key: u64 = $number_of(context.key());
                    let time = timer.time.as_millis() as u64;
                    if time == COUNT * 2 {
                        let greatest = self.greatest.get().map_or(0, |sum| (self.sum_of)(&sum));
                        context.emit(("all".to_owned(), (key, 0, (self.all_of)(&self.all))));
                        context.emit(("greatest".to_owned(), (key, 0, greatest)));
                        context.emit(("rules".to_owned(), (key, 0, (self.rules_of)(&self.rules))));
                        return Ok(());
                    }
                    let bucket = time / BUCKET - 1;
                    let sum =
                        self.sums.remove(&(bucket as $bucket)).ok_or("a timer of a bucket that is not there")?;
                    context.emit(("sum".to_owned(), (key, bucket, (self.sum_of)(&sum))));
                    Ok(())
                }
            }

            pub(super) fn key(number: &u64) -> $key {
                $key_of(*number)
            }
        }
    };
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Total {
    sum: u64,
    #[serde(default)]
    count: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OldTotal {
    sum: u32,
    spare: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Element {
    number: i64,
}

program!(before, key u64, key_of |n: u64| n % OLD_KEYS, number_of |key: &u64| *key, bucket u16, total OldTotal,
    element u32, element_of |n: u64| n as u32, rule_key u8, rule i32, rule_of |n: u64| ((n % 10) as u8, 100 + (n % 10) as i32));
program!(after, key String, key_of |n: u64| format!("key {}", n % NEW_KEYS),
    number_of |key: &String| key["key ".len()..].parse().unwrap(), bucket u32, total Total,
    element Element, element_of |n: u64| Element { number: n as i64 }, rule_key String, rule i64,
    rule_of |n: u64| ((n % 10).to_string(), 100 + (n % 10) as i64));

fn is_rule(number: &u64) -> bool {
    number % 20 < 5
}

fn old_job(gate: &Gate, out: &Collect<(String, Sum)>) -> Job {
    let (gate, out) = (gate.clone(), out.clone());
    Job::new("evolving", move |env| {
        let numbers = || Numbers { count: COUNT, gate: gate.clone() };
        let rules = env.source(numbers(), in_order()).uid("rules").filter(is_rule);
        env.source(numbers(), in_order())
            .uid("numbers")
            .key_by(before::key)
            .connect_broadcast(rules)
            .process(|setup| before::Buckets {
                sums: setup.map("sums"),
                all: setup.list("all"),
                greatest: setup
                    .reducing("greatest", |a: &OldTotal, b| if a.sum > b.sum { a.clone() } else { b.clone() }),
                rules: setup.operator_states().broadcast("rules"),
                sum_of: |total| u64::from(total.sum),
                rules_of: |rules| rules.entries().iter().map(|(_, rule)| *rule as u64).sum(),
                all_of: |all| all.get().into_iter().map(u64::from).sum(),
                add: |total, n| total.sum += n as u32,
                zero: || OldTotal { sum: 0, spare: None },
            })
            .uid("buckets")
            .sink(out.sink())
            .uid("out");
        Ok(())
    })
}

fn new_job(gate: &Gate, out: &Collect<(String, Sum)>) -> Job {
    let (gate, out) = (gate.clone(), out.clone());
    Job::new("evolving", move |env| {
        let numbers = || Numbers { count: COUNT, gate: gate.clone() };
        let rules = env.source(numbers(), in_order()).uid("rules").filter(is_rule);
        let merge = |mut a: Total, b: Total| {
            a.sum += b.sum;
            a
        };
        env.source(numbers(), in_order())
            .uid("numbers")
            .key_by(after::key)
            .migrate_key(|old: u64| format!("key {}", old % NEW_KEYS))
            .connect_broadcast(rules)
            .process(|setup| after::Buckets {
                sums: setup.map(StateDescriptor::new("sums").merge(merge)),
                all: setup
                    .list(StateDescriptor::new("all").migrate(|old: u32| Element { number: i64::from(old) })),
                greatest: setup
                    .reducing("greatest", |a: &Total, b| if a.sum > b.sum { a.clone() } else { b.clone() }),
                rules: setup.operator_states().broadcast(
                    StateDescriptor::new("rules").migrate_map_key(|old: u8| old.to_string(), |_: i64, b| b),
                ),
                sum_of: |total| total.sum,
                rules_of: |rules| rules.entries().iter().map(|(_, rule)| *rule as u64).sum(),
                all_of: |all| all.get().into_iter().map(|element| element.number as u64).sum(),
                add: |total, n| total.sum += n,
                zero: || Total { sum: 0, count: 0 },
            })
            .uid("buckets")
            .sink(out.sink())
            .uid("out");
        Ok(())
    })
}

#[test]
fn keys_that_become_one_take_all_their_state_and_their_timers_along() {
    for (old, new) in [(1, 2), (3, 2), (2, 3)] {
        let (store, gate) = (fresh_store(), Gate::default());
        // One for both: what the old program had prepared when it stopped, the new one commits once more.
        let out = Collect::new();
        let running = old_job(&gate, &out).start(options(&store, old, None)).unwrap();
        gate.open(HALF);
        wait("the first half", || running.records_read() >= 2 * HALF);
        let RunEnd::Stopped(from) = running.stop(false).unwrap().end else { panic!("it did not stop") };
        let first = out.items();
        gate.open(COUNT);
        new_job(&gate, &out).run(options(&store, new, Some(from))).unwrap();

        let second = out.items().split_off(first.len());
        assert!(first.iter().all(|(what, _)| what == "sum") && !first.is_empty());
        let mut sums = BTreeMap::<(u64, u64), u64>::new();
        let mut lines = BTreeMap::<(u64, u64), u64>::new();
        for (what, (key, bucket, sum)) in first.into_iter().chain(second.clone()).filter(|(what, _)| what == "sum")
        {
            assert_eq!(what, "sum");
            *sums.entry((key % NEW_KEYS, bucket)).or_default() += sum;
        }
        for (_, (key, bucket, _)) in second.iter().filter(|(what, _)| what == "sum") {
            *lines.entry((*key, *bucket)).or_default() += 1;
        }
        let mut expected = BTreeMap::<(u64, u64), u64>::new();
        (0..COUNT).for_each(|n| *expected.entry((n % NEW_KEYS, n / BUCKET)).or_default() += n);
        assert_eq!(sums, expected, "{old} workers, then {new}");
        assert!(lines.values().all(|count| *count == 1), "a timer fired twice: {lines:?}");
        assert!(lines.contains_key(&(0, HALF / BUCKET)), "no bucket was open when the program was changed");

        let said = |what: &str| {
            let mut said: Vec<_> =
                second.iter().filter(|(said, _)| said == what).map(|(_, (key, _, n))| (*key, *n)).collect();
            said.sort_unstable();
            said
        };
        let per_key = |of: fn(Vec<u64>) -> u64| -> Vec<(u64, u64)> {
            (0..NEW_KEYS).map(|key| (key, of((0..COUNT).filter(|n| n % NEW_KEYS == key).collect()))).collect()
        };
        assert_eq!(said("all"), per_key(|numbers| numbers.into_iter().sum()));
        assert_eq!(said("greatest"), per_key(|numbers| numbers.into_iter().max().unwrap()));
        let mut rules = BTreeMap::new();
        (0..COUNT).filter(is_rule).for_each(|n| {
            // Of two subtasks nobody can say whose rule comes last: rules of one key are the same.
            rules.insert(n % 10, 100 + n % 10);
        });
        let rules: u64 = rules.values().sum();
        assert_eq!(said("rules"), (0..NEW_KEYS).map(|key| (key, rules)).collect::<Vec<_>>());
    }
}

/// Keeps what it sees until the end of time.
struct Kept<T, F> {
    kept: OperatorListState<T>,
    known: OperatorListState<T>,
    make: fn(u64) -> T,
    show: F,
}

impl<T: millpond::StateValue, F: Fn(T) -> (u64, String) + 'static> Process<u64> for Kept<T, F> {
    type Out = (u64, String);
    type Side = ();

    fn process(&mut self, number: &u64, _: &mut Context<'_, Self::Out, ()>) -> Result<(), UserError> {
        self.kept.add((self.make)(*number));
        if *number == 0 {
            self.known.add((self.make)(1000));
        }
        Ok(())
    }

    fn on_watermark(
        &mut self,
        time: EventTime,
        context: &mut Context<'_, Self::Out, ()>,
    ) -> Result<(), UserError> {
        if time == EventTime::MAX {
            let all = self.kept.get().into_iter().chain(self.known.get());
            all.for_each(|element| context.emit((self.show)(element)));
        }
        Ok(())
    }
}

#[test]
fn lists_that_belong_to_no_key_follow_the_same_rules() {
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct Old {
        number: u32,
        gone: bool,
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct New {
        #[serde(alias = "number")]
        n: i64,
        #[serde(default)]
        note: String,
    }
    let (store, gate) = (fresh_store(), Gate::default());
    let job = |new: bool, out: &Collect<(u64, String)>| {
        let (gate, out) = (gate.clone(), out.clone());
        Job::new("evolving", move |env| {
            let numbers = Numbers { count: COUNT, gate: gate.clone() };
            let numbers = env.source(numbers, in_order()).uid("numbers").rebalance();
            let kept = if new {
                numbers.process(|setup| Kept {
                    kept: setup.list("kept"),
                    // The one by name, the other by a function.
                    known: setup.union(
                        StateDescriptor::new("known")
                            .migrate(|old: Old| New { n: i64::from(old.number) + 1, note: "migrated".to_owned() }),
                    ),
                    make: |n| New { n: n as i64, note: "new".to_owned() },
                    show: |element: New| (element.n as u64, element.note),
                })
            } else {
                numbers.process(|setup| Kept {
                    kept: setup.list("kept"),
                    known: setup.union("known"),
                    make: |n| Old { number: n as u32, gone: true },
                    show: |element: Old| (u64::from(element.number), element.gone.to_string()),
                })
            };
            kept.uid("kept").sink(out.sink()).uid("out");
            Ok(())
        })
    };
    let (first, second) = (Collect::new(), Collect::new());
    let running = job(false, &first).start(options(&store, 2, None)).unwrap();
    gate.open(HALF);
    wait("the first half", || running.records_read() >= HALF);
    let RunEnd::Stopped(from) = running.stop(false).unwrap().end else { panic!("it did not stop") };
    gate.open(COUNT);
    job(true, &second).run(options(&store, 3, Some(from))).unwrap();
    let mut found = second.items();
    found.sort();
    let mut expected: Vec<(u64, String)> =
        (0..COUNT).map(|n| (n, if n < HALF { "" } else { "new" }.to_owned())).collect();
    // Whole to each of three.
    expected.extend(vec![(1001, "migrated".to_owned()); 3]);
    assert_eq!(found, expected);
    const { assert!(SPLITS > 1, "the numbers come from several splits") };
}
