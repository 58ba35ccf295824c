//! Beginning an edit, and the changes that cost nothing: other names, and less.

use std::time::Instant;

use super::change::Change;
use super::fresh::Fresh;
use crate::chunk::StateKind;
use crate::ids::{Epoch, JobName, OperatorUid, Sequence, StateName};
use crate::log::{CopiedFrom, SnapshotId};
use crate::manifest::{Manifest, OperatorSnapshot, StateSnapshot, UidSource};
use crate::repository::deposit::{carry, objects, room};
use crate::repository::{Resolved, StateId};
use crate::state;
use crate::store::Store;
use crate::{Error, Result};

/// A snapshot in the making. See the [module](super) for an example.
pub struct Edit {
    /// Where it will stand.
    pub(super) store: Store,
    pub(super) job: JobName,
    pub(super) origin: Option<Origin>,
    pub(super) manifest: Manifest,
    pub(super) fresh: Fresh,
    pub(super) changes: Vec<Change>,
    /// Bytes of rows that are held while they are sorted.
    pub(super) sort_budget: usize,
    pub(super) begun: Instant,
}

/// The snapshot that is edited.
pub(super) struct Origin {
    pub(super) found: Resolved,
    /// Whether its chunks are in the store that the result will stand in.
    here: bool,
    /// Whether it is an entry of that store.
    pub(super) same_store: bool,
}

impl Edit {
    /// Begins to edit a snapshot. The result will be a savepoint of `job` in `store`: the job whose snapshot it is, if
    /// that does not run, or another, which may be new. If the snapshot stands in another store or in an exported
    /// directory, what the result needs of it is copied.
    ///
    /// # Errors
    /// [`Error::Conflict`] if `job` has a run that has not ended: an entry in its log would end it.
    pub async fn of(snapshot: &Resolved, store: &Store, job: &JobName) -> Result<Edit> {
        let record = snapshot.record()?;
        let mut edit = Edit::of_nothing(store, job).await?;
        edit.manifest = Manifest { job: job.clone(), ..record.manifest.clone() };
        let same_store = snapshot.store.is_same(store);
        edit.origin = Some(Origin { found: snapshot.clone(), here: same_store, same_store });
        Ok(edit)
    }

    /// Begins with a snapshot that holds nothing, to be filled: what a job is to start with that never ran.
    ///
    /// # Errors
    /// As [`Edit::of`].
    pub async fn of_nothing(store: &Store, job: &JobName) -> Result<Edit> {
        room(store, job, "an edit").await?;
        Ok(Edit {
            store: store.clone(),
            job: job.clone(),
            origin: None,
            manifest: Manifest::new(job.clone(), Epoch(0)),
            fresh: Fresh::new(store),
            changes: Vec::new(),
            sort_budget: state::BUDGET,
            begun: Instant::now(),
        })
    }

    /// Only finds out what would be changed: nothing is written, and nothing can be published. The rows of a state can
    /// be changed once.
    pub fn dry_run(&mut self) {
        self.fresh.dry_run = true;
    }

    /// How many bytes of rows are held while rows are sorted, 64 MiB unless told. With the copies that sorting makes,
    /// an edit takes about three times that, and the chunk that it writes.
    pub fn sort_budget(&mut self, bytes: usize) {
        self.sort_budget = bytes;
    }

    /// What has been changed so far, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The manifest as it stands.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Gives an operator another uid. Its states are named again, and not written again.
    ///
    /// Uids that the engine derives depend on those of an operator's inputs: where operators behind this one have no
    /// uids of their own, `JOB check` says which have to be renamed too.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such operator, [`Error::Conflict`] if there is one of the new uid.
    pub fn rename_operator(&mut self, from: &OperatorUid, to: &OperatorUid) -> Result<()> {
        if self.manifest.operator(to).is_some() {
            return Err(Error::Conflict(format!(
                "operator {from} cannot be renamed to {to}: there is an operator of that uid; delete or rename it first"
            )));
        }
        let operator = self.operator_mut(from)?;
        operator.uid = to.clone();
        operator.uid_source = UidSource::Given;
        self.changes.push(Change::OperatorRenamed { from: from.clone(), to: to.clone() });
        Ok(())
    }

    /// Gives a state another name. Its chunks are named again, and not written again.
    ///
    /// # Errors
    /// As [`Edit::rename_operator`].
    pub fn rename_state(&mut self, uid: &OperatorUid, from: &StateName, to: &StateName) -> Result<()> {
        let id = state_id(uid, from);
        if self.operator_mut(uid)?.state(to).is_some() {
            return Err(Error::Conflict(format!(
                "state {id} cannot be renamed to {to}: the operator has a state of that name; delete or rename it first"
            )));
        }
        self.state_mut(&id)?.name = to.clone();
        self.changes.push(Change::StateRenamed { from: id, to: to.clone() });
        Ok(())
    }

