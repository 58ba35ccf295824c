//! Rows of keyed state as Rust values.

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::FieldRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

use crate::Result;
use crate::chunk::{EXPIRES_AT, KEY, MAP_KEY, StateKind, TIMESTAMP, VALUE};
use crate::typed;

/// A row of a keyed state: a [`ValueRow`], a [`MapRow`] or a [`TimerRow`].
///
/// Which columns a state has follows from the types of its rows, as in the job that keeps it.
pub trait StateRow: Sized + Send + 'static {
    /// The type of the key.
    type Key: Serialize;

    /// What two rows of one key differ in: the value. Timers have none.
    type Value;

    /// The kinds of state that have such rows; the first is the usual one.
    const KINDS: &'static [StateKind];

    /// The columns that differ from state to state, with their names: `key`, and `map_key` and `value` where the kind
    /// has them.
    fn columns() -> Result<Vec<FieldRef>>;

    /// The key.
    fn key(&self) -> &Self::Key;

    /// When the row is to be forgotten, in milliseconds since 1970-01-01 UTC; `None` for never.
    fn expires_at(&self) -> Option<i64>;

    /// What tells the row from others of its state, for people.
    fn unit(&self) -> String;

    /// One row of two of the same key (in a map, of the same key and map key), with the value that `merge` makes of
    /// theirs. It lives as long as either.
    fn merged<E>(
        self,
        other: Self,
        merge: impl FnOnce(Self::Value, Self::Value) -> std::result::Result<Self::Value, E>,
    ) -> std::result::Result<Self, E>;

    /// The columns behind the hash, without expiry. `columns` are as [`StateRow::columns`] says, or the same with
    /// other names and nullability.
    fn encode(columns: &[FieldRef], rows: &[Self]) -> Result<Vec<ArrayRef>>;

    /// Rows from a batch that was read.
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>>;
}

/// A key and its value, list or accumulator: rows of value, list, reducing and aggregating state. The value of list
/// state is a `Vec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueRow<K, V> {
    /// The key.
    pub key: K,
    /// Its value.
    pub value: V,
    /// When it is to be forgotten, in milliseconds since 1970-01-01 UTC; only in states with a time to live.
    pub expires_at: Option<i64>,
}

/// An entry of the map of a key: rows of map state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRow<K, M, V> {
    /// The key.
    pub key: K,
    /// The key within the map.
    pub map_key: M,
    /// What stands there.
    pub value: V,
    /// When it is to be forgotten, in milliseconds since 1970-01-01 UTC; only in states with a time to live.
    pub expires_at: Option<i64>,
}

/// A timer of a key: rows of timer state. Every keyed operator has two, `event-timers` and `processing-timers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimerRow<K> {
    /// The key.
    pub key: K,
    /// When it fires, in milliseconds since 1970-01-01 UTC.
    pub timestamp: i64,
}

impl<K, V> ValueRow<K, V> {
    /// A row that does not expire.
    pub fn new(key: K, value: V) -> Self {
        ValueRow { key, value, expires_at: None }
    }
}

impl<K, M, V> MapRow<K, M, V> {
    /// A row that does not expire.
    pub fn new(key: K, map_key: M, value: V) -> Self {
        MapRow { key, map_key, value, expires_at: None }
    }
}

impl<K> TimerRow<K> {
    /// A timer.
    pub fn new(key: K, timestamp: i64) -> Self {
        TimerRow { key, timestamp }
    }
}

/// What can stand in a column.
pub trait Column: Serialize + DeserializeOwned + Send + 'static {}
impl<T: Serialize + DeserializeOwned + Send + 'static> Column for T {}

/// When a row expires that two are merged into: as late as either, and never if one of them does not.
fn longer(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.zip(other).map(|(one, other)| one.max(other))
}

impl<K: Column, V: Column> StateRow for ValueRow<K, V> {
    type Key = K;
    type Value = V;
    const KINDS: &'static [StateKind] =
        &[StateKind::Value, StateKind::List, StateKind::Reducing, StateKind::Aggregating];

