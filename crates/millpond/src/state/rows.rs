//! Frozen rows on their way into a chunk.
//!
//! A worker copies rows out of a store (slot and value, typed); everything after that, sorting, encoding, hashing and
//! writing, happens on a background thread.

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use millpond_snapshot::hash::HashRange;
use serde::Serialize;
use std::sync::Arc;

use super::codec;
use super::descriptor::Ttl;
use super::slabs::Slabs;
use crate::error::Error;
use crate::time::millis;

/// Rows copied from one store, in no order, without their keys.
pub(crate) trait Rows: Send {
    /// Takes out the columns after the key, with the rows in `order`.
    fn take_columns(&mut self, order: &[u32]) -> Result<Vec<(FieldRef, ArrayRef)>, Error>;
    /// Which rows are tombstones.
    fn deleted(&self) -> &Slabs<bool>;
}

/// The keys of the rows of one store, resolved while the slots are still valid.
pub(crate) trait Keys: Send {
    fn hashes(&self) -> &Slabs<u64>;
    /// Takes out the column, with the rows in `order`.
    fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error>;
}

/// Keys of type `K` and their hashes, one a row.
pub(crate) struct TypedKeys<K> {
    pub(crate) hashes: Slabs<u64>,
    pub(crate) keys: Slabs<Option<K>>,
    pub(crate) field: FieldRef,
}

/// Takes values out in another order. They come from all over memory: to gather them first, in a loop that does nothing
/// else, lets the processor fetch several at once.
pub(crate) fn take<T>(values: &mut Slabs<Option<T>>, order: &[u32]) -> Vec<Option<T>> {
    order.iter().map(|row| values[*row as usize].take()).collect()
}

impl<K: Serialize + Send> Keys for TypedKeys<K> {
    fn hashes(&self) -> &Slabs<u64> {
        &self.hashes
    }
    fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error> {
        let keys = take(&mut self.keys, order);
        Ok((Arc::clone(&self.field), codec::encode(&self.field, &keys)?))
    }
}

/// The rows of one state, with their keys, ready to be encoded.
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

    /// The rows as batches of about `most` rows, each with its part of `range`; sorted by hash, tombstones before the
    /// rows that replace them. If the rows are the whole of a state, tombstones are left out.
    pub(crate) fn into_batches(
        mut self,
        range: HashRange,
        most: usize,
    ) -> Result<Vec<(HashRange, RecordBatch)>, Error> {
        let order = self.order()?;
        let mut batches = Vec::new();
        let (mut from, mut start) = (0, range.start());
        loop {
            let mut to = (from + most).min(order.len());
            while to < order.len() && order[to].hash == order[to - 1].hash {
                to += 1;
            }
            let end = if to == order.len() { range.end() } else { order[to].hash - 1 };
            let part = HashRange::new(start, end)
                .ok_or_else(|| Error::job("rows outside the hash range of their subtask"))?;
            batches.push((part, self.batch(&order[from..to])?));
            if to == order.len() {
                return Ok(batches);
            }
            (from, start) = (to, end + 1);
        }
    }

    fn order(&self) -> Result<Vec<Place>, Error> {
        let (hashes, deleted) = (self.keys.hashes(), self.rows.deleted());
        let rows = u32::try_from(hashes.len())
            .map_err(|_| Error::job("more than 2^32 rows in one part of a snapshot"))?;
        let kept = (0..rows).filter(|row| !(self.whole && deleted[*row as usize]));
        let place = |row: u32| Place { hash: hashes[row as usize], live: !deleted[row as usize], row };
        let mut order: Vec<Place> = kept.map(place).collect();
        order.sort_unstable();
        Ok(order)
    }

    fn batch(&mut self, places: &[Place]) -> Result<RecordBatch, Error> {
        let hash: ArrayRef = Arc::new(UInt64Array::from_iter_values(places.iter().map(|place| place.hash)));
        let gone: ArrayRef = Arc::new(BooleanArray::from_iter(places.iter().map(|place| Some(!place.live))));
        let order: Vec<u32> = places.iter().map(|place| place.row).collect();
        let mut columns = vec![(field("hash", DataType::UInt64), hash), self.keys.take_column(&order)?];
        columns.extend(self.rows.take_columns(&order)?);
        columns.push((field("deleted", DataType::Boolean), gone));
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map_err(|error| Error::job(format!("a chunk: {error}")))
    }
}

/// A row's place in a chunk: by hash, tombstones before the rows that replace them, and as they were copied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    hash: u64,
    live: bool,
    row: u32,
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
