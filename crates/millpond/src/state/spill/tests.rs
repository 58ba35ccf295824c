//! Keyed states against a model in plain maps: any order of changes, evictions, snapshots, lost snapshots and restores.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use arrow_array::{Array, BooleanArray, RecordBatch, UInt64Array};
use millpond_snapshot::hash::{HashRange, key_hash};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::backend::SpillSetting;
use super::scratch::Scratch;
use crate::state::codec;
use crate::state::descriptor::{StateDescriptor, Ttl};
use crate::state::handles::{MapState, ValueState};
use crate::state::keyed::KeyedStates;
use crate::state::keyed::copy::CopiedRows;
use crate::state::rows::KeyedRows;
use crate::state::setup::KeyedSetup;
use crate::state::timers::TimerStore;
use crate::time::EventTime;

/// A value that only a format that names its fields holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Value {
    number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

fn value(number: u64) -> Value {
    Value { number, note: number.is_multiple_of(3).then(|| format!("note {number}")) }
}

const TTL: i64 = 40;

/// What one key has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Entry {
    /// The value, and when it expires.
    value: Option<(u64, i64)>,
    map: BTreeMap<u8, u64>,
    timers: BTreeSet<i64>,
}

#[derive(Clone, Debug)]
enum Op {
    Set(u64),
    Clear,
    Insert(u8, u64),
    Remove(u8),
    Timer(i64),
    NoTimer(i64),
    Read,
}

#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<(u16, Op)>),
    Advance(i64),
    Freeze { lost: bool, copy_later: bool },
    Restore { disk: bool },
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => any::<u64>().prop_map(Op::Set),
        1 => Just(Op::Clear),
        3 => (0..4u8, any::<u64>()).prop_map(|(key, value)| Op::Insert(key, value)),
        2 => (0..4u8).prop_map(Op::Remove),
        2 => (0..60i64).prop_map(Op::Timer),
        1 => (0..60i64).prop_map(Op::NoTimer),
        2 => Just(Op::Read),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => prop::collection::vec((0..40u16, op()), 1..12).prop_map(Step::Batch),
        3 => (0..30i64).prop_map(Step::Advance),
        3 => (prop::bool::weighted(0.2), any::<bool>())
            .prop_map(|(lost, copy_later)| Step::Freeze { lost, copy_later }),
        1 => prop::bool::weighted(0.8).prop_map(|disk| Step::Restore { disk }),
        1 => Just(Step::Sweep),
    ]
}

/// The states of one subtask, as an operator has them.
struct Subject {
    states: KeyedStates<u16>,
    value: ValueState<Value>,
    map: MapState<u8, u64>,
    timers: Rc<RefCell<TimerStore>>,
}

impl Subject {
    fn new(setting: Option<&SpillSetting>, now: i64) -> Self {
        let mut setup = KeyedSetup::new::<u16>(0, 1, Rc::default());
        let keys = setup.keys();
        let ttl = Ttl::new(Duration::from_millis(TTL as u64));
        let value = setup.value(StateDescriptor::new("value").ttl(ttl));
        let map = setup.map("map");
        let timers = setup.timers("timers");
        setup.cursor.set_now(EventTime::from_millis(now));
        let field = codec::column::<u16>("key").unwrap();
        let mut states = KeyedStates::new(Rc::clone(&setup.cursor), setup.states, field, keys, HashRange::FULL);
        states.spill_to(setting, HashRange::FULL);
        Subject { states, value, map, timers }
    }

    fn make_room(&mut self) {
        while self.states.is_crowded() {
            if self.states.is_copying() {
                return;
            }
            assert!(self.states.evict().unwrap(), "somebody is to go");
        }
    }

    /// Does something with each key of a batch, as an operator does.
    fn each(&mut self, keys: &[u16], mut logic: impl FnMut(&Self, usize, u16)) {
        let hashed = || keys.iter().map(|key| (hash(*key), key));
        let mut slots = Vec::new();
        self.states.look_up(hashed(), &mut slots).unwrap();
        for (place, (key, slot)) in keys.iter().zip(slots).enumerate() {
            self.states.revisit(slot);
            logic(self, place, *key);
        }
        self.states.settle();
    }
}

fn setting(resident: usize, directory: &std::path::Path) -> SpillSetting {
    SpillSetting { scratch: Scratch::create_in(directory).unwrap(), resident }
}

fn hash(key: u16) -> u64 {
    key_hash(&key).unwrap()
}

