//! Evicted rows on their way into a snapshot: turned into columns on the writer's thread, some at a time.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_schema::FieldRef;
use millpond_snapshot::hash::HashRange;

use super::changes::{ChangedRows, Group as ChangedGroup};
use super::leaf::Row;
use super::pack::{self, unpack};
use super::row::{self, Header};
use super::table::Snapshot;
use crate::error::Error;
use crate::state::codec::StateValue;
use crate::state::rows::{KeyedRows, Rows, TypedKeys};
use crate::state::slabs::Slabs;
use crate::state::slot_table::Slot;

/// About how many keys are turned into columns in one go.
const GROUP_KEYS: usize = 1 << 17;
/// About how many bytes of rows, if that is reached first.
const GROUP_BYTES: usize = 16 << 20;

/// Turns sections of one state into rows of a chunk.
pub(crate) trait SpilledRows: Send {
    /// Adds what the snapshot must have of a section: what changed, or `everything`. The rows get `key` for a slot.
    fn push_section(&mut self, key: u32, section: &[u8], everything: bool) -> Result<(), Error>;
    /// The rows so far, and what they have for slots.
    fn take(&mut self) -> (Slabs<Slot>, Box<dyn Rows>);
}

/// What a snapshot has of the evicted keys of a subtask. It counts before what is resident.
pub(crate) struct SpilledPart {
    source: Source,
    states: Vec<Box<dyn SpilledRows>>,
    keys: Box<dyn KeyColumn>,
}

/// Where the rows come from.
pub(crate) enum Source {
    /// What changed.
    Changes(ChangedRows),
    /// All rows but those of the resident keys, hash and packed key: what the table says of them is out of date.
    Everything { rows: Snapshot, residents: PackedSet },
}

/// Rows of all states, in the order of their declaration, with the part of the range that they are about.
pub(crate) type Group = (HashRange, Vec<KeyedRows>);

impl SpilledPart {
    pub(crate) fn new<K: StateValue>(source: Source, states: Vec<Box<dyn SpilledRows>>, key: FieldRef) -> Self {
        let keys = Box::new(PackedKeys::<K> { hashes: Vec::new(), keys: Vec::new(), field: key });
        SpilledPart { source, states, keys }
    }

    /// Gives the rows to `take`, group by group. If it is everything, the groups divide `range` among them, in order; changes
    /// are each of the whole range, and later ones count.
    pub(crate) fn for_each_group(
        self,
        range: HashRange,
        mut take: impl FnMut(Group) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let SpilledPart { source, states, keys } = self;
        let mut columns = Columns { states, keys, count: 0, bytes: 0 };
        match source {
            Source::Changes(mut changes) => {
                let mut group = ChangedGroup::default();
                while changes.next(&mut group, GROUP_KEYS, GROUP_BYTES)? {
                    for (key, row) in group.rows() {
                        columns.push(hash_of(key)?, key, row, false)?;
                    }
                    take((range, columns.take(false)))?;
                }
                Ok(())
            }
            Source::Everything { mut rows, mut residents } => {
                residents.sort();
                let (mut start, mut last) = (range.start(), range.start());
                while let Some(Row { key, value: row }) = rows.next()? {
                    if !Header::read(row)?.is_live() || residents.has_next(key) {
                        continue;
                    }
                    let hash = hash_of(key)?;
                    // Keys with one hash stay together.
                    if columns.is_full() && hash != last {
                        take((part(start, last)?, columns.take(true)))?;
                        start = last + 1;
                    }
                    columns.push(hash, key, row, true)?;
                    last = hash;
                }
                take((part(start, range.end())?, columns.take(true)))
            }
        }
    }
}

fn part(start: u64, end: u64) -> Result<HashRange, Error> {
    HashRange::new(start, end)
        .ok_or_else(|| Error::failed("keys on disk are outside the hash range of their subtask"))
}

/// The hash at the beginning of a key on disk.
fn hash_of(key: &[u8]) -> Result<u64, Error> {
    Ok(u64::from_be_bytes(pack::bytes(&mut &*key)?))
}

/// Keys as they stand on disk, which are asked for in order.
#[derive(Default)]
pub(crate) struct PackedSet {
    bytes: Vec<u8>,
    /// Where each begins and ends.
    keys: Vec<(usize, usize)>,
    /// All before this one have been passed.
    next: usize,
}

impl PackedSet {
    /// Adds the key that `put` appends.
    pub(crate) fn add(&mut self, put: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        let start = self.bytes.len();
        put(&mut self.bytes)?;
        self.keys.push((start, self.bytes.len()));
        Ok(())
    }

    fn sort(&mut self) {
        let PackedSet { bytes, keys, .. } = self;
        keys.sort_unstable_by(|a, b| bytes[a.0..a.1].cmp(&bytes[b.0..b.1]));
    }

    /// Whether it has `key`, which is greater than the last that was asked for. Once they are sorted.
    fn has_next(&mut self, key: &[u8]) -> bool {
        while let Some((start, end)) = self.keys.get(self.next) {
            match self.bytes[*start..*end].cmp(key) {
                Ordering::Less => self.next += 1,
                Ordering::Equal => return true,
                Ordering::Greater => return false,
            }
        }
        false
    }
}

/// Columns that are being filled.
struct Columns {
    states: Vec<Box<dyn SpilledRows>>,
    keys: Box<dyn KeyColumn>,
    count: usize,
    bytes: usize,
}

impl Columns {
    fn is_full(&self) -> bool {
        self.count >= GROUP_KEYS || self.bytes >= GROUP_BYTES
    }

    fn push(&mut self, hash: u64, key: &[u8], row: &[u8], everything: bool) -> Result<(), Error> {
        self.keys.push(hash, key.get(8..).unwrap_or_default())?;
        let mut sections = Header::read(row)?.sections;
        for state in &mut self.states {
            state.push_section(self.count as u32, row::section(&mut sections)?, everything)?;
        }
        self.count += 1;
        self.bytes += row.len();
        Ok(())
    }

    fn take(&mut self, whole: bool) -> Vec<KeyedRows> {
        let rows = self.states.iter_mut().map(|state| {
            let (slots, rows) = state.take();
            self.keys.of(&slots, rows, whole)
        });
        let rows = rows.collect();
        self.keys.clear();
        (self.count, self.bytes) = (0, 0);
        rows
    }
}

/// The keys of a group, whatever their type.
trait KeyColumn: Send {
    fn push(&mut self, hash: u64, key: &[u8]) -> Result<(), Error>;
    /// Rows with their keys, which stand at these places.
    fn of(&self, places: &Slabs<Slot>, rows: Box<dyn Rows>, whole: bool) -> KeyedRows;
    fn clear(&mut self);
}

struct PackedKeys<K> {
    hashes: Vec<u64>,
    keys: Vec<K>,
    field: FieldRef,
}

impl<K: StateValue> KeyColumn for PackedKeys<K> {
    fn push(&mut self, hash: u64, mut key: &[u8]) -> Result<(), Error> {
        self.hashes.push(hash);
        self.keys.push(unpack(&mut key)?);
        Ok(())
    }

    fn of(&self, places: &Slabs<Slot>, rows: Box<dyn Rows>, whole: bool) -> KeyedRows {
        let keys = TypedKeys {
            hashes: places.iter().map(|place| self.hashes[*place as usize]).collect(),
            keys: places.iter().map(|place| Some(self.keys[*place as usize].clone())).collect(),
            field: Arc::clone(&self.field),
        };
        KeyedRows { keys: Box::new(keys), rows, whole }
    }

    fn clear(&mut self) {
        self.hashes.clear();
        self.keys.clear();
    }
}
