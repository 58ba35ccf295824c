//! The job. What its four versions do is the same but for what each says here; its types are not.
//!
//! | version | against the one before |
//! |---|---|
//! | 0 | |
//! | 1 | total: a field with a default, a wider number; buckets: a wider number |
//! | 2 | total: a field renamed by alias, a wider number; operator `obsolete` is gone, `fresh` is new |
//! | 3 | seen: another type, by a migration |

use std::time::Duration;

use millpond::windows::{Tumbling, WindowResult};
use millpond::{
    CoProcess, Context, Data, Env, EventTime, FileSink, Job, KeyedContext, KeyedProcess, ListState, MapState,
    OperatorListState, Process, StateDescriptor, Stream, Timer, TypedDescriptor, UserError, ValueState,
};
use serde::{Deserialize, Serialize};

use crate::input::{COUNT, amount, is_left, key};
use crate::source::{Gate, Numbers, in_order};

/// How many versions there are.
pub(crate) const VERSIONS: usize = 4;
/// The length of a bucket, and that of a window, in milliseconds.
pub(crate) const BUCKET: u64 = 40;
pub(crate) const WINDOW: u64 = 70;
/// Numbers that are in one block of so many are pairs.
pub(crate) const BLOCK: u64 = 24;
/// How many numbers a subtask holds before it gives them out.
pub(crate) const BUNDLE: usize = 7;
/// The uid of the source.
pub(crate) const SOURCE: &str = "numbers";

/// A line of output: who says it, of which key, what.
pub(crate) type Line = (String, u64, Vec<i64>);

fn line(who: &str, key: u64, what: Vec<i64>) -> Line {
    (who.to_owned(), key, what)
}

/// What differs from version to version.
trait Version: 'static {
    const NUMBER: usize;
    type Total: Data + Default;
    type Seen: Data + Default;
    type Bucket: Data + Default;

    fn add(total: &mut Self::Total, number: u64);
    /// Count, sum and the greatest amount.
    fn total(total: &Self::Total) -> Vec<i64>;
    fn seen_descriptor() -> TypedDescriptor<Self::Seen>;
    /// Counts, and gives what there is: how many, and how many when it was migrated.
    fn see(seen: &mut Self::Seen) -> Vec<i64>;
    fn count(bucket: &mut Self::Bucket);
    fn counted(bucket: Self::Bucket) -> i64;
}

macro_rules! plain_seen {
    () => {
        type Seen = u32;
        fn seen_descriptor() -> TypedDescriptor<u32> {
            StateDescriptor::new("seen").into()
        }
        fn see(seen: &mut u32) -> Vec<i64> {
            *seen += 1;
            vec![i64::from(*seen), 0]
        }
    };
}

macro_rules! bucket {
    ($type:ty) => {
        type Bucket = $type;
        fn count(bucket: &mut $type) {
            *bucket += 1;
        }
        fn counted(bucket: $type) -> i64 {
            bucket as i64
        }
    };
}