/// A chunk of a state, as it would be written.
struct Chunk {
    state: usize,
    base: bool,
    range: HashRange,
    batch: RecordBatch,
}

fn chunks_of(state: usize, range: HashRange, rows: KeyedRows, to: &mut Vec<Chunk>) {
    if rows.is_empty() && !rows.whole {
        return;
    }
    let base = rows.whole;
    let mut rows = rows.sorted(Default::default()).unwrap();
    let (batches, mut start) = (rows.batches(7), range.start());
    for (number, places) in batches.iter().enumerate() {
        let end = if number + 1 == batches.len() { range.end() } else { rows.last_hash(places).unwrap() };
        let (part, batch) = (HashRange::new(start, end).unwrap(), rows.batch(places.clone()).unwrap());
        to.push(Chunk { state, base, range: part, batch });
        start = end.wrapping_add(1);
    }
}

/// What chunks mean, by the rules of the format, without the engine.
fn meaning(chunks: &[Chunk]) -> BTreeMap<u16, Entry> {
    let mut entries = BTreeMap::<u16, Entry>::new();
    for Chunk { state, base, range, batch } in chunks {
        if *base {
            let hidden = |key: &u16| range.contains(hash(*key));
            for (_, entry) in entries.iter_mut().filter(|(key, _)| hidden(key)) {
                match state {
                    0 => entry.value = None,
                    1 => entry.map.clear(),
                    _ => entry.timers.clear(),
                }
            }
        }
        let keys: Vec<u16> = codec::decode_column(batch, "key").unwrap();
        let dead: Vec<bool> = codec::decode_column(batch, "deleted").unwrap();
        let hashes = batch.column_by_name("hash").unwrap().as_any().downcast_ref::<UInt64Array>().unwrap();
        assert!(hashes.values().is_sorted(), "rows are sorted by hash");
        for (row, (key, dead)) in keys.iter().zip(dead).enumerate() {
            assert!(hashes.value(row) == hash(*key) && range.contains(hash(*key)));
            let entry = entries.entry(*key).or_default();
            match state {
                0 => {
                    let values: Vec<Option<Value>> = codec::decode_column(batch, "value").unwrap();
                    let expiries: Vec<Option<i64>> = codec::decode_column(batch, "expires_at").unwrap();
                    entry.value = (!dead).then(|| {
                        let found = values[row].clone().unwrap();
                        assert_eq!(found, value(found.number));
                        (found.number, expiries[row].unwrap())
                    });
                }
                1 => {
                    let map_keys: Vec<u8> = codec::decode_column(batch, "map_key").unwrap();
                    let values: Vec<Option<u64>> = codec::decode_column(batch, "value").unwrap();
                    entry.map.remove(&map_keys[row]);
                    if !dead {
                        entry.map.insert(map_keys[row], values[row].unwrap());
                    }
                }
                _ => {
                    let times: Vec<i64> = codec::decode_column(batch, "timestamp").unwrap();
                    entry.timers.remove(&times[row]);
                    if !dead {
                        entry.timers.insert(times[row]);
                    }
                }
            }
        }
    }
    entries
}

/// Without what has expired, and without keys that have nothing.
fn alive(entries: &BTreeMap<u16, Entry>, now: i64) -> BTreeMap<u16, Entry> {
    let mut alive = entries.clone();
    alive.values_mut().for_each(|entry| entry.value = entry.value.filter(|(_, expires_at)| *expires_at > now));
    alive.retain(|_, entry| *entry != Entry::default());
    alive
}

/// Does the same with a key and with the model, and compares.
fn apply(subject: &Subject, model: &mut BTreeMap<u16, Entry>, now: i64, key: u16, op: &Op) {
    let Subject { value: state, map, timers, .. } = subject;
    let entry = model.entry(key).or_default();
    entry.value = entry.value.filter(|(_, expires_at)| *expires_at > now);
    match op {
        Op::Set(number) => {
            state.set(value(*number));
            entry.value = Some((*number, now + TTL));
        }
        Op::Clear => {
            state.clear();
            entry.value = None;
        }
        Op::Insert(at, number) => assert_eq!(map.insert(*at, *number), entry.map.insert(*at, *number)),
        Op::Remove(at) => assert_eq!(map.remove(at), entry.map.remove(at)),
        Op::Timer(after) => {
            timers.borrow_mut().register(EventTime::from_millis(now + after));
            entry.timers.insert(now + after);
        }
        Op::NoTimer(after) => {
            timers.borrow_mut().delete(EventTime::from_millis(now + after));
            entry.timers.remove(&(now + after));
        }
        Op::Read => {}
    }
    assert_eq!(state.get(), entry.value.map(|(number, _)| value(number)), "value of {key}");
    assert_eq!(map.entries(), entry.map.clone().into_iter().collect::<Vec<_>>(), "map of {key}");
}

