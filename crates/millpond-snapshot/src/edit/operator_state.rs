//! State that belongs to an operator and not to keys: its rows stand in the manifest, and are few.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Edit;
use super::change::Change;
use super::open::state_id;
use crate::chunk::{KEY, StateKind, VALUE};
use crate::ids::{OperatorUid, StateName};
use crate::manifest::SchemaFields;
use crate::repository::StateId;
use crate::typed;
use crate::{Error, Result};

impl Edit {
    /// The rows of an operator's list or union state, or the entries of its broadcast state, as pairs.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such state, [`Error::InvalidInput`] if its rows belong to keys or are not of
    /// type `T`.
    pub fn operator_rows<T: DeserializeOwned>(&mut self, uid: &OperatorUid, name: &StateName) -> Result<Vec<T>> {
        let id = state_id(uid, name);
        let rows = self.inline(&id)?.iter();
        let read = rows.map(|row| {
            T::deserialize(row).map_err(|error| Error::InvalidInput(format!("{id}: row {row}: {error}")))
        });
        read.collect()
    }

    /// Replaces the rows of an operator's list or union state, or the entries of its broadcast state. They must be of
    /// the same type as before.
    ///
    /// # Errors
    /// As [`Edit::operator_rows`], also where the new rows do not read back as type `T`.
    pub fn set_operator_rows<T: Serialize + DeserializeOwned>(
        &mut self,
        uid: &OperatorUid,
        name: &StateName,
        rows: &[T],
    ) -> Result<()> {
        let id = state_id(uid, name);
        let read = self.operator_rows::<T>(uid, name)?.len() as u64;
        let rows = to_json(&id, rows)?;
        let written = rows.len() as u64;
        *self.inline(&id)? = rows;
        self.changes.push(Change::Rewritten { state: id, read, written });
        Ok(())
    }

    /// A new list state, whose rows are dealt out to the subtasks at a restore, or union state, whose rows are given
    /// whole to each.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the state is there, [`Error::InvalidInput`] if `kind` is neither.
    pub fn bootstrap_list<T: Serialize + DeserializeOwned>(
        &mut self,
        uid: &OperatorUid,
        name: &StateName,
        kind: StateKind,
        rows: &[T],
    ) -> Result<()> {
        if !matches!(kind, StateKind::OperatorList | StateKind::OperatorUnion) {
            return Err(Error::InvalidInput(format!("{uid}/{name}: {kind} state is no list of an operator")));
        }
        let value = SchemaFields::new(vec![typed::column::<T>(VALUE)?])?;
        self.add_inline(uid, name, kind, None, value, rows)
    }

    /// A new broadcast state.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the state is there.
    pub fn bootstrap_broadcast<K, V>(
        &mut self,
        uid: &OperatorUid,
        name: &StateName,
        entries: &[(K, V)],
    ) -> Result<()>
    where
        K: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        let key = SchemaFields::new(vec![typed::column::<K>(KEY)?])?;
        let value = SchemaFields::new(vec![typed::column::<V>(VALUE)?])?;
        self.add_inline(uid, name, StateKind::Broadcast, Some(key), value, entries)
    }

    fn add_inline<T: Serialize>(
        &mut self,
        uid: &OperatorUid,
        name: &StateName,
        kind: StateKind,
        key: Option<SchemaFields>,
        value: SchemaFields,
        rows: &[T],
    ) -> Result<()> {
        let id = state_id(uid, name);
        let json = to_json(&id, rows)?;
        let state = self.add_state(&id, kind)?;
        (state.key_schema, state.value_schema, state.rows_inline) = (key, Some(value), Some(json));
        self.changes.push(Change::Created { state: id, kind, rows: rows.len() as u64 });
        Ok(())
    }

    fn inline(&mut self, id: &StateId) -> Result<&mut Vec<Value>> {
        let state = self.state_mut(id)?;
        let kind = state.kind;
        state.rows_inline.as_mut().ok_or_else(|| {
            Error::InvalidInput(format!(
                "{id} is {kind} state, whose rows belong to keys; change them with state(…)"
            ))
        })
    }
}

fn to_json<T: Serialize>(id: &StateId, rows: &[T]) -> Result<Vec<Value>> {
    let json = rows.iter().map(serde_json::to_value).collect::<std::result::Result<_, _>>();
    json.map_err(|error| Error::InvalidInput(format!("{id}: a row cannot be written as JSON: {error}")))
}
