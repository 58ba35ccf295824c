//! A table against a map in memory, with readers that lag behind while it is written.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::leaf::Row;
use super::scratch::Scratch;
use super::table::{Snapshot, Table};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    /// Writes keys with values of so many bytes, or removes them.
    Write(Vec<(u16, Option<usize>)>),
    /// Writes, or removes, as many keys in a row.
    Range {
        from: u16,
        count: u16,
        len: Option<usize>,
    },
    Get(Vec<u16>),
    Begin,
    /// Reads so many rows of a snapshot that was begun, or ends it.
    Read {
        snapshot: usize,
        rows: usize,
    },
    End {
        snapshot: usize,
    },
    Sweep(usize),
    TakeFirst(usize),
}

fn len() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![
        3 => Just(None),
        8 => (0..60_usize).prop_map(Some),
        // Often as long as what was there.
        8 => Just(Some(24)),
        3 => (100..900_usize).prop_map(Some),
        1 => (3_000..20_000_usize).prop_map(Some),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..800_u16;
    prop_oneof![
        6 => prop::collection::vec((key(), len()), 1..60).prop_map(Step::Write),
        3 => (key(), 1..500_u16, prop_oneof![Just(None), Just(Some(24)), (0..60_usize).prop_map(Some)])
            .prop_map(|(from, count, len)| Step::Range { from, count, len }),
        3 => prop::collection::vec(key(), 1..40).prop_map(Step::Get),
        2 => Just(Step::Begin),
        3 => (0..4_usize, 1..300_usize).prop_map(|(snapshot, rows)| Step::Read { snapshot, rows }),
        1 => (0..4_usize).prop_map(|snapshot| Step::End { snapshot }),
        1 => (1..20_usize).prop_map(Step::Sweep),
        1 => (1..200_usize).prop_map(Step::TakeFirst),
    ]
}

