//! State of an operator that belongs to no key.
//!
//! It is small (positions of sources, files to commit, rules), so its rows stand in the manifest itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use super::codec::StateValue;
use super::evolution::{Evolving, Outcome, Trouble, Values};
use crate::error::Error;

/// One operator state of a subtask, whatever its type.
pub(crate) trait OperatorStore {
    /// Its rows, each as JSON text.
    fn rows(&self) -> Result<Vec<String>, Error>;
    /// Replaces it by rows that were given to this subtask, read as was decided.
    fn restore(&mut self, rows: &[serde_json::Value], outcome: &Outcome) -> Result<(), Error>;
}

fn to_row<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::job(format!("operator state cannot be written as JSON: {error}")))
}

fn unread(row: &serde_json::Value, why: impl std::fmt::Display) -> Error {
    Error::snapshot(format!("operator state row {row} cannot be read: {why}"))
}

/// The elements of a list.
pub(crate) struct ListStore<T> {
    pub(crate) elements: Vec<T>,
    pub(crate) values: Values<T>,
}

impl<T: StateValue> OperatorStore for ListStore<T> {
    fn rows(&self) -> Result<Vec<String>, Error> {
        self.elements.iter().map(to_row).collect()
    }
    fn restore(&mut self, rows: &[serde_json::Value], outcome: &Outcome) -> Result<(), Error> {
        let read = |row| self.values.read_json(row, outcome.value).map_err(|why| unread(row, why));
        self.elements = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// A list of an operator. At restore its elements are dealt out evenly to the subtasks, or given whole to each,
/// as it was declared.
pub struct OperatorListState<T>(pub(crate) Rc<RefCell<ListStore<T>>>);

impl<T: StateValue> OperatorListState<T> {
    /// The elements that this subtask holds.
    pub fn get(&self) -> Vec<T> {
        self.0.borrow().elements.clone()
    }
    /// Replaces them.
    pub fn set(&self, elements: Vec<T>) {
        self.0.borrow_mut().elements = elements;
    }
    /// Appends one.
    pub fn add(&self, element: T) {
        self.0.borrow_mut().elements.push(element);
    }
}

/// The entries of a broadcast state, the same in every subtask.
pub(crate) struct BroadcastStore<K, V> {
    pub(crate) entries: BTreeMap<K, V>,
    pub(crate) keys: Values<K>,
    pub(crate) evolving: Evolving<V>,
}

impl<K: StateValue + Ord, V: StateValue> OperatorStore for BroadcastStore<K, V> {
    fn rows(&self) -> Result<Vec<String>, Error> {
        self.entries.iter().map(|entry| to_row(&entry)).collect()
    }
    fn restore(&mut self, rows: &[serde_json::Value], outcome: &Outcome) -> Result<(), Error> {
        self.entries.clear();
        for (place, row) in rows.iter().enumerate() {
            let (old_key, value) = match row.as_array().map(Vec::as_slice) {
                Some([key, value]) => (key, value),
                _ => return Err(unread(row, "expected a key and a value")),
            };
            let key = self.keys.read_json(old_key, outcome.key).map_err(|why| unread(row, why))?;
            let mut value =
                self.evolving.values.read_json(value, outcome.value).map_err(|why| unread(row, why))?;
            if let Some(before) = self.entries.remove(&key) {
                value = self.evolving.one_of(place, before, value).map_err(|trouble| match trouble {
                    Trouble::Collision(_) => {
                        let new = serde_json::to_string(&key).unwrap_or_default();
                        unread(
                            row,
                            format!("another key has become {new} too; say with .merge(…) how two make one"),
                        )
                    }
                    Trouble::Row(_, why) => unread(row, why),
                    Trouble::Other(error) => error,
                })?;
            }
            self.entries.insert(key, value);
        }
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
