//! Frozen rows on their way into a chunk.
//!
//! A worker copies rows out of a store (slot and value, typed); everything after that, sorting, encoding, hashing and
//! writing, happens on a background thread.

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt64Array, new_empty_array};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use arrow_select::interleave::interleave;
use std::ops::Range;
use std::sync::Arc;

use super::codec::{self, StateValue};
use super::descriptor::Ttl;
use super::keys::{self, KeyTable};
use super::order::{Place, Room, hash_of, is_live, place, row_of, sorted};
use super::slabs::Slabs;
use super::slot_table::Slot;
use crate::error::Error;
use crate::time::millis;

/// Rows copied from one store, in no order, without their keys.
pub(crate) trait Rows: Send {
    /// Takes out the columns after the key, with the rows in `order`.
    fn take_columns(&mut self, order: &[u32]) -> Result<Columns, Error>;
    /// Which rows are tombstones.
    fn deleted(&self) -> &Slabs<bool>;
}

/// The keys of the rows of one store, resolved while the slots are still valid.
pub(crate) trait Keys: Send {
    fn hashes(&self) -> &Slabs<u64>;
    /// Takes out the column, with the rows in `order`.
    fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error>;
}

/// Rows whose keys become a column together: few columns, as each row's key is looked for in one of them.
const PART_ROWS: usize = 4096;

/// Keys that became columns while they were copied, and their hashes. A copy of each would take memory of its own, which
/// another thread would give back: for texts that costs more than all the rest.
pub(crate) struct KeyColumns {
    hashes: Slabs<u64>,
    parts: Vec<ArrayRef>,
    field: FieldRef,
    problem: Option<Error>,
}

impl KeyColumns {
    pub(crate) fn new(field: FieldRef, hashes: Slabs<u64>) -> Self {
        KeyColumns { hashes, parts: Vec::new(), field, problem: None }
    }

    /// Takes the keys in those of `slots` that have come since the last time: as many as make whole parts, or, as no
    /// more will come, `all` of them.
    pub(crate) fn extend<K: StateValue + Eq>(&mut self, slots: &Slabs<Slot>, keys: &KeyTable<K>, all: bool) {
        loop {
            let from = self.hashes.len();
            let part = PART_ROWS.min(slots.len() - from);
            if part == 0 || (part < PART_ROWS && !all) {
                return;
            }
            let keys: Vec<&K> = (from..from + part).map(|row| keys.key(slots[row])).collect();
            self.hashes.extend(keys.iter().map(|key| keys::hash(*key)));
            match codec::encode(&self.field, &keys) {
                Ok(part) => self.parts.push(part),
                Err(problem) => self.problem = self.problem.take().or(Some(problem)),
            }
        }
    }
}

impl Keys for KeyColumns {
    fn hashes(&self) -> &Slabs<u64> {
        &self.hashes
    }
    fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        if order.is_empty() {
            return Ok((Arc::clone(&self.field), new_empty_array(self.field.data_type())));
        }
        let parts: Vec<&dyn Array> = self.parts.iter().map(|part| &**part).collect();
        let places = order.iter().map(|row| (*row as usize / PART_ROWS, *row as usize % PART_ROWS));
        let column = interleave(&parts, &places.collect::<Vec<_>>());
        let column = column.map_err(|error| Error::job(format!("column '{}': {error}", self.field.name())))?;
        Ok((Arc::clone(&self.field), column))
    }
}

/// Keys of type `K` and their hashes, one a row.
pub(crate) struct TypedKeys<K> {
    pub(crate) hashes: Slabs<u64>,
    pub(crate) keys: Slabs<Option<K>>,
    pub(crate) field: FieldRef,
}

/// Takes values out in another order. They come from all over memory: to gather them first, in a loop that does nothing
/// else, lets the processor fetch several at once. Where nothing is to be freed they are left there, as memory that is not
/// written need not be written back.
pub(crate) fn take<T: Clone>(values: &mut Slabs<Option<T>>, order: &[u32]) -> Vec<Option<T>> {
    let rows = order.iter().map(|row| *row as usize);
    if std::mem::needs_drop::<T>() {
        rows.map(|row| values[row].take()).collect()
    } else {
        rows.map(|row| values[row].clone()).collect()
    }
}

impl<K: StateValue> Keys for TypedKeys<K> {
    fn hashes(&self) -> &Slabs<u64> {
        &self.hashes
    }
    fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error> {
        let keys = take(&mut self.keys, order);
        Ok((Arc::clone(&self.field), codec::encode(&self.field, &keys)?))
    }
}

/// The rows of one state, with their keys, as they were copied.
pub(crate) struct KeyedRows {
    pub(crate) keys: Box<dyn Keys>,
    pub(crate) rows: Box<dyn Rows>,
    /// Whether they are all that the state has, rather than what changed.
    pub(crate) whole: bool,
}

