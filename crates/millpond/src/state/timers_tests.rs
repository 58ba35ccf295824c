//! Timers against a set of them: whatever order they are set, taken back, fired, copied and restored in.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use arrow_array::RecordBatch;
use millpond_snapshot::hash::{HashRange, key_hash};
use proptest::prelude::*;

use super::codec;
use super::keyed::KeyedStates;
use super::keyed::copy::CopiedRows;
use super::setup::KeyedSetup;
use super::timers::TimerStore;
use crate::time::EventTime;

/// Timers by key, then time.
type Model = BTreeSet<(u64, i64)>;

#[derive(Clone, Debug)]
enum Step {
    /// Each key sets a timer, or takes one back.
    Batch(Vec<(u64, i64, bool)>),
    /// So much time passes. A timer that fires at a moment that the number divides sets another, so much later.
    Fire(i64, i64, i64),
    /// Keys set and take back timers of one moment again and again.
    Waver(i64),
    /// The end of an epoch, and whether the snapshot takes everything.
    Freeze(bool),
    /// So many rows are copied.
    Slice(usize),
    /// A start from the newest snapshot.
    Restore,
}

const KEYS: u64 = 12;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((0..KEYS, 0..40_i64, prop::bool::weighted(0.7)), 1..20).prop_map(Step::Batch),
        3 => (0..9_i64, 1..5_i64, -3..6_i64).prop_map(|(by, divisor, after)| Step::Fire(by, divisor, after)),
        1 => (0..40_i64).prop_map(Step::Waver),
        2 => any::<bool>().prop_map(Step::Freeze),
        4 => (1..8_usize).prop_map(Step::Slice),
        1 => Just(Step::Restore),
    ]
}

struct Subject {
    states: KeyedStates<u64>,
    timers: Rc<RefCell<TimerStore>>,
    model: Model,
    now: i64,
    /// As it stood at the freeze whose copy is under way.
    frozen: Option<Model>,
    /// As it stood in the newest snapshot, and the rows of that.
    saved: Model,
    rows: Vec<RecordBatch>,
}

impl Subject {
    fn new() -> Self {
        let mut setup = KeyedSetup::new::<u64>(0, 1, Rc::default());
        let keys = setup.keys();
        let timers = setup.timers("timers");
        let key = codec::column::<u64>("key").unwrap();
        let states = KeyedStates::new(Rc::clone(&setup.cursor), setup.states, key, keys, HashRange::FULL);
        let (model, saved) = (Model::new(), Model::new());
        Subject { states, timers, model, now: 0, frozen: None, saved, rows: Vec::new() }
    }

    fn batch(&mut self, batch: &[(u64, i64, bool)]) {
        let mut slots = Vec::new();
        self.states.find(batch.iter().map(|(key, ..)| (key_hash(key).unwrap(), key)), &mut slots);
        for ((key, after, set), slot) in batch.iter().zip(slots) {
            self.states.revisit(slot);
            let time = self.now + after;
            if *set {
                self.timers.borrow_mut().register(EventTime::from_millis(time));
                self.model.insert((*key, time));
            } else {
                self.timers.borrow_mut().delete(EventTime::from_millis(time));
                self.model.remove(&(*key, time));
            }
        }
        self.states.settle();
        let first = self.model.iter().map(|(_, time)| *time).min();
        let hint = self.timers.borrow().first().map(EventTime::as_millis);
        assert!(first.is_none_or(|first| hint.is_some_and(|hint| hint <= first)), "{first:?} is not looked for");
    }

    /// Fires what is due, as an operator does; the timers of each key in the order of time, and none twice.
    fn fire(&mut self, by: i64, divisor: i64, after: i64) {
        self.now += by;
        let now = EventTime::from_millis(self.now);
        let (mut slots, mut last) = (Vec::new(), BTreeMap::new());
        loop {
            let Some(time) = self.timers.borrow_mut().due(now, &mut slots) else { break };
            for slot in &slots {
                self.states.revisit(*slot);
                if !self.timers.borrow_mut().take(time) {
                    continue;
                }
                let (key, time) = (*self.states.key(*slot), time.as_millis());
                assert!(self.model.remove(&(key, time)), "{key} has no timer at {time}");
                let next = self.model.iter().filter(|(of, _)| *of == key).map(|(_, time)| *time).min();
                assert!(next.is_none_or(|next| next > time), "{key} has one that comes before {time}");
                // One that goes off too often would set another for ever.
                let fired: &mut usize = last.entry(key).or_default();
                *fired += 1;
                if time % divisor == 0 && *fired < 9 {
                    self.timers.borrow_mut().register(EventTime::from_millis(time + after));
                    self.model.insert((key, time + after));
                }
            }
        }
        self.states.settle();
        assert!(self.model.iter().all(|(_, time)| *time > self.now), "some have not fired: {:?}", self.model);
    }

    fn freeze(&mut self, everything: bool) {
        self.slice(usize::MAX);
        self.states.freeze(everything).unwrap();
        self.frozen = Some(self.model.clone());
    }

    fn slice(&mut self, budget: usize) {
        let Some(CopiedRows::Rest(mut rows)) = self.states.copy_slice(budget) else { return };
        let rows = rows.pop().expect("there is one state");
        if rows.whole {
            self.rows.clear();
        }
        let mut rows = rows.sorted(Default::default()).unwrap();
        for places in rows.batches(5) {
            self.rows.push(rows.batch(places).unwrap());
        }
        self.saved = self.frozen.take().expect("a copy is of something");
    }

    /// A snapshot that is being copied is lost.
    fn restore(&mut self) {
        let (now, saved, rows) = (self.now, std::mem::take(&mut self.saved), std::mem::take(&mut self.rows));
        *self = Subject { now, saved: saved.clone(), model: saved, ..Subject::new() };
        for batch in &rows {
            self.states.restore(0, batch).unwrap();
        }
        self.states.restored().unwrap();
        self.rows = rows;
    }
}

proptest! {
    #[test]
    fn timers_are_a_set_of_moments_for_each_key(steps in prop::collection::vec(step(), 1..80)) {
        let mut subject = Subject::new();
        for step in steps {
            match step {
                Step::Batch(batch) => subject.batch(&batch),
                Step::Fire(by, divisor, after) => subject.fire(by, divisor, after),
                Step::Waver(after) => (0..300).for_each(|_| {
                    let all = |set| (0..KEYS).map(|key| (key, after, set)).collect::<Vec<_>>();
                    subject.batch(&all(true));
                    subject.batch(&all(false));
                }),
                Step::Freeze(everything) => subject.freeze(everything),
                Step::Slice(budget) => subject.slice(budget),
                Step::Restore => subject.restore(),
            }
        }
        subject.freeze(false);
        subject.slice(usize::MAX);
        subject.restore();
        subject.fire(1_000, 1, 0);
        prop_assert_eq!(subject.model, Model::new());
    }
}