macro_rules! total {
    ($type:ty, $sum:ident, $add:expr, $say:expr) => {
        type Total = $type;
        fn add(total: &mut $type, number: u64) {
            total.count += 1;
            total.$sum = total.$sum.saturating_add(amount(number).into());
            $add(total, i64::from(amount(number)));
        }
        fn total(total: &$type) -> Vec<i64> {
            vec![total.count as i64, total.$sum as i64, $say(total)]
        }
    };
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Total0 {
    sum: i32,
    count: u32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Total1 {
    count: u32,
    sum: i64,
    #[serde(default)]
    greatest: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Total2 {
    #[serde(default)]
    greatest: i64,
    #[serde(alias = "sum")]
    total: i64,
    count: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seen {
    count: u64,
    /// How many there were when it was migrated.
    before: u64,
}

struct V0;
impl Version for V0 {
    const NUMBER: usize = 0;
    total!(Total0, sum, |_: &mut Total0, _| (), |_: &Total0| 0);
    plain_seen!();
    bucket!(u16);
}

struct V1;
impl Version for V1 {
    const NUMBER: usize = 1;
    total!(Total1, sum, |t: &mut Total1, n| t.greatest = t.greatest.max(n), |t: &Total1| t.greatest);
    plain_seen!();
    bucket!(u32);
}

struct V2;
impl Version for V2 {
    const NUMBER: usize = 2;
    total!(Total2, total, |t: &mut Total2, n| t.greatest = t.greatest.max(n), |t: &Total2| t.greatest);
    plain_seen!();
    bucket!(u32);
}

struct V3;
impl Version for V3 {
    const NUMBER: usize = 3;
    total!(Total2, total, |t: &mut Total2, n| t.greatest = t.greatest.max(n), |t: &Total2| t.greatest);
    bucket!(u32);

    type Seen = Seen;
    fn seen_descriptor() -> TypedDescriptor<Seen> {
        StateDescriptor::new("seen").migrate(|old: u32| Seen { count: old.into(), before: old.into() })
    }
    fn see(seen: &mut Seen) -> Vec<i64> {
        seen.count += 1;
        vec![seen.count as i64, seen.before as i64]
    }
}

/// A value, a map and timers.
struct Visits<V: Version> {
    seen: ValueState<V::Seen>,
    buckets: MapState<u64, V::Bucket>,
}

impl<V: Version> KeyedProcess<u64, u64> for Visits<V> {
    type Out = Line;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Line, ()>) -> Result<(), UserError> {
        let bucket = number / BUCKET;
        self.buckets.upsert(bucket, V::Bucket::default, V::count);
        context.set_event_timer(EventTime::from_millis(((bucket + 1) * BUCKET) as i64));
        context.emit(line("seen", *context.key(), self.seen.update(V::see)));
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, context: &mut KeyedContext<'_, u64, Line, ()>) -> Result<(), UserError> {
        let bucket = timer.time.as_millis() as u64 / BUCKET - 1;
        let count = self.buckets.remove(&bucket).ok_or("a timer of a bucket that is not there")?;
        context.emit(line("bucket", *context.key(), vec![bucket as i64, V::counted(count)]));
        Ok(())
    }
}

/// Two streams that share state.
struct Pairs {
    left: ListState<u64>,
    right: ListState<u64>,
}

impl Pairs {
    fn pair(number: u64, own: &ListState<u64>, other: &ListState<u64>, mut emit: impl FnMut(u64, u64)) {
        own.add(number);
        other
            .get()
            .into_iter()
            .filter(|other| other / BLOCK == number / BLOCK)
            .for_each(|other| emit(number, other));
    }
}

impl CoProcess<u64, u64, u64> for Pairs {
    type Out = Line;
    type Side = ();

    fn left(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Line, ()>) -> Result<(), UserError> {
        let key = *context.key();
        Pairs::pair(*number, &self.left, &self.right, |left, right| {
            context.emit(line("pair", key, vec![left as i64, right as i64]));
        });
        Ok(())
    }

    fn right(&mut self, number: &u64, context: &mut KeyedContext<'_, u64, Line, ()>) -> Result<(), UserError> {
        let key = *context.key();
        Pairs::pair(*number, &self.right, &self.left, |right, left| {
            context.emit(line("pair", key, vec![left as i64, right as i64]));
        });
        Ok(())
    }
}

/// Holds numbers back, without a key, and gives them out in bundles.
struct Bundles(OperatorListState<u64>);

impl Process<u64> for Bundles {
    type Out = Line;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut Context<'_, Line, ()>) -> Result<(), UserError> {
        self.0.add(*number);
        if self.0.get().len() >= BUNDLE {
            self.release(context);
        }
        Ok(())
    }

    fn on_watermark(
        &mut self,
        watermark: EventTime,
        context: &mut Context<'_, Line, ()>,
    ) -> Result<(), UserError> {
        if watermark == EventTime::MAX {
            self.release(context);
        }
        Ok(())
    }
}

impl Bundles {
    fn release(&self, context: &mut Context<'_, Line, ()>) {
        self.0.get().into_iter().for_each(|number| context.emit(line("bundle", 0, vec![number as i64])));
        self.0.set(Vec::new());
    }
}

fn define<V: Version>(env: &Env<'_>, gate: &Gate, output: &std::path::Path) {
    let numbers = env.source(Numbers { count: COUNT, gate: gate.clone() }, in_order()).uid(SOURCE);
    let keyed = || numbers.clone().key_by(key);
    let totals = keyed()
        .fold(|total: &mut V::Total, number| V::add(total, *number))
        .uid("totals")
        .map(|(key, total)| line("total", *key, V::total(total)));
    let visits = keyed()
        .process(|setup| Visits::<V> { seen: setup.value(V::seen_descriptor()), buckets: setup.map("buckets") })
        .uid("visits");
    let windows = keyed()
        .window(Tumbling::of(Duration::from_millis(WINDOW)))
        .fold(|sum: &mut i64, number| *sum += i64::from(amount(*number)))
        .uid("windows")
        .map(|result: &WindowResult<u64, i64>| {
            line("window", result.key, vec![result.window.start.as_millis(), result.value])
        });
    let side = |left: bool| numbers.clone().filter(move |number| is_left(number) == left).key_by(key);
    let pairs = side(true)
        .connect(side(false))
        .process(|setup| Pairs { left: setup.list("left"), right: setup.list("right") })
        .uid("pairs");
    let bundles = numbers.clone().rebalance().process(|setup| Bundles(setup.list("held"))).uid("bundles");
    let counted = |uid: &'static str| -> Stream<'_, Line> {
        keyed().count().uid(uid).map(move |(key, count)| line(uid, *key, vec![*count as i64]))
    };
    let last = if V::NUMBER < 2 { counted("obsolete") } else { counted("fresh") };
    totals
        .union([visits, windows, pairs, bundles, last])
        .sink(FileSink::json_lines(output).follow_history(true))
        .uid("lines");
}

/// A version of the job, which reads as far as `gate` lets it.
pub(crate) fn job(version: usize, gate: &Gate, output: &std::path::Path) -> Job {
    let define = [define::<V0>, define::<V1>, define::<V2>, define::<V3>][version];
    let (gate, output) = (gate.clone(), output.to_owned());
    Job::new("main", move |env| {
        define(env, &gate, &output);
        Ok(())
    })
}
