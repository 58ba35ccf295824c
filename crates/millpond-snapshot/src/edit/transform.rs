//! Reading a keyed state as typed rows, changing them, and writing them.

use super::Edit;
use super::change::Change;
use super::merge::{Merge, of_values};
use super::open::state_id;
use super::output::{Output, ROWS, SortingOutput};
use super::row::{Column, MapRow, StateRow, ValueRow};
use super::shape::Shape;
use crate::chunk::ChunkKind;
use crate::hash::HashRange;
use crate::ids::{OperatorUid, StateName};
use crate::state::{StateReader, Tombstones};
use crate::{Error, Result};

/// What becomes of one row: any number of others.
type Step<'e, In, Out> = Box<dyn FnMut(In, &mut Vec<Out>) -> Result<()> + Send + 'e>;

/// Changes to the rows of a state, which [`write`](StateEdit::write) carries out.
#[must_use = "nothing is changed before `write`"]
pub struct StateEdit<'e, In, Out = In> {
    edit: &'e mut Edit,
    shape: Shape,
    step: Step<'e, In, Out>,
    /// Whether keys may have changed, so that rows have to be sorted again.
    shuffled: bool,
}

/// How many rows a change read and wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows of the state before.
    pub read: u64,
    /// Rows of the state now.
    pub written: u64,
}

impl Edit {
    /// The rows of a keyed state, to be changed. `R` says their types, which must be those that the job has.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such state, [`Error::InvalidInput`] if it is of another kind or of other
    /// types, which the message says.
    pub fn state<R: StateRow>(&mut self, uid: &OperatorUid, name: &StateName) -> Result<StateEdit<'_, R>> {
        let id = state_id(uid, name);
        let shape = Shape::of::<R>(id.clone(), self.state_mut(&id)?)?;
        let step: Step<'_, R, R> = Box::new(|row, rows| {
            rows.push(row);
            Ok(())
        });
        Ok(StateEdit { edit: self, shape, step, shuffled: false })
    }
}

impl<'e, In: StateRow, Out: StateRow> StateEdit<'e, In, Out> {
    /// Keeps the rows of which `keep` is true.
    pub fn filter(mut self, mut keep: impl FnMut(&Out) -> bool + Send + 'e) -> Self {
        let mut step = self.step;
        let mut before = Vec::new();
        self.step = Box::new(move |row, rows| {
            step(row, &mut before)?;
            rows.extend(before.drain(..).filter(|row| keep(row)));
            Ok(())
        });
        self
    }

    /// Makes another row of each. Its key may be another, and its types: the job that starts from the result must have
    /// the new ones.
    pub fn map<New: StateRow>(self, mut change: impl FnMut(Out) -> New + Send + 'e) -> StateEdit<'e, In, New> {
        self.try_flat_map(move |row| Ok::<_, std::convert::Infallible>(Some(change(row))))
    }

    /// Makes any number of rows of each.
    pub fn flat_map<New: StateRow, I: IntoIterator<Item = New>>(
        self,
        mut change: impl FnMut(Out) -> I + Send + 'e,
    ) -> StateEdit<'e, In, New> {
        self.try_flat_map(move |row| Ok::<_, std::convert::Infallible>(change(row)))
    }

