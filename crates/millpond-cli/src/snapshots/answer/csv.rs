//! Comma-separated values under a header. What is made of parts is JSON; nothing is empty.

use std::io::{Error, Result, Write};

use millpond_snapshot::RecordBatch;
use millpond_snapshot::arrow_schema::SchemaRef;

use super::Writer;
use crate::snapshots::rows::cell;

pub(super) struct Csv<W: Write>(csv::Writer<W>);

impl<W: Write> Csv<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(schema.fields().iter().map(|field| field.name()))?;
        Ok(Csv(writer))
    }
}

impl<W: Write> Writer for Csv<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        for row in 0..batch.num_rows() {
            for column in batch.columns() {
                self.0.write_field(cell(column, row).map_err(Error::other)?)?;
            }
            self.0.write_record(None::<&[u8]>)?;
        }
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.0.flush()
    }
}
