//! From a record's bytes to a value.

use serde::de::DeserializeOwned;

use super::csv::CsvDecoder;
use super::framing::Framing;

/// How records are written down.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Csv { delimiter: u8, quote: u8 },
    JsonLines,
}

impl Format {
    pub(super) fn framing(self) -> Framing {
        match self {
            Format::Csv { delimiter, quote } => Framing::Quoted { delimiter, quote },
            Format::JsonLines => Framing::Lines,
        }
    }

    pub(super) fn decoder(self) -> Decoder {
        match self {
            Format::Csv { delimiter, quote } => Decoder::Csv(CsvDecoder::new(delimiter, quote)),
            Format::JsonLines => Decoder::JsonLines,
        }
    }

    pub(super) fn has_header(self) -> bool {
        matches!(self, Format::Csv { .. })
    }
}

/// Decodes the records of one file. An error is the reason, for people.
#[derive(Debug)]
pub(super) enum Decoder {
    Csv(CsvDecoder),
    JsonLines,
}

impl Decoder {
    /// Takes a file's header, if its format has one.
    pub(super) fn set_header(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Decoder::Csv(decoder) => decoder.set_header(bytes),
            Decoder::JsonLines => Ok(()),
        }
    }

    pub(super) fn decode<T: DeserializeOwned>(&mut self, bytes: &[u8]) -> Result<T, String> {
        match self {
            Decoder::Csv(decoder) => decoder.decode(bytes),
            Decoder::JsonLines => serde_json::from_slice(bytes).map_err(|error| explain::<T>(&error, bytes)),
        }
    }

    /// Whether the bytes between two line ends are no record at all.
    pub(super) fn is_blank(&self, bytes: &[u8]) -> bool {
        match self {
            Decoder::Csv(_) => bytes.is_empty(),
            Decoder::JsonLines => bytes.trim_ascii().is_empty(),
        }
    }
}

/// Decodes once more to find out which field is to blame: too slow to be done for every record.
fn explain<T: DeserializeOwned>(error: &serde_json::Error, bytes: &[u8]) -> String {
    let text = error.to_string();
    // A record is one line, so that the number of the line says nothing.
    let text = match text.rsplit_once(" at line 1 column ") {
        Some((reason, column)) => format!("{reason} (column {column})"),
        None => text,
    };
    let again: Result<T, _> = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    match again.map_err(|error| error.path().to_string()) {
        Err(path) if path != "." && path != "?" => format!("field '{path}': {text}"),
        _ => text,
    }
}
