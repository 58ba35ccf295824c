//! Sorting rows that come in any order, more of them than fit into memory.
//!
//! Rows are gathered until they fill a budget, sorted, and put aside in a temporary file that has no name, so that
//! nothing is left behind whatever happens. Whenever there are [`FAN_IN`] files of one size they become one larger
//! file, so that the merge at the end reads few at a time, a batch of each. Rows of one merge unit come out in the order in
//! which they went in.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave_record_batch;

use super::merge::unit_columns;
use crate::chunk::StateKind;
use crate::{Error, Result};

/// Files of one size that are merged into one.
const FAN_IN: usize = 16;

/// Bytes of rows that are held, about, before they are put aside.
pub(crate) const BUDGET: usize = 64 << 20;

/// The rows, and about how many bytes, that are handed on together.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 1 << 20;

/// Takes rows in any order.
pub(crate) struct Sorter {
    schema: SchemaRef,
    /// How many columns, from the hash on, rows are sorted by: those of the merge unit.
    columns: usize,
    budget: usize,
    held: Vec<RecordBatch>,
    bytes: usize,
    /// Files, by how often they were merged.
    files: Vec<Vec<File>>,
}

impl Sorter {
    /// For rows of a kind of state, with these columns.
    pub(crate) fn new(schema: SchemaRef, kind: StateKind, budget: usize) -> Self {
        Sorter { schema, columns: 1 + unit_columns(kind), budget, held: Vec::new(), bytes: 0, files: vec![] }
    }

    /// Adds rows.
    pub(crate) fn add(&mut self, batch: RecordBatch) -> Result<()> {
        self.bytes += batch.get_array_memory_size();
        self.held.push(batch);
        if self.bytes >= self.budget { self.put_aside() } else { Ok(()) }
    }

    /// All rows, sorted by hash and merge unit.
    pub(crate) fn finish(mut self) -> Result<SortedRows> {
        let held = self.sorted()?;
        // The oldest first: what was merged most often.
        let files = self.files.into_iter().rev().flatten();
        let mut runs = files.map(Run::open).collect::<Result<Vec<_>>>()?;
        runs.push(Run::Held(held.into()));
        SortedRows::new(&self.schema, self.columns, runs)
    }

    /// All rows, sorted, in a temporary file that can be read again and again.
    pub(crate) fn into_file(self) -> Result<SortedFile> {
        let (schema, columns) = (self.schema.clone(), self.columns);
        let mut sorted = self.finish()?;
        Ok(SortedFile { file: write(&schema, sorted.batches())?, schema, columns })
    }

    fn put_aside(&mut self) -> Result<()> {
        let held = self.sorted()?;
        let file = write(&self.schema, held.into_iter().map(Ok))?;
        self.keep(file, 0)
    }

    fn keep(&mut self, file: File, tier: usize) -> Result<()> {
        if self.files.len() == tier {
            self.files.push(Vec::new());
        }
        self.files[tier].push(file);
        if self.files[tier].len() < FAN_IN {
            return Ok(());
        }
        let runs = self.files[tier].drain(..).map(Run::open).collect::<Result<_>>()?;
        let mut merged = SortedRows::new(&self.schema, self.columns, runs)?;
        let file = write(&self.schema, merged.batches())?;
        self.keep(file, tier + 1)
    }

    /// Takes what is held, sorted.
    fn sorted(&mut self) -> Result<Vec<RecordBatch>> {
        let held = std::mem::take(&mut self.held);
        let bytes = std::mem::take(&mut self.bytes);
        let mut converter = converter(&self.schema, self.columns)?;
        let keys: Vec<Rows> =
            held.iter().map(|batch| convert(&mut converter, batch, self.columns)).collect::<Result<_>>()?;
        let mut order: Vec<(usize, usize)> = held
            .iter()
            .enumerate()
            .flat_map(|(at, batch)| (0..batch.num_rows()).map(move |row| (at, row)))
            .collect();
        order.sort_unstable_by(|a, b| keys[a.0].row(a.1).cmp(&keys[b.0].row(b.1)).then(a.cmp(b)));
        let each = (bytes / order.len().max(1)).max(1);
        let most = (BATCH_BYTES / each).clamp(1, BATCH_ROWS);
        let held: Vec<&RecordBatch> = held.iter().collect();
        order.chunks(most).map(|rows| interleave_record_batch(&held, rows).map_err(unsortable)).collect()
    }
}