/// Everything together.
struct Trial {
    setting: SpillSetting,
    subject: Subject,
    model: BTreeMap<u16, Entry>,
    now: i64,
    chunks: Vec<Chunk>,
    /// The model at the freeze whose copy is under way, the moment of it, and whether it will be lost.
    copying: Option<(BTreeMap<u16, Entry>, i64, bool)>,
    /// What the newest snapshot has.
    saved: BTreeMap<u16, Entry>,
    whole: bool,
}

impl Trial {
    fn new(resident: usize, directory: &std::path::Path) -> Self {
        let setting = setting(resident, directory);
        Trial {
            subject: Subject::new(Some(&setting), 0),
            setting,
            model: BTreeMap::new(),
            now: 0,
            chunks: Vec::new(),
            copying: None,
            saved: BTreeMap::new(),
            whole: false,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Batch(batch) => self.batch(batch),
            Step::Advance(by) => self.advance(*by),
            Step::Freeze { lost, copy_later } => {
                self.finish_copy();
                self.subject.states.freeze(std::mem::take(&mut self.whole)).unwrap();
                self.copying = Some((self.model.clone(), self.now, *lost));
                if !copy_later {
                    self.finish_copy();
                }
            }
            Step::Restore { disk } => self.restore(*disk),
            Step::Sweep => {
                self.subject.states.sweep();
            }
        }
    }

    fn batch(&mut self, batch: &[(u16, Op)]) {
        let keys: Vec<u16> = batch.iter().map(|(key, _)| *key).collect();
        let Trial { subject, model, now, .. } = self;
        subject.each(&keys, |subject, place, key| apply(subject, model, *now, key, &batch[place].1));
        if self.copying.is_some()
            && let Some(rows) = self.subject.states.copy_slice(2)
        {
            self.take(rows);
            self.check();
        }
        self.subject.make_room();
    }

    /// Moves the clock, and fires what is due, as an operator does.
    fn advance(&mut self, by: i64) {
        self.now += by;
        let now = EventTime::from_millis(self.now);
        self.subject.states.cursor.set_now(now);
        let mut fired = Vec::new();
        loop {
            let (up_to, more) = self.subject.states.fault_in_due(0, now).unwrap();
            let Subject { states, timers, .. } = &mut self.subject;
            let mut slots = Vec::new();
            loop {
                let Some(time) = timers.borrow_mut().due(up_to, &mut slots) else { break };
                for slot in &slots {
                    states.revisit(*slot);
                    if timers.borrow_mut().take(time) {
                        fired.push((time.as_millis(), *states.key(*slot)));
                    }
                }
            }
            states.settle();
            self.subject.make_room();
            if !more {
                break;
            }
        }
        assert!(fired.is_sorted_by_key(|(time, _)| *time), "timers fire in the order of their time");
        fired.sort_unstable();
        let mut expected = Vec::new();
        for (key, entry) in &mut self.model {
            let later = entry.timers.split_off(&(self.now + 1));
            expected.extend(std::mem::replace(&mut entry.timers, later).into_iter().map(|time| (time, *key)));
        }
        expected.sort_unstable();
        assert_eq!(fired, expected);
        let next = self.model.values().filter_map(|entry| entry.timers.first()).min();
        let resident = self.subject.timers.borrow().first();
        let known = resident.into_iter().chain(self.subject.states.next_due(0)).min();
        assert!(known.map(EventTime::as_millis) <= next.copied() || next.is_none(), "it would wake up too late");
        assert!(known.is_some() || next.is_none(), "it would not wake up");
    }

    fn finish_copy(&mut self) {
        if self.copying.is_some() {
            let rows = self.subject.states.copy_slice(usize::MAX).unwrap();
            self.take(rows);
            self.check();
        }
    }

