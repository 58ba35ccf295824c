//! A Parquet file of typed columns.

use std::io::{Error, Result, Write};

use millpond_snapshot::RecordBatch;
use millpond_snapshot::arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Writer;

/// Rows that are held until they are written.
const ROW_GROUP_ROWS: usize = 128 * 1024;

pub(super) struct Parquet<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(schema: &SchemaRef, out: W) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        Ok(Parquet(ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(Error::other)?))
    }
}

impl<W: Write + Send> Writer for Parquet<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        self.0.write(batch).map_err(Error::other)?;
        Ok(true)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.0.close().map(|_| ()).map_err(Error::other)
    }
}
