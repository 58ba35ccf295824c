//! State of an operator that belongs to no key.
//!
//! It is small (positions of sources, files to commit, rules), so its rows stand in the manifest itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::StateValue;
use crate::error::Error;

/// One operator state of a subtask, whatever its type.
pub(crate) trait OperatorStore {
    /// Its rows, each as JSON text.
    fn rows(&self) -> Result<Vec<String>, Error>;
    /// Replaces it by rows that were given to this subtask.
    fn restore(&mut self, rows: &[serde_json::Value]) -> Result<(), Error>;
}

fn to_row<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::job(format!("operator state cannot be written as JSON: {error}")))
}

fn from_row<T: DeserializeOwned>(row: &serde_json::Value) -> Result<T, Error> {
    serde_json::from_value(row.clone())
        .map_err(|error| Error::snapshot(format!("operator state row {row} cannot be read: {error}")))
}

impl<T: StateValue> OperatorStore for Vec<T> {
    fn rows(&self) -> Result<Vec<String>, Error> {
        self.iter().map(to_row).collect()
    }
    fn restore(&mut self, rows: &[serde_json::Value]) -> Result<(), Error> {
        *self = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// A list of an operator. At restore its elements are dealt out evenly to the subtasks, or given whole to each,
/// as it was declared.
pub struct OperatorListState<T>(pub(crate) Rc<RefCell<Vec<T>>>);

impl<T: StateValue> OperatorListState<T> {
    /// The elements that this subtask holds.
    pub fn get(&self) -> Vec<T> {
        self.0.borrow().clone()
    }
    /// Replaces them.
    pub fn set(&self, elements: Vec<T>) {
        *self.0.borrow_mut() = elements;
    }
    /// Appends one.
    pub fn add(&self, element: T) {
        self.0.borrow_mut().push(element);
    }
}

/// The entries of a broadcast state, the same in every subtask.
pub(crate) struct BroadcastStore<K, V> {
    pub(crate) entries: BTreeMap<K, V>,
}

impl<K: StateValue + Ord, V: StateValue> OperatorStore for BroadcastStore<K, V> {
    fn rows(&self) -> Result<Vec<String>, Error> {
        self.entries.iter().map(|entry| to_row(&entry)).collect()
    }
    fn restore(&mut self, rows: &[serde_json::Value]) -> Result<(), Error> {
        self.entries = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// A map that every subtask has whole. Only records of the broadcast side may change it, the same way in every subtask.
pub struct BroadcastState<K, V> {
    pub(crate) store: Rc<RefCell<BroadcastStore<K, V>>>,
    pub(crate) writable: Rc<Cell<bool>>,
}

impl<K: StateValue + Ord, V: StateValue> BroadcastState<K, V> {
    /// The value under `key`.
    pub fn get(&self, key: &K) -> Option<V> {
        self.store.borrow().entries.get(key).cloned()
    }
    /// All entries, sorted by key.
    pub fn entries(&self) -> Vec<(K, V)> {
        self.store.borrow().entries.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }
    /// Puts a value under `key`.
    ///
    /// # Errors
    /// When called for a record of the keyed side: the subtasks would no longer hold the same.
    pub fn insert(&self, key: K, value: V) -> Result<(), Error> {
        self.writable()?;
        self.store.borrow_mut().entries.insert(key, value);
        Ok(())
    }
    /// Removes what is under `key`.
    ///
    /// # Errors
    /// As [`BroadcastState::insert`].
    pub fn remove(&self, key: &K) -> Result<(), Error> {
        self.writable()?;
        self.store.borrow_mut().entries.remove(key);
        Ok(())
    }
    fn writable(&self) -> Result<(), Error> {
        if self.writable.get() {
            Ok(())
        } else {
            Err(Error::job(
                "broadcast state can be changed only while a record of the broadcast side is processed",
            ))
        }
    }
}
