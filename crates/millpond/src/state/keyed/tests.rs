//! What a snapshot has, against plain maps that are copied at the freeze.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use millpond_snapshot::hash::{HashRange, key_hash};
use proptest::prelude::*;

use super::KeyedStates;
use super::copy::CopiedRows;
use crate::state::codec;
use crate::state::handles::{MapState, ValueState};
use crate::state::rows::KeyedRows;
use crate::state::setup::KeyedSetup;
use crate::state::timers::TimerStore;
use crate::time::EventTime;

/// Value by key; value by key and map key; timers of keys.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    values: BTreeMap<u64, u64>,
    maps: BTreeMap<(u64, u8), u64>,
    timers: BTreeMap<(u64, i64), ()>,
}

#[derive(Clone, Debug)]
enum Step {
    /// What happens to the keys of a batch, each in turn.
    Batch(Vec<(u64, Change)>),
    /// The end of an epoch, and whether the snapshot takes everything.
    Freeze(bool),
    /// So many rows are copied.
    Slice(usize),
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Set(u64),
    /// Adds to the value, if there is one.
    Add(u64),
    Clear,
    Insert(u8, u64),
    Remove(u8),
    /// Puts so much into the map that it is a tree.
    Fill(u64),
    /// Takes so much away that it is a list.
    Thin,
    ClearMap,
    /// Comes and goes so often that what has changed is not listed any more.
    Churn,
    Timer(i64),
    DeleteTimer(i64),
}

/// So many entries are a tree.
const MANY: u8 = 20;

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0..9_u64).prop_map(Change::Set),
        2 => (1..9_u64).prop_map(Change::Add),
        2 => Just(Change::Clear),
        4 => (0..4_u8, 0..9_u64).prop_map(|(key, value)| Change::Insert(key, value)),
        2 => (0..4_u8).prop_map(Change::Remove),
        1 => (0..9_u64).prop_map(Change::Fill),
        1 => Just(Change::Thin),
        1 => Just(Change::ClearMap),
        1 => Just(Change::Churn),
        2 => (0..5_i64).prop_map(Change::Timer),
        2 => (0..5_i64).prop_map(Change::DeleteTimer),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec((0..12_u64, change()), 1..8).prop_map(Step::Batch),
        1 => any::<bool>().prop_map(Step::Freeze),
        3 => (1..5_usize).prop_map(Step::Slice),
    ]
}

struct Subject {
    states: KeyedStates<u64>,
    value: ValueState<u64>,
    map: MapState<u8, u64>,
    timers: Rc<RefCell<TimerStore>>,
    /// As it stands.
    now: Model,
    /// As it stood at the last freeze.
    frozen: Model,
    /// As the snapshots tell.
    told: Model,
    /// Stretches of the snapshot being copied, by state.
    stretches: [Vec<KeyedRows>; 3],
}

impl Subject {
    fn new(stretch_keys: usize) -> Self {
        let mut setup = KeyedSetup::new::<u64>(0, 1, Rc::default());
        let (value, map) = (setup.value("value"), setup.map("map"));
        let keys = setup.keys();
        let timers = setup.timers("timers");
        let key = codec::column::<u64>("key").unwrap();
        let mut states = KeyedStates::new(Rc::clone(&setup.cursor), setup.states, key, keys, HashRange::FULL);
        states.stretch_keys = stretch_keys;
        let [now, frozen, told] = std::array::from_fn(|_| Model::default());
        Subject { states, value, map, timers, now, frozen, told, stretches: Default::default() }
    }

    fn batch(&mut self, batch: &[(u64, Change)]) {
        let mut slots = Vec::new();
        let keys = batch.iter().map(|(key, _)| (key_hash(key).unwrap(), key));
        self.states.look_up(keys, &mut slots).unwrap();
        for (at, ((key, change), slot)) in batch.iter().zip(&slots).enumerate() {
            match at % 2 {
                0 => self.states.revisit(*slot),
                _ => self.states.select(*slot, key_hash(key).unwrap()),
            }
            self.change(*key, *change);
        }
        self.states.settle();
    }

