//! One JSON array, a row a line.

use std::io::{Error, Result, Write};

use millpond_snapshot::RecordBatch;
use serde_json::{Map, Value};

use super::Writer;
use crate::snapshots::rows::value;

pub(super) struct Json<W> {
    out: W,
    any: bool,
}

impl<W: Write> Json<W> {
    pub(super) fn new(mut out: W) -> Result<Self> {
        out.write_all(b"[")?;
        Ok(Json { out, any: false })
    }
}

impl<W: Write> Writer for Json<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let fields = schema.fields().iter().zip(batch.columns());
            let fields =
                fields.map(|(field, column)| value(column, row).map(|value| (field.name().clone(), value)));
            let fields: Map<String, Value> =
                fields.collect::<std::result::Result<_, _>>().map_err(Error::other)?;
            self.out.write_all(if self.any { b",\n" } else { b"\n" })?;
            serde_json::to_writer(&mut self.out, &fields).map_err(Error::from)?;
            self.any = true;
        }
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.write_all(if self.any { b"\n]\n" } else { b"]\n" })?;
        self.out.flush()
    }
}
