//! State for an operator, or for a state of it, that never was: written from rows in any order.

use std::time::Duration;

use super::Edit;
use super::change::Change;
use super::merge::{Merge, of_values};
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
    merge: Option<Merge<'e, R>>,
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
        Ok(NewState { edit: self, at, kind: R::KINDS[0], ttl: None, merge: None })
    }
}

impl<'e, R: StateRow> NewState<'e, R> {
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

    /// Says what becomes of rows that are of one key (in a map, of one key and map key): one row, with what `merge` makes of
    /// their values in the order in which they come, that lives as long as any of them. Timers need no merge.
    ///
    /// ```
    /// # use millpond_snapshot::{Result, edit::{Edit, ValueRow}};
    /// # async fn example(edit: &mut Edit) -> Result<()> {
    /// let orders = [("ada", 3_u64), ("grace", 4), ("ada", 5)];
    /// edit.bootstrap(&"balances".parse()?, &"points".parse()?)?
    ///     .merge(|one, other| one + other)
    ///     .write(orders.map(|(customer, points)| ValueRow::new(customer.to_owned(), points)))
    ///     .await?; // ada has 8
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge(mut self, mut merge: impl FnMut(R::Value, R::Value) -> R::Value + Send + 'e) -> Self {
        let merge = move |one, other| Ok::<_, std::convert::Infallible>(merge(one, other));
        self.merge = Some(of_values(self.at.clone(), merge));
        self
    }

    /// Writes the state; gives the number of rows. The rows may come in any order and be more than fit into memory.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if two rows are of one key (in a map, of one key and map key), which it names, and there is
    /// no [`merge`](NewState::merge).
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
        let NewState { edit, at, kind, ttl, merge } = self;
        if !R::KINDS.contains(&kind) {
            return Err(Error::InvalidInput(format!("{at}: such rows cannot be those of {kind} state")));
        }
        edit.bring_chunks_here().await?;
        let shape = Shape::for_rows::<R>(at.clone(), kind, ttl.is_some(), None)?;
        let output = Output::new(&mut edit.fresh, &edit.job, kind, ChunkKind::Base);
        let mut output = SortingOutput::new(output, shape.clone(), merge, edit.sort_budget);
        let mut held = Vec::new();
        for (number, row) in rows.into_iter().enumerate() {
            held.push(row.map_err(|error| {
                Error::InvalidInput(format!("{at}: row {} cannot be read: {error}", number + 1))
            })?);
            if held.len() >= ROWS {
                output.add(&held).await?;
                held.clear();
            }
        }
        output.add(&held).await?;
        let (chunks, rows) = output.finish().await?;
        let state = edit.add_state(&at, kind)?;
        shape.describe(state)?;
        state.ttl_ms = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        state.chunks = chunks;
        edit.changes.push(Change::Created { state: at, kind, rows });
        Ok(rows)
    }
}