    fn change(&mut self, key: u64, change: Change) {
        let Subject { value, map, timers, now, .. } = self;
        match change {
            Change::Set(to) => {
                value.set(to);
                now.values.insert(key, to);
            }
            Change::Add(more) => {
                assert_eq!(value.update_present(|value| *value += more), now.values.get(&key).map(|_| ()));
                now.values.entry(key).and_modify(|value| *value += more);
            }
            Change::Clear => {
                value.clear();
                now.values.remove(&key);
            }
            Change::Insert(map_key, to) => {
                assert_eq!(map.insert(map_key, to), now.maps.insert((key, map_key), to));
            }
            Change::Remove(map_key) => {
                assert_eq!(map.remove(&map_key), now.maps.remove(&(key, map_key)));
            }
            Change::Fill(to) => {
                for map_key in 0..MANY {
                    assert_eq!(map.insert(map_key, to), now.maps.insert((key, map_key), to));
                }
            }
            Change::Thin => {
                for map_key in 4..MANY {
                    assert_eq!(map.remove(&map_key), now.maps.remove(&(key, map_key)));
                }
            }
            Change::ClearMap => {
                map.clear();
                now.maps.retain(|(of, _), _| *of != key);
            }
            Change::Churn => {
                for _ in 0..1_100 {
                    map.insert(MANY, 1);
                    map.remove(&MANY);
                    timers.borrow_mut().register(EventTime::MAX);
                    timers.borrow_mut().delete(EventTime::MAX);
                }
            }
            Change::Timer(time) => {
                timers.borrow_mut().register(EventTime::from_millis(time));
                now.timers.insert((key, time), ());
            }
            Change::DeleteTimer(time) => {
                timers.borrow_mut().delete(EventTime::from_millis(time));
                now.timers.remove(&(key, time));
            }
        }
    }

    fn freeze(&mut self, everything: bool) {
        self.slice(usize::MAX);
        self.states.freeze(everything).unwrap();
        self.frozen = self.now.clone();
    }

    fn slice(&mut self, budget: usize) {
        let rest = loop {
            match self.states.copy_slice(budget) {
                Some(CopiedRows::Stretch(rows)) => {
                    rows.into_iter().for_each(|(state, rows)| self.stretches[state].push(rows));
                    if budget < usize::MAX {
                        return;
                    }
                }
                Some(CopiedRows::Rest(rows)) => break rows,
                None => return,
            }
        };
        let mut states = std::mem::take(&mut self.stretches);
        states.iter_mut().zip(rest).for_each(|(stretches, rest)| stretches.push(rest));
        let [values, maps, timers] = states;
        let told = &mut self.told;
        tell(&mut told.values, values, |batch, row| (column(batch, "key", row), column(batch, "value", row)));
        tell(&mut told.maps, maps, |batch, row| {
            (
                (column::<u64>(batch, "key", row).unwrap(), column::<u8>(batch, "map_key", row).unwrap()).into(),
                column(batch, "value", row),
            )
        });
        tell(&mut told.timers, timers, |batch, row| {
            (
                (column::<u64>(batch, "key", row).unwrap(), column::<i64>(batch, "timestamp", row).unwrap())
                    .into(),
                Some(()),
            )
        });
        assert_eq!(self.told, self.frozen);
    }
}

fn column<T: serde::de::DeserializeOwned>(batch: &arrow_array::RecordBatch, name: &str, row: usize) -> Option<T> {
    let values: Vec<Option<T>> = codec::decode_column(batch, name).unwrap();
    values.into_iter().nth(row).flatten()
}

/// Applies the rows of a snapshot to what the ones before it told.
fn tell<I: Ord + Clone + std::fmt::Debug, V>(
    told: &mut BTreeMap<I, V>,
    stretches: Vec<KeyedRows>,
    row_at: impl Fn(&arrow_array::RecordBatch, usize) -> (Option<I>, Option<V>),
) {
    if stretches[0].whole {
        told.clear();
    }
    let (mut seen, mut hash) = (BTreeSet::new(), 0);
    let stretches = stretches.into_iter().map(|rows| {
        let mut rows = rows.sorted(Default::default()).unwrap();
        let batches = rows.batches(3);
        batches.into_iter().map(|places| rows.batch(places).unwrap()).collect::<Vec<_>>()
    });
    for (stretch, batch) in
        stretches.enumerate().flat_map(|(at, batches)| batches.into_iter().map(move |b| (at, b)))
    {
        let hashes = (0..batch.num_rows()).filter_map(|row| column::<u64>(&batch, "hash", row));
        for found in hashes {
            assert!(hash <= found, "stretch {stretch} goes back");
            hash = found;
        }
        for row in 0..batch.num_rows() {
            let (id, value) = row_at(&batch, row);
            let (id, deleted) = (id.unwrap(), column::<bool>(&batch, "deleted", row).unwrap());
            assert!(seen.insert((id.clone(), deleted)), "{id:?} is there twice");
            match deleted {
                true => told.remove(&id),
                false => told.insert(id, value.unwrap()),
            };
        }
    }
}

proptest! {
    #[test]
    fn snapshots_tell_what_was_there_at_each_freeze(
        steps in prop::collection::vec(step(), 1..120),
        stretch_keys in prop::sample::select(vec![1, 3, 100]),
    ) {
        let mut subject = Subject::new(stretch_keys);
        for step in steps {
            match step {
                Step::Batch(batch) => subject.batch(&batch),
                Step::Freeze(everything) => subject.freeze(everything),
                Step::Slice(budget) => subject.slice(budget),
            }
        }
        subject.freeze(false);
        subject.slice(usize::MAX);
        prop_assert_eq!(subject.told, subject.now);
    }
}
