//! One CSV record: its fields, and the value that they make by the names in the header.

use csv::{ByteRecord, ErrorKind, StringRecord};
use memchr::memchr;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use super::text::Text;

/// Decodes CSV records that have been framed.
#[derive(Debug)]
pub(super) struct CsvDecoder {
    delimiter: u8,
    quote: u8,
    header: StringRecord,
    /// Kept for their memory.
    record: ByteRecord,
    field: Vec<u8>,
}

impl CsvDecoder {
    pub(super) fn new(delimiter: u8, quote: u8) -> Self {
        let (header, record) = (StringRecord::new(), ByteRecord::new());
        CsvDecoder { delimiter, quote, header, record, field: Vec::new() }
    }

    /// Takes the names of the columns.
    pub(super) fn set_header(&mut self, bytes: &[u8]) -> Result<(), String> {
        let fields = self.split(bytes)?;
        self.header = StringRecord::from_byte_record(fields).map_err(|_| "it is not UTF-8".to_owned())?;
        Ok(())
    }

    pub(super) fn decode<T: DeserializeOwned>(&mut self, bytes: &[u8]) -> Result<T, String> {
        let fields = self.split(bytes)?;
        if fields.len() != self.header.len() {
            return Err(format!("it has {} fields, but the header has {}", fields.len(), self.header.len()));
        }
        let record = StringRecord::from_byte_record(fields)
            .map_err(|error| format!("{} is not UTF-8", self.column(error.utf8_error().field())))?;
        let outcome = record.deserialize(Some(&self.header)).map_err(|error| self.explain::<T>(&error, &record));
        self.record = record.into_byte_record();
        outcome
    }

    /// Unquotes the fields of a record.
    fn split(&mut self, bytes: &[u8]) -> Result<ByteRecord, String> {
        let mut fields = std::mem::take(&mut self.record);
        fields.clear();
        let mut rest = bytes;
        loop {
            let end = if rest.first() == Some(&self.quote) {
                self.field.clear();
                let end = unquote(rest, self.quote, &mut self.field)
                    .ok_or_else(|| format!("the quotes of field {} are not closed", fields.len() + 1))?;
                fields.push_field(&self.field);
                if rest.get(end).is_some_and(|next| *next != self.delimiter) {
                    return Err(format!("there is text behind the closing quote of field {}", fields.len()));
                }
                end
            } else {
                let end = memchr(self.delimiter, rest).unwrap_or(rest.len());
                fields.push_field(&rest[..end]);
                end
            };
            match rest.get(end + 1..) {
                Some(next) => rest = next,
                None => return Ok(fields),
            }
        }
    }

    fn column(&self, index: usize) -> String {
        match self.header.get(index) {
            Some(name) => format!("column '{name}'"),
            None => format!("field {}", index + 1),
        }
    }

    fn explain<T: DeserializeOwned>(&self, error: &csv::Error, record: &StringRecord) -> String {
        let ErrorKind::Deserialize { err, .. } = error.kind() else { return error.to_string() };
        let reason = err.kind().to_string();
        if reason.starts_with("missing field") {
            let columns: Vec<_> = self.header.iter().collect();
            return format!("{reason}; the columns are {}", columns.join(", "));
        }
        match err.field().and_then(|index| usize::try_from(index).ok()) {
            Some(index) => {
                format!("{}, '{}': {reason}", self.column(index), record.get(index).unwrap_or_default())
            }
            None => match self.blame::<T>(record) {
                Some(column) => format!("column '{column}': {reason}"),
                None => reason,
            },
        }
    }

    /// The column whose type refused its text. The csv crate does not know it; decoding once more, by name, finds out.
    fn blame<T: DeserializeOwned>(&self, record: &StringRecord) -> Option<String> {
        let fields = self.header.iter().zip(record.iter().map(Text));
        let fields = MapDeserializer::<_, serde::de::value::Error>::new(fields);
        let again: Result<T, _> = serde_path_to_error::deserialize(fields);
        let path = again.err()?.path().to_string();
        self.header.iter().any(|column| column == path).then_some(path)
    }
}

/// Appends the content of the quoted field that `bytes` begin with, and gives the place behind its closing quote.
fn unquote(bytes: &[u8], quote: u8, into: &mut Vec<u8>) -> Option<usize> {
    let mut at = 1;
    loop {
        let close = at + memchr(quote, &bytes[at..])?;
        into.extend_from_slice(&bytes[at..close]);
        if bytes.get(close + 1) != Some(&quote) {
            return Some(close + 1);
        }
        into.push(quote);
        at = close + 2;
    }
}