/// Some differ in their first eight bytes, some in their first sixteen, some only after that.
fn key(number: u16) -> Vec<u8> {
    let middle = if number.is_multiple_of(3) { 0 } else { u64::from(number % 16) };
    let start = u64::from(number / 16);
    [start.to_be_bytes().as_slice(), &middle.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// What a sweep may leave out.
fn is_waste(value: &[u8]) -> bool {
    value.first() == Some(&7)
}

fn is_kept((key, value): (&Vec<u8>, &Vec<u8>)) -> Option<(Vec<u8>, Vec<u8>)> {
    (!is_waste(value)).then(|| (key.clone(), value.clone()))
}

struct Reader {
    snapshot: Snapshot,
    /// What it has still to give.
    rows: Model,
}

impl Reader {
    fn read(&mut self, most: usize) {
        for _ in 0..most {
            match self.snapshot.next().unwrap() {
                Some(Row { key, value }) => {
                    assert_eq!(self.rows.pop_first(), Some((key.to_vec(), value.to_vec())))
                }
                None => return assert!(self.rows.is_empty(), "the snapshot ends early"),
            }
        }
    }
}

struct Trial {
    table: Table,
    model: Model,
    readers: Vec<Reader>,
    writes: u8,
}

impl Trial {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(rows) => self.write(rows),
            Step::Range { from, count, len } => {
                self.write(&(*from..from + count).map(|number| (number, *len)).collect::<Vec<_>>());
            }
            Step::Get(numbers) => {
                for number in numbers {
                    let (key, found) = (key(*number), self.table.get(&key(*number)).unwrap());
                    assert_eq!(found, self.model.get(&key).map(Vec::as_slice), "key {number}");
                }
            }
            Step::Begin => {
                if self.readers.len() < 4 {
                    let (snapshot, rows) = (self.table.snapshot(), self.model.clone());
                    self.readers.push(Reader { snapshot, rows });
                }
            }
            Step::Read { snapshot, rows } => {
                self.readers.get_mut(*snapshot).into_iter().for_each(|reader| reader.read(*rows));
            }
            Step::End { snapshot } => {
                if *snapshot < self.readers.len() {
                    self.readers.remove(*snapshot).read(usize::MAX);
                }
            }
            Step::Sweep(leaves) => {
                self.table.sweep(*leaves, is_waste).unwrap();
                self.learn();
            }
            Step::TakeFirst(most) => {
                let mut taken = Vec::new();
                let take = |key: &[u8]| {
                    let wanted = taken.len() < *most;
                    taken.extend(wanted.then(|| key.to_vec()));
                    Ok(wanted)
                };
                self.table.take_first(take).unwrap();
                let expected: Vec<_> = std::iter::from_fn(|| self.model.pop_first()).take(*most).collect();
                assert!(taken.iter().eq(expected.iter().map(|(key, _)| key)));
            }
        }
    }

    fn write(&mut self, rows: &[(u16, Option<usize>)]) {
        self.writes = self.writes.wrapping_add(1);
        let value = |len: usize| vec![self.writes % 8; len];
        let rows: BTreeMap<Vec<u8>, Option<Vec<u8>>> =
            rows.iter().map(|(number, len)| (key(*number), len.map(value))).collect();
        let updates = rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref()));
        self.table.write(updates, is_waste).unwrap();
        for (key, value) in rows {
            match value {
                Some(value) => drop(self.model.insert(key, value)),
                None => drop(self.model.remove(&key)),
            }
        }
        self.learn();
    }

    /// Compares all rows, and forgets the waste that is gone.
    fn learn(&mut self) {
        let mut found = Model::new();
        let mut rows = self.table.snapshot();
        while let Some(Row { key, value }) = rows.next().unwrap() {
            assert_eq!(self.model.get(key).map(Vec::as_slice), Some(value));
            assert!(found.last_key_value().is_none_or(|(last, _)| last.as_slice() < key), "rows are in order");
            found.insert(key.to_vec(), value.to_vec());
        }
        assert!(self.model.iter().filter_map(is_kept).eq(found.iter().filter_map(is_kept)));
        self.model = found;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_table_has_what_was_written_and_a_snapshot_what_there_was(steps in prop::collection::vec(step(), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let scratch = Scratch::create_in(directory.path()).unwrap();
        let table = Table::create(&scratch).unwrap();
        let mut trial = Trial { table, model: Model::new(), readers: Vec::new(), writes: 0 };
        steps.iter().for_each(|step| trial.step(step));
        trial.readers.drain(..).for_each(|mut reader| reader.read(usize::MAX));
        // A whole round of the hand leaves no waste.
        trial.table.sweep(2_000, is_waste).unwrap();
        trial.learn();
        prop_assert!(trial.model.values().all(|value| !is_waste(value)));
    }
}

fn bytes_in_use(directory: &std::path::Path) -> u64 {
    let scratch = std::fs::read_dir(directory).unwrap().next().unwrap().unwrap().path();
    std::fs::read_dir(scratch).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn what_is_gone_leaves_room_for_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let scratch = Scratch::create_in(directory.path()).unwrap();
    let mut table = Table::create(&scratch).unwrap();
    let write = |table: &mut Table, keys: &[[u8; 8]], value: Option<&[u8]>| {
        table.write(keys.iter().map(|key| (key.as_slice(), value)), |_| false).unwrap();
    };
    let stays = [[u8::MAX; 8]];
    write(&mut table, &stays, Some(&[1; 40]));
    let mut most = 0;
    for round in 0..10_u64 {
        let keys: Vec<_> = (0..20_000_u64).map(|key| (key << 8 | round).to_be_bytes()).collect();
        write(&mut table, &keys, Some(&[1; 40]));
        assert!(table.pinned() < 200 << 10);
        if round < 2 {
            most = bytes_in_use(directory.path());
        }
        let bytes = bytes_in_use(directory.path());
        assert!(bytes > 0 && bytes <= most, "{bytes} bytes in round {round}, and {most} before");
        // A reader that stays while they go.
        let reader = (round % 3 == 0).then(|| table.snapshot());
        write(&mut table, &keys, None);
        assert!(table.get(&keys[0]).unwrap().is_none());
        drop(reader);
    }
    write(&mut table, &stays, None);
    assert_eq!(bytes_in_use(directory.path()), 0, "nothing is left");
}
