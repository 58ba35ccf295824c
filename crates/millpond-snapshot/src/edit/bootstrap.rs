//! State for an operator, or for a state of it, that never was: written from rows in any order.

use std::marker::PhantomData;
use std::time::Duration;

use super::Edit;
use super::change::Change;
use super::open::state_id;
use super::output::{Output, ROWS, SortingOutput};
use super::row::StateRow;
use super::shape::Shape;
use crate::chunk::{ChunkKind, StateKind};
use crate::ids::{OperatorUid, StateName};
use crate::repository::StateId;
use crate::{Error, Result};

/// A state that is about to be written.
#[must_use = "nothing is written before `write`"]
pub struct NewState<'e, R> {
    edit: &'e mut Edit,
    at: StateId,
    kind: StateKind,
    ttl: Option<Duration>,
    rows: PhantomData<R>,
}

impl Edit {
    /// A new keyed state, of an operator that may be new too.
    ///
    /// A keyed operator needs nothing else to start: timers, which it keeps in `event-timers` and
    /// `processing-timers`, it has if they are written too, and its event time begins with its input.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the state is there.
    pub fn bootstrap<R: StateRow>(&mut self, uid: &OperatorUid, name: &StateName) -> Result<NewState<'_, R>> {
        let at = state_id(uid, name);
        if self.manifest.operator(uid).is_some_and(|operator| operator.state(name).is_some()) {
            return Err(Error::Conflict(format!(
                "there is a state {at}: change it with state(…), or delete it before it is made anew"
            )));
        }
        Ok(NewState { edit: self, at, kind: R::KINDS[0], ttl: None, rows: PhantomData })
    }
}

impl<R: StateRow> NewState<'_, R> {
    /// The kind of the state, as the job declares it: `value` unless told otherwise for a row of a key and a value.
    pub fn kind(mut self, kind: StateKind) -> Self {
        self.kind = kind;
        self
    }

    /// Rows of the state may expire: `ttl` is what the job declares, and each row says when its own time is over.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Writes the state; gives the number of rows. The rows may come in any order and be more than fit into memory.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if two rows are of one key (in a map, of one key and map key), which it names.
    pub async fn write(self, rows: impl IntoIterator<Item = R>) -> Result<u64> {
        self.try_write(rows.into_iter().map(Ok::<R, std::convert::Infallible>)).await
    }

    /// The same, with rows whose reading may fail.
    ///
    /// # Errors
    /// As [`NewState::write`], and [`Error::InvalidInput`] with the number of the row that could not be read.
    pub async fn try_write<E: std::fmt::Display>(
        self,
        rows: impl IntoIterator<Item = std::result::Result<R, E>>,
    ) -> Result<u64> {
        let NewState { edit, at, kind, ttl, .. } = self;
        if !R::KINDS.contains(&kind) {
            return Err(Error::InvalidInput(format!("{at}: such rows cannot be those of {kind} state")));
        }
        edit.bring_chunks_here().await?;
        let shape = Shape::for_rows::<R>(at.clone(), kind, ttl.is_some(), None)?;
        let output = Output::new(&mut edit.fresh, &edit.job, kind, ChunkKind::Base);
        let mut output = SortingOutput::new(output, &shape, edit.sort_budget);
        let mut held = Vec::new();
        for (number, row) in rows.into_iter().enumerate() {
            held.push(row.map_err(|error| {
                Error::InvalidInput(format!("{at}: row {} cannot be read: {error}", number + 1))
            })?);
            if held.len() >= ROWS {
                output.add(shape.batch(&held)?).await?;
                held.clear();
            }
        }
        output.add(shape.batch(&held)?).await?;
        let (chunks, rows) = output.finish::<R>(&shape).await?;
        let state = edit.add_state(&at, kind)?;
        shape.describe(state)?;
        state.ttl_ms = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        state.chunks = chunks;
        edit.changes.push(Change::Created { state: at, kind, rows });
        Ok(rows)
    }
}
