//! Rows of several chunks about the same hashes, reduced to the newest for each merge unit.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave_record_batch;

use super::input::{hashes, unmergeable};
use crate::Result;
use crate::chunk::{DELETED, StateKind};

/// How many columns after the hash make a merge unit: the key, and in maps and timers one more.
pub(super) fn unit_columns(kind: StateKind) -> usize {
    match kind {
        StateKind::Map | StateKind::Timers => 2,
        _ => 1,
    }
}

/// Reduces windows of sorted rows, all of the same hashes, oldest chunk first and all of schema
/// `schema`, to the newest row of each unit, sorted by hash. With `drop_tombstones` the units whose
/// newest row is a tombstone are left out.
pub(super) fn merge_windows(
    schema: &SchemaRef,
    kind: StateKind,
    windows: &[RecordBatch],
    drop_tombstones: bool,
) -> Result<RecordBatch> {
    let deleted: Vec<Option<&BooleanArray>> = windows
        .iter()
        .map(|window| window.column_by_name(DELETED).and_then(|column| column.as_boolean_opt()))
        .collect();
    let is_dead = |(window, row): (usize, usize)| {
        drop_tombstones && deleted[window].is_some_and(|deleted| deleted.value(row))
    };

    let mut kept: Vec<(usize, usize)> = Vec::new();
    if let [only] = windows {
        kept.extend((0..only.num_rows()).map(|row| (0, row)).filter(|at| !is_dead(*at)));
        if kept.len() == only.num_rows() {
            return Ok(only.clone());
        }
    } else {
        let units = Units::new(kind, windows)?;
        let mut at = vec![0; windows.len()];
        let mut group: Vec<(usize, usize)> = Vec::new();
        while let Some(hash) = least_hash(windows, &at) {
            group.clear();
            for (window, batch) in windows.iter().enumerate() {
                while hashes(batch).get(at[window]) == Some(&hash) {
                    group.push((window, at[window]));
                    at[window] += 1;
                }
            }
            keep_newest(&units, &group, |row| {
                if !is_dead(row) {
                    kept.push(row);
                }
            });
        }
    }
    if kept.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let windows: Vec<&RecordBatch> = windows.iter().collect();
    interleave_record_batch(&windows, &kept).map_err(unmergeable)
}

fn least_hash(windows: &[RecordBatch], at: &[usize]) -> Option<u64> {
    windows.iter().zip(at).filter_map(|(batch, &row)| hashes(batch).get(row).copied()).min()
}

/// Gives the newest row of each unit in a group of rows of one hash, oldest chunk first, so that rows
/// of one key are adjacent.
fn keep_newest(units: &Units, group: &[(usize, usize)], mut keep: impl FnMut((usize, usize))) {
    if let [only] = group {
        return keep(*only);
    }
    // A group has a handful of rows, except in a map with many entries, whose key is then one hash.
    let mut newest: HashMap<&[u8], usize> = HashMap::new();
    let mut order: Vec<(&[u8], (usize, usize))> = Vec::new();
    for &at in group {
        let unit = units.of(at);
        let place = *newest.entry(unit).or_insert(order.len());
        match order.get_mut(place) {
            Some(seen) => seen.1 = at,
            None => order.push((unit, at)),
        }
    }
    // Units of one key begin alike. Two keys may share the hash, with entries in several chunks.
    order.sort_by_key(|(unit, _)| *unit);
    order.into_iter().for_each(|(_, at)| keep(at));
}

/// The merge units of rows as bytes that are equal when the units are.
struct Units(Vec<Rows>);

impl Units {
    fn new(kind: StateKind, windows: &[RecordBatch]) -> Result<Self> {
        let columns = 1..1 + unit_columns(kind);
        let fields = windows[0].columns()[columns.clone()].iter();
        let fields = fields.map(|column| SortField::new(column.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(unmergeable)?;
        let rows = windows.iter().map(|window| {
            let columns: &[ArrayRef] = &window.columns()[columns.clone()];
            converter.convert_columns(columns).map_err(unmergeable)
        });
        Ok(Units(rows.collect::<Result<_>>()?))
    }

    fn of(&self, (window, row): (usize, usize)) -> &[u8] {
        self.0[window].row(row).data()
    }
}