    fn take(&mut self, rows: CopiedRows) {
        let CopiedRows::Rest(rows) = rows else { panic!("so few keys are one stretch") };
        let spilled = self.subject.states.take_spilled();
        if self.copying.as_ref().is_some_and(|(.., lost)| *lost) {
            self.whole = true;
            return;
        }
        let chunks = &mut self.chunks;
        if let Some(spilled) = spilled {
            let group = |(range, rows): (HashRange, Vec<KeyedRows>)| {
                rows.into_iter().enumerate().for_each(|(state, rows)| chunks_of(state, range, rows, chunks));
                Ok(())
            };
            spilled.for_each_group(HashRange::FULL, group).unwrap();
        }
        rows.into_iter().enumerate().for_each(|(state, rows)| chunks_of(state, HashRange::FULL, rows, chunks));
    }

    /// A snapshot that is not lost must mean what the model said at its freeze.
    fn check(&mut self) {
        let Some((model, then, lost)) = self.copying.take() else { return };
        if !lost && !self.whole {
            let saved = meaning(&self.chunks);
            assert_eq!(alive(&saved, then), alive(&model, then));
            self.saved = saved;
        }
    }

    fn restore(&mut self, disk: bool) {
        self.finish_copy();
        self.whole = false;
        self.subject = Subject::new(disk.then_some(&self.setting), self.now);
        for (at, chunk) in self.chunks.iter().enumerate() {
            // What a later base hides is not read.
            let hashes = chunk.batch.column_by_name("hash").unwrap();
            let hashes = hashes.as_any().downcast_ref::<UInt64Array>().unwrap();
            let hides = |hash: u64| {
                let later = self.chunks[at + 1..].iter();
                later.filter(|c| c.state == chunk.state && c.base).any(|c| c.range.contains(hash))
            };
            let seen: BooleanArray = hashes.values().iter().map(|hash| Some(!hides(*hash))).collect();
            let batch = arrow_select::filter::filter_record_batch(&chunk.batch, &seen).unwrap();
            self.subject.states.restore(chunk.state, &batch).unwrap();
        }
        self.subject.states.restored().unwrap();
        self.model = self.saved.clone();
        self.model.values_mut().for_each(|entry| entry.value = entry.value.filter(|(_, at)| *at > self.now));
    }

    /// Every key at last.
    fn finish(&mut self) {
        for key in 0..40 {
            let Trial { subject, model, now, .. } = self;
            subject.each(&[key], |subject, _, key| apply(subject, model, *now, key, &Op::Read));
            if self.copying.is_none() {
                self.subject.make_room();
            }
        }
        self.step(&Step::Freeze { lost: false, copy_later: false });
        self.restore(true);
        self.advance(1000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_evicted_is_as_if_it_were_not(
        steps in prop::collection::vec(step(), 1..80),
        resident in prop_oneof![Just(1_usize), Just(600), Just(2000), Just(1 << 20)],
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut trial = Trial::new(resident, directory.path());
        steps.iter().for_each(|step| trial.step(step));
        trial.finish();
    }
}

#[test]
fn a_key_that_was_forgotten_and_came_back_is_not_hidden_by_its_tombstone() {
    let directory = tempfile::tempdir().unwrap();
    // Room for one key.
    let mut trial = Trial::new(1, directory.path());
    let freeze = Step::Freeze { lost: false, copy_later: false };
    trial.step(&Step::Batch(vec![(1, Op::Set(1))]));
    trial.step(&freeze);
    trial.step(&Step::Batch(vec![(1, Op::Clear)]));
    trial.step(&Step::Batch(vec![(1, Op::Set(2))]));
    // It is evicted before the snapshot that has both.
    trial.step(&Step::Batch(vec![(2, Op::Set(3)), (3, Op::Set(4))]));
    trial.step(&freeze);
    trial.finish();
}

#[test]
fn keys_beyond_the_cache_are_on_disk_and_memory_stays_bounded() {
    const KEYS: u16 = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let setting = setting(32 << 10, directory.path());
    let mut subject = Subject::new(Some(&setting), 0);
    let mut most = 0;
    for round in 0..3u64 {
        for batch in (0..KEYS).collect::<Vec<_>>().chunks(100) {
            subject.each(batch, |subject, _, key| {
                let seen = subject.map.get(&0).unwrap_or(0);
                assert_eq!(seen, round, "key {key}");
                subject.map.insert(0, seen + 1);
            });
            subject.make_room();
            most = most.max(subject.states.resident());
        }
    }
    assert!(most < usize::from(KEYS) / 20, "{most} keys were resident");
    let path = setting.scratch.path().to_owned();
    // The list of changes, the table, and the lock.
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 3);
    drop(subject);
    drop(setting);
    assert!(!path.exists(), "nothing is left");
}

#[test]
fn rows_that_have_expired_go_though_nobody_asks_for_their_keys() {
    const KEYS: u16 = 2_000;
    let directory = tempfile::tempdir().unwrap();
    let mut subject = Subject::new(Some(&setting(1, directory.path())), 0);
    let mut set = |keys: std::ops::Range<u16>, now: i64| {
        subject.states.cursor.set_now(EventTime::from_millis(now));
        subject.each(&keys.collect::<Vec<_>>(), |subject, _, key| subject.value.set(value(u64::from(key))));
        subject.make_room();
        // A snapshot has what changed.
        subject.states.freeze(false).unwrap();
        subject.states.copy_slice(usize::MAX).unwrap();
        subject.states.rows_on_disk()
    };
    assert!(set(0..KEYS, 0) > usize::from(KEYS) - 2);
    let rows: Vec<usize> = (0..100).map(|_| set(KEYS..KEYS + 10, TTL + 1)).collect();
    assert!(*rows.last().unwrap() <= 10, "rows after each batch: {rows:?}");
}

#[test]
fn a_disk_that_fails_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let setting = setting(1, directory.path());
    let mut subject = Subject::new(Some(&setting), 0);
    // In the way of the table, or of the list of changes.
    for number in 0..4 {
        let _ = std::fs::write(setting.scratch.path().join(format!("{number:08}")), "");
    }
    subject.each(&(0..10).collect::<Vec<_>>(), |subject, _, _| subject.value.set(value(1)));
    assert!(subject.states.is_crowded());
    let message = subject.states.evict().unwrap_err().to_string();
    let named = message.contains(setting.scratch.path().to_str().unwrap());
    assert!(named && message.contains("--state-dir"), "{message}");
}

