//! A table for people: of the first rows, because all of them must be seen before a column has a width.

use std::io::{Error, Result, Write};

use millpond_snapshot::RecordBatch;
use millpond_snapshot::arrow_schema::SchemaRef;

use super::Writer;
use crate::snapshots::rows::cell;
use crate::snapshots::words::{counted, table_of};

pub(super) struct Table<W> {
    out: W,
    schema: SchemaRef,
    shown: usize,
    rows: Vec<Vec<String>>,
    more: bool,
}

impl<W: Write> Table<W> {
    pub(super) fn new(schema: SchemaRef, out: W, shown: usize) -> Self {
        Table { out, schema, shown, rows: Vec::new(), more: false }
    }
}

impl<W: Write> Writer for Table<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let room = self.shown - self.rows.len();
        for row in 0..batch.num_rows().min(room) {
            let cells = batch.columns().iter().map(|column| cell(column, row));
            self.rows.push(cells.collect::<std::result::Result<_, _>>().map_err(Error::other)?);
        }
        self.more = batch.num_rows() > room;
        Ok(!self.more)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let fields = self.schema.fields();
        let right: Vec<usize> = (0..fields.len()).filter(|at| fields[*at].data_type().is_numeric()).collect();
        let shown = self.rows.len() as u64;
        let header = fields.iter().map(|field| field.name().as_str());
        writeln!(self.out, "{}", table_of(header, self.rows, &right))?;
        if self.more {
            let shown = counted(shown, "row");
            writeln!(
                self.out,
                "\n{shown} shown, and there are more: --rows shows more, --format csv or json all"
            )?;
        }
        self.out.flush()
    }
}
