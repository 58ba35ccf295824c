//! JSON Lines and CSV.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::runtime::failure::UserError;

const BUFFER: usize = 64 * 1024;

/// How records are written down.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::JsonLines => "jsonl",
        }
    }

    pub(super) fn encoder(self, file: File) -> Encoder {
        match self {
            Format::Csv => {
                Encoder::Csv(Box::new(csv::WriterBuilder::new().buffer_capacity(BUFFER).from_writer(file)))
            }
            Format::JsonLines => Encoder::JsonLines(BufWriter::with_capacity(BUFFER, file)),
        }
    }
}

/// Writes records to a file.
#[derive(Debug)]
pub(super) enum Encoder {
    Csv(Box<csv::Writer<File>>),
    JsonLines(BufWriter<File>),
}

impl Encoder {
    pub(super) fn write<T: Serialize>(&mut self, value: &T) -> Result<(), UserError> {
        match self {
            Encoder::Csv(writer) => writer.serialize(value)?,
            Encoder::JsonLines(writer) => {
                serde_json::to_writer(&mut *writer, value)?;
                writer.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// Writes out what is buffered, and gives the file back.
    pub(super) fn finish(self) -> io::Result<File> {
        match self {
            Encoder::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error),
            Encoder::JsonLines(writer) => writer.into_inner().map_err(io::IntoInnerError::into_error),
        }
    }
}
