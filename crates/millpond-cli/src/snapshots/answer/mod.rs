//! The rows of an answer, written batch by batch in one of several formats.

mod csv;
mod json;
mod parquet;
mod table;

use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use millpond_snapshot::RecordBatch;
use millpond_snapshot::arrow_schema::SchemaRef;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::output::{Waiting, stream, written};
use crate::sql::Rows;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
    Parquet,
}

/// Writes rows in one format.
trait Writer {
    /// Writes more rows; tells whether it takes yet more.
    fn write(&mut self, batch: &RecordBatch) -> std::io::Result<bool>;

    /// Writes what comes after the last row.
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

impl Format {
    /// Refuses what would only ruin a terminal.
    pub(super) fn check(self, output: Option<&Path>) -> Result<(), Failure> {
        if self == Format::Parquet && output.is_none() && std::io::stdout().is_terminal() {
            let reason = "Parquet is no text for a terminal: name a file with --output, or redirect it with >";
            return Err(Failure::Query(reason.to_owned()));
        }
        Ok(())
    }

    fn writer<'a>(
        self,
        schema: &SchemaRef,
        out: impl Write + Send + 'a,
        shown: usize,
    ) -> std::io::Result<Box<dyn Writer + 'a>> {
        Ok(match self {
            Format::Table => Box::new(table::Table::new(schema.clone(), out, shown)),
            Format::Json => Box::new(json::Json::new(out)?),
            Format::Csv => Box::new(csv::Csv::new(schema, out)?),
            Format::Parquet => Box::new(parquet::Parquet::new(schema, out)?),
        })
    }
}

/// Writes all rows to a file, or to standard output; of a table the first `shown`.
pub(super) async fn write(
    rows: Rows,
    format: Format,
    file: Option<&Path>,
    shown: usize,
    waiting: Waiting,
) -> Result<(), Failure> {
    let Some(path) = file else {
        let outcome = copy(rows, format, stream(), shown, Some(waiting)).await?;
        return written(outcome).map(|_| ());
    };
    let failed = |reason| Failure::File { path: path.to_owned(), reason };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = NamedTempFile::new_in(directory).map_err(failed)?;
    let out = std::io::BufWriter::new(temporary.as_file_mut());
    copy(rows, format, out, shown, None).await?.map_err(failed)?;
    drop(waiting);
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The outer error is of the rows, the inner one of where they go. Nothing is written before the first rows are there, so
/// that a query that fails at once leaves nothing behind.
async fn copy(
    mut rows: Rows,
    format: Format,
    out: impl Write + Send,
    shown: usize,
    waiting: Option<Waiting>,
) -> Result<std::io::Result<()>, Failure> {
    let mut next = rows.next().await?;
    drop(waiting);
    let mut writer = match format.writer(rows.schema(), out, shown) {
        Ok(writer) => writer,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(batch) = next {
        match writer.write(&batch) {
            Ok(true) => next = rows.next().await?,
            Ok(false) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(writer.finish())
}