/// Sorted rows in a file.
pub(crate) struct SortedFile {
    file: File,
    schema: SchemaRef,
    columns: usize,
}

impl SortedFile {
    /// The rows from the first on. Only one reading at a time: it moves the file's only place.
    pub(crate) fn read(&mut self) -> Result<SortedRows> {
        let file = self.file.try_clone().map_err(scratch)?;
        SortedRows::new(&self.schema, self.columns, vec![Run::open(file)?])
    }
}

/// The next rows of a sorted sequence, at least one.
pub(crate) struct Sorted {
    pub(crate) rows: RecordBatch,
    /// For each row, whether it is of the same merge unit as the one before it, which may be the last of the rows before.
    pub(crate) again: Vec<bool>,
}

/// Sorted rows, read as they are wanted.
pub(crate) struct SortedRows {
    columns: usize,
    converter: RowConverter,
    /// The oldest first.
    heads: Vec<Head>,
    /// The sort key of the row given last.
    last: Option<Vec<u8>>,
}

struct Head {
    run: Run,
    batch: RecordBatch,
    keys: Rows,
    at: usize,
}

impl SortedRows {
    fn new(schema: &SchemaRef, columns: usize, runs: Vec<Run>) -> Result<Self> {
        let converter = converter(schema, columns)?;
        let mut sorted = SortedRows { columns, converter, heads: Vec::new(), last: None };
        for mut run in runs {
            if let Some(batch) = run.next()? {
                let keys = convert(&mut sorted.converter, &batch, columns)?;
                sorted.heads.push(Head { run, batch, keys, at: 0 });
            }
        }
        Ok(sorted)
    }

    /// All rows, whether of one unit or not.
    fn batches(&mut self) -> impl Iterator<Item = Result<RecordBatch>> {
        std::iter::from_fn(|| self.next().map(|sorted| sorted.map(|sorted| sorted.rows)).transpose())
    }

    /// The next rows, if there are any.
    pub(crate) fn next(&mut self) -> Result<Option<Sorted>> {
        let mut picked: Vec<(usize, usize)> = Vec::new();
        let mut again = Vec::new();
        // Of those that are alike the first, which is the oldest.
        while let Some(head) = (0..self.heads.len()).min_by(|a, b| self.heads[*a].key().cmp(self.heads[*b].key()))
        {
            let key = self.heads[head].key();
            again.push(self.last.as_deref() == Some(key));
            if again.last() == Some(&false) {
                let last = self.last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
            }
            let from = &mut self.heads[head];
            picked.push((head, from.at));
            from.at += 1;
            // What was picked refers to the batches at hand: give it before the next is read.
            if from.at == from.batch.num_rows() || picked.len() == BATCH_ROWS {
                break;
            }
        }
        if picked.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = self.heads.iter().map(|head| &head.batch).collect();
        let rows = interleave_record_batch(&batches, &picked).map_err(unsortable)?;
        self.refill()?;
        Ok(Some(Sorted { rows, again }))
    }

    /// Reads on where a batch is used up.
    fn refill(&mut self) -> Result<()> {
        let mut at = 0;
        while let Some(head) = self.heads.get_mut(at) {
            if head.at < head.batch.num_rows() {
                at += 1;
                continue;
            }
            match head.run.next()? {
                Some(batch) => {
                    head.keys = convert(&mut self.converter, &batch, self.columns)?;
                    (head.batch, head.at) = (batch, 0);
                }
                None => drop(self.heads.remove(at)),
            }
        }
        Ok(())
    }
}

impl Head {
    fn key(&self) -> &[u8] {
        self.keys.row(self.at).data()
    }
}

/// Sorted rows in one place.
enum Run {
    Held(VecDeque<RecordBatch>),
    File(Box<StreamReader<BufReader<File>>>),
}

impl Run {
    fn open(mut file: File) -> Result<Run> {
        file.rewind().map_err(scratch)?;
        Ok(Run::File(Box::new(StreamReader::try_new(BufReader::new(file), None).map_err(scratch)?)))
    }

    /// The next rows; never none at all.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let batch = match self {
                Run::Held(batches) => batches.pop_front(),
                Run::File(reader) => reader.next().transpose().map_err(scratch)?,
            };
            if batch.as_ref().is_none_or(|batch| batch.num_rows() > 0) {
                return Ok(batch);
            }
        }
    }
}

