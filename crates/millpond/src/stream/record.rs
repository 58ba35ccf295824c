//! What travels on a stream.

use std::fmt::{self, Debug};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// What can be a record: it can be copied to several consumers, sent to another worker or process, and shown in an
/// error.
///
/// Between the workers of one process records are moved. Between processes they are written with `bincode`, which does not
/// name fields: a type that is sent must not use `skip_serializing_if`, `flatten`, `untagged` or anything else that needs
/// a format that describes itself. State and files have no such limit.
pub trait Data: Clone + Debug + Serialize + DeserializeOwned + Send + 'static {}
impl<T: Clone + Debug + Serialize + DeserializeOwned + Send + 'static> Data for T {}

/// What can be a key: besides, equality is what counts, and `millpond_snapshot::hash` can turn it into canonical bytes.
pub trait Key: Data + Eq {}
impl<T: Data + Eq> Key for T {}

/// A value and when it happened.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Record<T> {
    pub(crate) timestamp: EventTime,
    pub(crate) value: T,
}

impl<T> Record<T> {
    /// When it happened.
    pub(crate) fn time(&self) -> EventTime {
        self.timestamp
    }
}

impl<T: Debug> Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)?;
        if self.timestamp != EventTime::MIN {
            write!(f, " at {}", self.timestamp)?;
        }
        Ok(())
    }
}

/// A record and its key; the hash goes along, so that it is computed once.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeyedRecord<K, T> {
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) record: Record<T>,
}

impl<K: Debug, T: Debug> Debug for KeyedRecord<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (key {:?})", self.record, self.key)
    }
}