    /// Leaves a state out.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such state.
    pub fn delete_state(&mut self, uid: &OperatorUid, name: &StateName) -> Result<()> {
        let id = state_id(uid, name);
        let rows = self.state_mut(&id)?.rows();
        self.operator_mut(uid)?.states.retain(|state| state.name != *name);
        self.changes.push(Change::StateDeleted { state: id, rows });
        Ok(())
    }

    /// Leaves an operator out, with all its states.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such operator.
    pub fn delete_operator(&mut self, uid: &OperatorUid) -> Result<()> {
        let names: Vec<StateName> =
            self.operator_mut(uid)?.states.iter().map(|state| state.name.clone()).collect();
        for name in names {
            self.delete_state(uid, &name)?;
        }
        self.manifest.operators.retain(|operator| operator.uid != *uid);
        Ok(())
    }

    pub(super) fn operator_mut(&mut self, uid: &OperatorUid) -> Result<&mut OperatorSnapshot> {
        match self.manifest.operators.iter().position(|operator| operator.uid == *uid) {
            Some(at) => Ok(&mut self.manifest.operators[at]),
            None => {
                let there: Vec<&str> = self.manifest.operators.iter().map(|o| o.uid.as_str()).collect();
                let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                Err(Error::NotFound(format!("the snapshot has no operator {uid}; it has {there}")))
            }
        }
    }

    pub(super) fn state_mut(&mut self, id: &StateId) -> Result<&mut StateSnapshot> {
        let operator = self.operator_mut(&id.operator)?;
        match operator.states.iter().position(|state| state.name == id.state) {
            Some(at) => Ok(&mut operator.states[at]),
            None => {
                let there: Vec<&str> = operator.states.iter().map(|state| state.name.as_str()).collect();
                Err(Error::NotFound(format!("there is no state {id}; the operator has {}", there.join(", "))))
            }
        }
    }

    /// A state of an operator that may be new. Other keyed states of it must have keys of the same type.
    pub(super) fn add_state(&mut self, id: &StateId, kind: StateKind) -> Result<&mut StateSnapshot> {
        if self.manifest.operator(&id.operator).is_none() {
            self.manifest.operators.push(OperatorSnapshot {
                uid: id.operator.clone(),
                uid_source: UidSource::Given,
                name: id.operator.to_string(),
                kind: "process".to_owned(),
                states: Vec::new(),
            });
        }
        let operator = self.operator_mut(&id.operator)?;
        if operator.state(&id.state).is_some() {
            return Err(Error::Conflict(format!(
                "there is a state {id}: change it with state(…), or delete it before it is made anew"
            )));
        }
        let state = StateSnapshot {
            name: id.state.clone(),
            kind,
            key_schema: None,
            map_key_schema: None,
            value_schema: None,
            ttl_ms: None,
            chunks: Vec::new(),
            rows_inline: None,
        };
        operator.states.push(state);
        self.state_mut(id)
    }

    /// The store in which the chunks of the manifest stand.
    pub(super) fn chunks_stand_in(&self) -> &Store {
        match &self.origin {
            Some(origin) if !origin.here => &origin.found.store,
            _ => &self.store,
        }
    }

    /// Sees to it that the chunks stand in the store of the result. What is deleted first is not copied.
    pub(super) async fn bring_chunks_here(&mut self) -> Result<()> {
        let Some(origin) = self.origin.as_mut().filter(|origin| !origin.here) else {
            return Ok(());
        };
        if self.fresh.dry_run {
            return Ok(());
        }
        let named = room(&self.store, &self.job, "an edit").await?.named;
        let chunks = objects(&origin.found.store, &self.manifest);
        carry(&origin.found.store, &self.store, &chunks, &named, |_, _| {}).await?;
        for chunk in chunks {
            self.fresh.add(chunk.clone());
        }
        origin.here = true;
        Ok(())
    }

    /// What the result was made from, as its entry says it; `itself` if from nothing.
    pub(super) fn made_from(&self, itself: &SnapshotId) -> CopiedFrom {
        let (store, id) = match &self.origin {
            Some(origin) => (&origin.found.store, origin.found.entry.id()),
            None => (&self.store, itself.clone()),
        };
        CopiedFrom { store: store.address().to_owned(), id }
    }

    /// The run whose history the result goes on from.
    pub(super) fn stems_from(&self) -> Option<Sequence> {
        let origin = self.origin.as_ref().filter(|origin| origin.same_store)?;
        (origin.found.entry.job == self.job).then(|| origin.found.entry.stems_from())?
    }
}

pub(super) fn state_id(uid: &OperatorUid, name: &StateName) -> StateId {
    StateId { operator: uid.clone(), state: name.clone() }
}