    fn columns() -> Result<Vec<FieldRef>> {
        Ok(vec![typed::key_column::<K>(KEY)?, typed::column::<V>(VALUE)?])
    }
    fn key(&self) -> &K {
        &self.key
    }
    fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }
    fn unit(&self) -> String {
        shown(&self.key)
    }
    fn merged<E>(
        self,
        other: Self,
        merge: impl FnOnce(V, V) -> std::result::Result<V, E>,
    ) -> std::result::Result<Self, E> {
        let expires_at = longer(self.expires_at, other.expires_at);
        Ok(ValueRow { key: self.key, value: merge(self.value, other.value)?, expires_at })
    }
    fn encode(columns: &[FieldRef], rows: &[Self]) -> Result<Vec<ArrayRef>> {
        let keys: Vec<&K> = rows.iter().map(|row| &row.key).collect();
        let values: Vec<&V> = rows.iter().map(|row| &row.value).collect();
        Ok(vec![typed::encode(&columns[0], &keys)?, typed::encode(&columns[1], &values)?])
    }
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>> {
        let (keys, values) = (typed::decode_column::<K>(batch, KEY)?, typed::decode_column::<V>(batch, VALUE)?);
        let rows = keys.into_iter().zip(values).zip(expiries(batch)?);
        Ok(rows.map(|((key, value), expires_at)| ValueRow { key, value, expires_at }).collect())
    }
}

impl<K: Column, M: Column, V: Column> StateRow for MapRow<K, M, V> {
    type Key = K;
    type Value = V;
    const KINDS: &'static [StateKind] = &[StateKind::Map];

    fn columns() -> Result<Vec<FieldRef>> {
        Ok(vec![typed::key_column::<K>(KEY)?, typed::key_column::<M>(MAP_KEY)?, typed::column::<V>(VALUE)?])
    }
    fn key(&self) -> &K {
        &self.key
    }
    fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }
    fn unit(&self) -> String {
        format!("{}, {}", shown(&self.key), shown(&self.map_key))
    }
    fn merged<E>(
        self,
        other: Self,
        merge: impl FnOnce(V, V) -> std::result::Result<V, E>,
    ) -> std::result::Result<Self, E> {
        let expires_at = longer(self.expires_at, other.expires_at);
        Ok(MapRow { key: self.key, map_key: self.map_key, value: merge(self.value, other.value)?, expires_at })
    }
    fn encode(columns: &[FieldRef], rows: &[Self]) -> Result<Vec<ArrayRef>> {
        let keys: Vec<&K> = rows.iter().map(|row| &row.key).collect();
        let map_keys: Vec<&M> = rows.iter().map(|row| &row.map_key).collect();
        let values: Vec<&V> = rows.iter().map(|row| &row.value).collect();
        Ok(vec![
            typed::encode(&columns[0], &keys)?,
            typed::encode(&columns[1], &map_keys)?,
            typed::encode(&columns[2], &values)?,
        ])
    }
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>> {
        let (keys, map_keys) =
            (typed::decode_column::<K>(batch, KEY)?, typed::decode_column::<M>(batch, MAP_KEY)?);
        let values = typed::decode_column::<V>(batch, VALUE)?;
        let rows = keys.into_iter().zip(map_keys).zip(values).zip(expiries(batch)?);
        let row = |(((key, map_key), value), expires_at)| MapRow { key, map_key, value, expires_at };
        Ok(rows.map(row).collect())
    }
}

impl<K: Column> StateRow for TimerRow<K> {
    type Key = K;
    type Value = ();
    const KINDS: &'static [StateKind] = &[StateKind::Timers];

    fn columns() -> Result<Vec<FieldRef>> {
        Ok(vec![typed::key_column::<K>(KEY)?])
    }
    fn key(&self) -> &K {
        &self.key
    }
    fn expires_at(&self) -> Option<i64> {
        None
    }
    fn unit(&self) -> String {
        format!("{} at {}", shown(&self.key), self.timestamp)
    }
    fn merged<E>(
        self,
        _: Self,
        _: impl FnOnce((), ()) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        Ok(self)
    }
    fn encode(columns: &[FieldRef], rows: &[Self]) -> Result<Vec<ArrayRef>> {
        let keys: Vec<&K> = rows.iter().map(|row| &row.key).collect();
        let timestamps = Int64Array::from_iter_values(rows.iter().map(|row| row.timestamp));
        Ok(vec![typed::encode(&columns[0], &keys)?, Arc::new(timestamps)])
    }
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>> {
        let keys = typed::decode_column::<K>(batch, KEY)?;
        let timestamps = typed::decode_column::<i64>(batch, TIMESTAMP)?;
        Ok(keys.into_iter().zip(timestamps).map(|(key, timestamp)| TimerRow { key, timestamp }).collect())
    }
}

fn expiries(batch: &RecordBatch) -> Result<Vec<Option<i64>>> {
    match batch.column_by_name(EXPIRES_AT) {
        Some(_) => typed::decode_column(batch, EXPIRES_AT),
        None => Ok(vec![None; batch.num_rows()]),
    }
}

/// A key as messages show it.
fn shown<T: Serialize>(key: &T) -> String {
    serde_json::to_string(key).unwrap_or_else(|_| "that cannot be shown".to_owned())
}
