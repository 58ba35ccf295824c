//! What differs between a state then and now, row by row.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, Rows, SortField};

use super::input::{Front, hashes};
use super::merge::unit_columns;
use super::reader::StateReader;
use crate::chunk::StateKind;
use crate::{Error, Result};

/// How many merge units (keys; entries of maps; timers) differ, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffCounts {
    /// There now and not then.
    pub added: u64,
    /// There then and not now.
    pub removed: u64,
    /// There both times, with different values.
    pub changed: u64,
    /// The same both times.
    pub same: u64,
}

/// A unit that differs, as batches of one row.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// The row then; `None` if it was added.
    pub before: Option<RecordBatch>,
    /// The row now; `None` if it was removed.
    pub after: Option<RecordBatch>,
}

/// Compares two readings of states of one kind, and tells `on_change` of each unit that differs.
///
/// # Errors
/// [`Error::InvalidInput`] if their keys are of different types, and so cannot be compared.
pub async fn diff_states(
    kind: StateKind,
    before: StateReader,
    after: StateReader,
    mut on_change: impl FnMut(RowChange),
) -> Result<DiffCounts> {
    let mut sides = [Side::new(before).await?, Side::new(after).await?];
    let mut counts = DiffCounts::default();
    loop {
        for side in &mut sides {
            if side.front.is_dry() {
                side.extend().await?;
            }
        }
        let Some(least) = sides.iter().filter_map(|side| side.front.next_hash()).min() else {
            return Ok(counts);
        };
        let end = sides.iter().filter_map(|side| side.front.horizon()).min();
        if end.is_some_and(|end| end <= least) {
            for side in sides.iter_mut().filter(|side| side.front.horizon() == end) {
                side.extend().await?;
            }
            continue;
        }
        let [before, after] = &mut sides;
        let (before, after) = (before.front.take(end), after.front.take(end));
        compare(kind, before, after, &mut counts, &mut on_change)?;
    }
}

/// One of the two readings.
struct Side {
    front: Front,
    reader: StateReader,
}

impl Side {
    async fn new(mut reader: StateReader) -> Result<Self> {
        let first = reader.next().await?;
        let mut front = Front::default();
        front.add(first)?;
        Ok(Side { front, reader })
    }

    async fn extend(&mut self) -> Result<()> {
        let more = self.reader.next().await?;
        self.front.add(more)
    }
}

fn compare(
    kind: StateKind,
    before: Option<RecordBatch>,
    after: Option<RecordBatch>,
    counts: &mut DiffCounts,
    on_change: &mut impl FnMut(RowChange),
) -> Result<()> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (before, after) => {
            for row in rows_of(&before) {
                counts.removed += 1;
                on_change(RowChange { before: Some(row), after: None });
            }
            for row in rows_of(&after) {
                counts.added += 1;
                on_change(RowChange { before: None, after: Some(row) });
            }
            return Ok(());
        }
    };
    let (before, after) = (&before, &after);
    let row = |batch: &RecordBatch, row: Option<usize>| row.map(|row| batch.slice(row, 1));
    let mut tell = |a: Option<usize>, b: Option<usize>| {
        on_change(RowChange { before: row(before, a), after: row(after, b) });
    };
    let units = Units::new(kind, before, after)?;
    let values = Values::new(kind, before, after)?;
    let (mut a, mut b) = (0, 0);
    loop {
        let next = [hashes(before).get(a), hashes(after).get(b)];
        let Some(&hash) = next.into_iter().flatten().min() else {
            return Ok(());
        };
        let group = |batch: &RecordBatch, from: usize| {
            from..from + hashes(batch)[from..].partition_point(|found| *found == hash)
        };
        let (old, new) = (group(before, a), group(after, b));
        (a, b) = (old.end, new.end);
        for row in old.clone() {
            match new.clone().find(|other| units.equal(row, *other)) {
                None => {
                    counts.removed += 1;
                    tell(Some(row), None);
                }
                Some(other) if values.equal(row, other) => counts.same += 1,
                Some(other) => {
                    counts.changed += 1;
                    tell(Some(row), Some(other));
                }
            }
        }
        for row in new.filter(|row| !old.clone().any(|other| units.equal(other, *row))) {
            counts.added += 1;
            tell(None, Some(row));
        }
    }
}

fn rows_of(batch: &Option<RecordBatch>) -> impl Iterator<Item = RecordBatch> {
    batch.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)))
}

/// The merge units of two windows.
struct Units([Rows; 2]);

impl Units {
    fn new(kind: StateKind, before: &RecordBatch, after: &RecordBatch) -> Result<Self> {
        let columns = 1..1 + unit_columns(kind);
        let (old, new) = (&before.columns()[columns.clone()], &after.columns()[columns]);
        rows(old, new).map(Units).ok_or_else(|| {
            let types =
                |columns: &[ArrayRef]| format!("{:?}", columns.iter().map(|c| c.data_type()).collect::<Vec<_>>());
            Error::InvalidInput(format!("the keys cannot be compared: they are {} and {}", types(old), types(new)))
        })
    }

    fn equal(&self, before: usize, after: usize) -> bool {
        self.0[0].row(before) == self.0[1].row(after)
    }
}

/// What stands beside the units: compared as encoded rows where the types allow it, one by one otherwise.
enum Values {
    Rows([Rows; 2]),
    Columns([Vec<ArrayRef>; 2]),
}

impl Values {
    fn new(kind: StateKind, before: &RecordBatch, after: &RecordBatch) -> Result<Self> {
        let first = 1 + unit_columns(kind);
        let (old, new) = (&before.columns()[first..], &after.columns()[first..]);
        Ok(match rows(old, new) {
            Some(rows) => Values::Rows(rows),
            None => Values::Columns([old.to_vec(), new.to_vec()]),
        })
    }

    fn equal(&self, before: usize, after: usize) -> bool {
        match self {
            Values::Rows([old, new]) => old.row(before) == new.row(after),
            Values::Columns([old, new]) => {
                let same = |(old, new): (&ArrayRef, &ArrayRef)| old.slice(before, 1) == new.slice(after, 1);
                old.len() == new.len() && old.iter().zip(new).all(same)
            }
        }
    }
}

/// Columns as comparable rows; `None` if their types differ or cannot be compared so.
fn rows(old: &[ArrayRef], new: &[ArrayRef]) -> Option<[Rows; 2]> {
    let fields = |columns: &[ArrayRef]| -> Vec<SortField> {
        columns.iter().map(|column| SortField::new(column.data_type().clone())).collect()
    };
    let same = old.iter().map(|c| c.data_type()).eq(new.iter().map(|c| c.data_type()));
    if !same || !RowConverter::supports_fields(&fields(old)) {
        return None;
    }
    let converter = RowConverter::new(fields(old)).ok()?;
    let [old, new] = [converter.convert_columns(old), converter.convert_columns(new)];
    Some([old.ok()?, new.ok()?])
}