/// A key that has one hash with all others, but is packed as what it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
struct Alike(String);

impl Serialize for Alike {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = serializer.is_human_readable();
        serializer.serialize_str(if readable { &self.0 } else { "" })
    }
}

#[test]
fn a_key_may_be_longer_than_a_leaf() {
    let directory = tempfile::tempdir().unwrap();
    let mut setup = KeyedSetup::new::<Alike>(0, 1, Rc::default());
    let value = setup.value::<u64>("value");
    let keys = setup.keys();
    let field = codec::column::<Alike>("key").unwrap();
    let mut states = KeyedStates::new(Rc::clone(&setup.cursor), setup.states, field, keys, HashRange::FULL);
    states.spill_to(Some(&setting(1, directory.path())), HashRange::FULL);
    let mut slots = Vec::new();
    // One hash for all: they share a leaf, and only the key tells them apart.
    let keys: Vec<Alike> = (0..4).map(|number| Alike(format!("{}{number}", "k".repeat(70_000)))).collect();
    let hash = key_hash(&keys[0]).unwrap();
    for round in 0..3 {
        for (number, key) in keys.iter().enumerate() {
            states.look_up([(hash, key)].into_iter(), &mut slots).unwrap();
            states.revisit(slots[0]);
            assert_eq!(value.get(), (round > 0).then_some(round * 10 + number as u64));
            value.set((round + 1) * 10 + number as u64);
            states.settle();
            assert!(states.is_crowded() || states.resident() == 1);
            while states.is_crowded() {
                assert!(states.evict().unwrap());
            }
        }
    }
}

#[test]
fn packed_values_come_back_whatever_serde_is_told() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Address {
        Ip(std::net::IpAddr),
        Name(String),
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Odd {
        #[serde(flatten)]
        inner: Value,
        address: Address,
        by_pair: BTreeMap<(u8, i64), f64>,
        wide: i128,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        list: Vec<Option<()>>,
        unit: (),
    }
    let odd = Odd {
        inner: value(5),
        address: Address::Ip([127, 0, 0, 1].into()),
        by_pair: BTreeMap::from([((1, -2), f64::INFINITY)]),
        wide: i128::MIN,
        list: Vec::new(),
        unit: (),
    };
    let mut bytes = Vec::new();
    super::pack::pack(&odd, &mut bytes).unwrap();
    super::pack::pack(&7u8, &mut bytes).unwrap();
    let mut rest = bytes.as_slice();
    assert_eq!(super::pack::unpack::<Odd>(&mut rest).unwrap(), odd);
    assert_eq!(super::pack::unpack::<u8>(&mut rest).unwrap(), 7);
    assert!(rest.is_empty());
    assert!(super::pack::unpack::<Odd>(&mut &bytes[..9]).is_err(), "cut off");
}