    /// Makes any number of rows of each, or gives up: an error ends [`write`](StateEdit::write), which names the row.
    pub fn try_flat_map<New: StateRow, I: IntoIterator<Item = New>, E: std::fmt::Display>(
        self,
        mut change: impl FnMut(Out) -> std::result::Result<I, E> + Send + 'e,
    ) -> StateEdit<'e, In, New> {
        let (mut step, at) = (self.step, self.shape.at.clone());
        let mut before = Vec::new();
        let step: Step<'e, In, New> = Box::new(move |row, rows| {
            step(row, &mut before)?;
            for row in before.drain(..) {
                let unit = row.unit();
                let failed = |error| Error::InvalidInput(format!("{at}: the row of {unit}: {error}"));
                rows.extend(change(row).map_err(failed)?);
            }
            Ok(())
        });
        StateEdit { edit: self.edit, shape: self.shape, step, shuffled: true }
    }

    /// Says what becomes of rows that are of one key (in a map, of one key and map key), where changed keys have become
    /// one, or added rows have keys that are there: one row, with what `merge` makes of their values, that lives as long
    /// as any of them. Of more than two, rows are merged one after the other: those of the state in its order, which is
    /// that of their hashes, then those that are added as they come. Lists are joined with
    /// `|mut one, other| { one.extend(other); one }`. Timers need no merge.
    ///
    /// ```
    /// # use millpond_snapshot::{Result, edit::{Edit, ValueRow}};
    /// # async fn example(edit: &mut Edit) -> Result<()> {
    /// // From a count for each host and path to one for each host.
    /// edit.state::<ValueRow<(String, String), u64>>(&"requests".parse()?, &"count".parse()?)?
    ///     .map(|row| ValueRow { key: row.key.0, value: row.value, expires_at: row.expires_at })
    ///     .merge(|one, other| one + other)
    ///     .write()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn merge(
        self,
        mut merge: impl FnMut(Out::Value, Out::Value) -> Out::Value + Send + 'e,
    ) -> MergedEdit<'e, In, Out> {
        self.try_merge(move |one, other| Ok::<_, std::convert::Infallible>(merge(one, other)))
    }

    /// As [`StateEdit::merge`], or gives up: an error ends [`write`](MergedEdit::write), which names the key.
    pub fn try_merge<E: std::fmt::Display>(
        self,
        merge: impl FnMut(Out::Value, Out::Value) -> std::result::Result<Out::Value, E> + Send + 'e,
    ) -> MergedEdit<'e, In, Out> {
        let merge = of_values(self.shape.at.clone(), merge);
        MergedEdit { edit: self, merge }
    }

    /// Changes the rows, and writes them.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if two rows are of one key (in a map, of one key and map key); it names the key. The
    /// state is then as it was. With [`StateEdit::merge`] they become one.
    pub async fn write(self) -> Result<Written> {
        self.write_with(std::iter::empty()).await
    }

    /// Changes the rows, and writes them and `added`, which may come in any order.
    ///
    /// # Errors
    /// As [`StateEdit::write`]: an added row whose key is there already is an error.
    pub async fn write_with(self, added: impl IntoIterator<Item = Out>) -> Result<Written> {
        self.carry_out(added, None).await
    }

    async fn carry_out(
        mut self,
        added: impl IntoIterator<Item = Out>,
        merge: Option<Merge<'e, Out>>,
    ) -> Result<Written> {
        let mut added = added.into_iter().peekable();
        self.shuffled |= added.peek().is_some();
        let StateEdit { edit, shape, mut step, shuffled } = self;
        edit.bring_chunks_here().await?;
        let state = edit.state_mut(&shape.at)?.clone();
        let store = edit.chunks_stand_in().clone();
        let mut reader = StateReader::new(&store, state.kind, &state.chunks, HashRange::FULL, Tombstones::Drop);
        let new = Shape::for_rows::<Out>(shape.at.clone(), state.kind, state.ttl_ms.is_some(), Some(&shape))?;
        if !Out::KINDS.contains(&state.kind) {
            return Err(Error::InvalidInput(format!(
                "{}: rows of {} state cannot become rows of {} state; delete the state and bootstrap another",
                shape.at,
                state.kind,
                Out::KINDS[0]
            )));
        }
        let output = Output::new(&mut edit.fresh, &edit.job, state.kind, ChunkKind::Base);
        let mut rows = Vec::new();
        let mut read = 0;
        let (chunks, written) = if shuffled {
            let mut output = SortingOutput::new(output, new.clone(), merge, edit.sort_budget);
            while let Some(batch) = reader.next().await? {
                read += batch.num_rows() as u64;
                for row in shape.rows::<In>(&batch)? {
                    step(row, &mut rows)?;
                    if rows.len() >= ROWS {
                        output.add(&rows).await?;
                        rows.clear();
                    }
                }
            }
            for row in added {
                rows.push(row);
                if rows.len() >= ROWS {
                    output.add(&rows).await?;
                    rows.clear();
                }
            }
            output.add(&rows).await?;
            output.finish().await?
        } else {
            let mut output = output;
            while let Some(batch) = reader.next().await? {
                read += batch.num_rows() as u64;
                for row in shape.rows::<In>(&batch)? {
                    step(row, &mut rows)?;
                }
                output.write(&new.batch(&rows)?).await?;
                rows.clear();
            }
            output.finish().await?
        };
        let state = edit.state_mut(&shape.at)?;
        new.describe(state)?;
        state.chunks = chunks;
        edit.changes.push(Change::Rewritten { state: shape.at, read, written });
        Ok(Written { read, written })
    }
}

/// Changes to the rows of a state, and what becomes of those that are of one key. Made by [`StateEdit::merge`].
#[must_use = "nothing is changed before `write`"]
pub struct MergedEdit<'e, In, Out = In> {
    edit: StateEdit<'e, In, Out>,
    merge: Merge<'e, Out>,
}

impl<In: StateRow, Out: StateRow> MergedEdit<'_, In, Out> {
    /// Changes the rows, and writes them.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if a row does not fit, or a merge gives up; it names the key. The state is then as it was.
    pub async fn write(self) -> Result<Written> {
        self.write_with(std::iter::empty()).await
    }

    /// Changes the rows, and writes them and `added`, which may come in any order, and of keys that are there.
    ///
    /// # Errors
    /// As [`MergedEdit::write`].
    pub async fn write_with(self, added: impl IntoIterator<Item = Out>) -> Result<Written> {
        self.edit.carry_out(added, Some(self.merge)).await
    }
}

impl<'e, In: StateRow, K: Column, V: Column> StateEdit<'e, In, ValueRow<K, V>> {
    /// Makes another value of each. Keys stay, so that nothing has to be sorted.
    pub fn map_values<New: Column>(
        self,
        mut change: impl FnMut(&K, V) -> New + Send + 'e,
    ) -> StateEdit<'e, In, ValueRow<K, New>> {
        let shuffled = self.shuffled;
        let mapped = self.map(move |row: ValueRow<K, V>| {
            let value = change(&row.key, row.value);
            ValueRow { key: row.key, value, expires_at: row.expires_at }
        });
        StateEdit { shuffled, ..mapped }
    }
}

impl<'e, In: StateRow, K: Column, M: Column, V: Column> StateEdit<'e, In, MapRow<K, M, V>> {
    /// Makes another value of each entry. Keys stay, so that nothing has to be sorted.
    pub fn map_values<New: Column>(
        self,
        mut change: impl FnMut(&K, &M, V) -> New + Send + 'e,
    ) -> StateEdit<'e, In, MapRow<K, M, New>> {
        let shuffled = self.shuffled;
        let mapped = self.map(move |row: MapRow<K, M, V>| {
            let value = change(&row.key, &row.map_key, row.value);
            MapRow { key: row.key, map_key: row.map_key, value, expires_at: row.expires_at }
        });
        StateEdit { shuffled, ..mapped }
    }
}