fn write(schema: &SchemaRef, rows: impl Iterator<Item = Result<RecordBatch>>) -> Result<File> {
    let file = tempfile::tempfile().map_err(scratch)?;
    let mut writer = StreamWriter::try_new(BufWriter::new(file), schema).map_err(scratch)?;
    for batch in rows {
        writer.write(&batch?).map_err(scratch)?;
    }
    writer.finish().map_err(scratch)?;
    let mut buffer = writer.into_inner().map_err(scratch)?;
    buffer.flush().map_err(scratch)?;
    buffer.into_inner().map_err(|error| scratch(error.into_error()))
}

fn converter(schema: &SchemaRef, columns: usize) -> Result<RowConverter> {
    let fields = schema.fields().iter().take(columns);
    RowConverter::new(fields.map(|field| SortField::new(field.data_type().clone())).collect()).map_err(unsortable)
}

fn convert(converter: &mut RowConverter, batch: &RecordBatch, columns: usize) -> Result<Rows> {
    let columns: &[ArrayRef] = &batch.columns()[..columns];
    converter.convert_columns(columns).map_err(unsortable)
}

fn unsortable(error: arrow_schema::ArrowError) -> Error {
    Error::InvalidInput(format!("cannot sort rows of state: {error}"))
}

fn scratch(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Storage {
        action: "use a temporary file in",
        path: std::env::temp_dir().display().to_string(),
        may_have_happened: false,
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt64Type;
    use arrow_array::{StringArray, UInt64Array};
    use proptest::prelude::*;

    use super::*;

    fn batch(rows: &[(u64, String, u64)]) -> RecordBatch {
        let hash: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0)));
        let key: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.1)));
        let value: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.2)));
        RecordBatch::try_from_iter([("hash", hash), ("key", key), ("value", value)]).unwrap()
    }

    fn read(batch: &RecordBatch) -> Vec<(u64, String, u64)> {
        let number = |column: usize| batch.column(column).as_primitive::<UInt64Type>().values().to_vec();
        let keys = batch.column(1).as_string::<i32>();
        let rows = number(0).into_iter().zip(number(2)).zip(keys);
        rows.map(|((hash, value), key)| (hash, key.unwrap().to_owned(), value)).collect()
    }

    /// Sorts with room for so many bytes; gives the rows, and for each whether it was said to be repeated.
    fn sort(budget: usize, batches: &[Vec<(u64, String, u64)>]) -> Vec<((u64, String, u64), bool)> {
        let schema = batch(&[]).schema();
        let mut sorter = Sorter::new(schema, StateKind::Value, budget);
        for rows in batches {
            sorter.add(batch(rows)).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut found = Vec::new();
        while let Some(Sorted { rows, again }) = sorted.next().unwrap() {
            assert_eq!(rows.num_rows(), again.len());
            assert!(!again.is_empty());
            found.extend(read(&rows).into_iter().zip(again));
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn rows_come_out_sorted_those_of_one_unit_as_they_went_in_and_are_told(
            // Room for nothing, so that every batch becomes a file; for a few; for all.
            budget in prop::sample::select(vec![1, 1000, 1 << 20]),
            batches in prop::collection::vec(prop::collection::vec((0u64..6, "[ab]{0,2}", 0u64..100), 0..5), 0..60),
        ) {
            let found = sort(budget, &batches);
            let mut expected: Vec<_> = batches.into_iter().flatten().collect();
            expected.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
            let unit = |at: usize| (expected[at].0, &expected[at].1);
            let again: Vec<bool> = (0..expected.len()).map(|at| at > 0 && unit(at) == unit(at - 1)).collect();
            prop_assert_eq!(found, expected.iter().cloned().zip(again).collect::<Vec<_>>());
        }
    }

    #[test]
    fn many_files_become_few() {
        let schema = batch(&[]).schema();
        let mut sorter = Sorter::new(schema, StateKind::Value, 1);
        for row in 0..FAN_IN as u64 * FAN_IN as u64 + 3 {
            sorter.add(batch(&[(row * 7919 % 1000, row.to_string(), row)])).unwrap();
        }
        assert_eq!(sorter.files.iter().map(Vec::len).collect::<Vec<_>>(), [3, 0, 1]);
    }
}