impl KeyedRows {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.hashes().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.hashes().len()
    }

    /// Sorts the rows. If they are the whole of a state, tombstones are left out.
    pub(crate) fn sorted(self, mut room: Room) -> Result<SortedRows, Error> {
        let KeyedRows { keys, rows, whole } = self;
        if u32::try_from(keys.hashes().len()).is_err() {
            return Err(Error::job("more than 2^32 rows in one part of a snapshot"));
        }
        let slabs = keys.hashes().slices().zip(rows.deleted().slices()).rev();
        let from_behind = slabs.flat_map(|(hashes, deleted)| hashes.iter().zip(deleted).rev());
        let len = keys.hashes().len();
        let mut row = len;
        let places = from_behind.map(|(hash, deleted)| {
            row -= 1;
            // Whether there are as many as a row's number can say was looked at.
            place(*hash, !deleted, row as u32)
        });
        let order = sorted(places.filter(|place| !whole || is_live(*place)), len, &mut room);
        Ok(SortedRows { keys, rows, order, room })
    }
}

/// Columns after the key.
type Columns = Vec<(FieldRef, ArrayRef)>;

/// The rows of one state: by hash, and tombstones before the rows that replace them.
pub(crate) struct SortedRows {
    keys: Box<dyn Keys>,
    rows: Box<dyn Rows>,
    order: Vec<Place>,
    room: Room,
}

impl SortedRows {
    /// Divides the rows into batches of so many, or hardly more, as those of one hash stay together; at least one.
    pub(crate) fn batches(&self, rows: usize) -> Vec<Range<usize>> {
        let mut batches = Vec::with_capacity(self.order.len() / rows + 1);
        let mut from = 0_usize;
        loop {
            let mut to = from.saturating_add(rows).min(self.order.len());
            while to < self.order.len() && hash_of(self.order[to]) == hash_of(self.order[to - 1]) {
                to += 1;
            }
            batches.push(from..to);
            if to == self.order.len() {
                return batches;
            }
            from = to;
        }
    }

    /// The greatest hash of a batch, if it has rows.
    pub(crate) fn last_hash(&self, batch: &Range<usize>) -> Option<u64> {
        self.order[batch.clone()].last().map(|place| hash_of(*place))
    }

    /// Takes out the rows of a batch.
    pub(crate) fn batch(&mut self, batch: Range<usize>) -> Result<RecordBatch, Error> {
        let places = &self.order[batch];
        let rows: Vec<u32> = places.iter().map(|place| row_of(*place)).collect();
        let hashes: Vec<u64> = places.iter().map(|place| hash_of(*place)).collect();
        let gone: Vec<bool> = places.iter().map(|place| !is_live(*place)).collect();
        let hash: ArrayRef = Arc::new(UInt64Array::from(hashes));
        let mut columns = vec![(field("hash", DataType::UInt64), hash), self.keys.take_column(&rows)?];
        columns.extend(self.rows.take_columns(&rows)?);
        columns.push((field("deleted", DataType::Boolean), Arc::new(BooleanArray::from(gone))));
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| Error::job(format!("a chunk: {error}")))
    }

    /// The room for the next ones.
    pub(crate) fn into_room(mut self) -> Room {
        self.room.give(self.order);
        self.room
    }
}

fn field(name: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type, false))
}

/// The column for expiry: milliseconds since 1970, null where a row does not expire.
pub(crate) fn expiry_column(order: &[u32], expiries: &Slabs<Option<i64>>) -> (FieldRef, ArrayRef) {
    let array = Int64Array::from_iter(order.iter().map(|row| expiries[*row as usize]));
    (Arc::new(Field::new("expires_at", DataType::Int64, true)), Arc::new(array))
}

/// For each row that is taken up by a state with the time to live `ttl`, when it expires; `None` if it has expired. What
/// had no expiry gets one from `now`.
pub(crate) fn expiries(batch: &RecordBatch, ttl: Option<Ttl>, now: i64) -> Result<Vec<Option<i64>>, Error> {
    let known: Vec<Option<i64>> = match batch.column_by_name("expires_at") {
        Some(_) => codec::decode_column(batch, "expires_at")?,
        None => vec![None; batch.num_rows()],
    };
    let fresh = ttl.map_or(i64::MAX, |ttl| now.saturating_add(millis(ttl.duration)));
    Ok(known
        .into_iter()
        .map(|known| match known {
            Some(expires_at) if expires_at <= now => None,
            Some(expires_at) if ttl.is_some() => Some(expires_at),
            _ => Some(fresh),
        })
        .collect())
}
