//! Reads one file.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::decode::{Decoder, Format};
use super::error::FileError;
use super::framing::Framer;
use super::input::{End, Filled, Input};
use super::malformed::{MalformedRecord, Parsed};
use crate::runtime::failure::UserError;
use crate::source::{ReadBatch, ReadStatus, SplitReader};
use crate::stream::record::Data;

/// Chunks that are read before other splits get their turn.
const FILLS_PER_READ: usize = 16;
/// What is kept of a record that is too long.
const EXCERPT: usize = 256;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSplit {
    /// The absolute path at the time when it was found.
    pub path: PathBuf,
    /// The byte behind the last record that was given out; in a compressed file, a byte of the content.
    pub offset: u64,
    /// The line feeds before that byte.
    pub lines: u64,
}

/// How files are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadOptions {
    pub(super) format: Format,
    pub(super) follow: bool,
    /// A malformed record is an error.
    pub(super) strict: bool,
    /// Without the end of its line.
    pub(super) max_record_bytes: usize,
}

/// What to do when no whole record is there.
enum Next {
    TryAgain,
    LastRecord,
    Return(ReadStatus),
}

/// What a record's bytes were.
enum Taken<T> {
    Blank,
    Header,
    Record(Parsed<T>),
}

#[derive(Debug)]
struct FileReader {
    options: ReadOptions,
    split: FileSplit,
    input: Input,
    framer: Framer,
    decoder: Decoder,
    header_due: bool,
    /// Line feeds before the record at hand.
    lines: u64,
    /// The file does not grow any more.
    complete: bool,
    /// How the record at hand begins, once its bytes have been thrown away because there are too many.
    too_long: Option<Vec<u8>>,
}

impl FileReader {
    fn open(here: &Path, split: FileSplit, options: ReadOptions) -> Result<Self, FileError> {
        let mut reader = FileReader {
            options,
            input: Input::open(here, split.offset)?,
            split,
            framer: Framer::new(options.format.framing()),
            decoder: options.format.decoder(),
            header_due: options.format.has_header(),
            lines: 0,
            complete: !options.follow,
            too_long: None,
        };
        if !reader.header_due {
            reader.go_to_position()?;
        }
        Ok(reader)
    }

    fn go_to_position(&mut self) -> Result<(), FileError> {
        if self.split.offset > 0 {
            self.input.go_to(self.split.offset)?;
            self.lines = self.split.lines;
        }
        Ok(())
    }

    fn read<T: Data>(&mut self, max: usize, mut out: impl FnMut(Parsed<T>)) -> Result<ReadStatus, FileError> {
        let (mut given, mut fills) = (0, FILLS_PER_READ);
        while given < max {
            let length = match self.framer.end_of_record(self.input.unread()) {
                Some(length) => length,
                None => match self.read_on(&mut fills)? {
                    Next::TryAgain => continue,
                    Next::LastRecord => self.input.unread().len(),
                    Next::Return(status) => return Ok(status),
                },
            };
            let taken = self.take(length)?;
            self.input.consume(length);
            self.lines += self.framer.next_record();
            match taken {
                Taken::Blank => {}
                Taken::Header => {
                    self.header_due = false;
                    self.go_to_position()?;
                }
                Taken::Record(parsed) => {
                    self.split.offset = self.input.offset();
                    self.split.lines = self.lines;
                    out(parsed);
                    given += 1;
                }
            }
        }
        Ok(ReadStatus::More)
    }

    /// Reads another chunk, as no record ends in what is there.
    fn read_on(&mut self, fills: &mut usize) -> Result<Next, FileError> {
        if *fills == 0 {
            return Ok(Next::Return(ReadStatus::More));
        }
        *fills -= 1;
        // A line end of two bytes may be half there.
        if self.input.unread().len() > self.options.max_record_bytes + 1 {
            self.throw_away()?;
        }
        if self.input.fill()? == Filled::More {
            return Ok(Next::TryAgain);
        }
        if !self.complete {
            if self.input.end()? == End::ForNow {
                return Ok(Next::Return(ReadStatus::Waiting));
            }
            // Something may have been written after the end was seen and before the file was removed.
            self.complete = true;
            return Ok(Next::TryAgain);
        }
        let nothing = self.input.unread().is_empty() && self.too_long.is_none();
        Ok(if nothing { Next::Return(ReadStatus::Finished) } else { Next::LastRecord })
    }

    /// Makes room: the record at hand is too long to be kept.
    fn throw_away(&mut self) -> Result<(), FileError> {
        let bytes = self.input.unread();
        let beginning = self.too_long.take().unwrap_or_else(|| bytes[..bytes.len().min(EXCERPT)].to_vec());
        if self.header_due || self.options.strict {
            // There is no need to look for its end.
            self.reject::<()>(self.too_long_reason(), &beginning)?;
        }
        self.too_long = Some(beginning);
        self.framer.forget_bytes();
        self.input.consume(self.input.unread().len());
        Ok(())
    }

    /// Decodes the record that the first `length` bytes are.
    fn take<T: Data>(&mut self, length: usize) -> Result<Taken<T>, FileError> {
        if let Some(beginning) = self.too_long.take() {
            return self.reject(self.too_long_reason(), &beginning);
        }
        let mut bytes = &self.input.unread()[..length];
        if self.input.offset() == 0 {
            bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        }
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if self.decoder.is_blank(bytes) {
            Ok(Taken::Blank)
        } else if bytes.len() > self.options.max_record_bytes {
            self.reject(self.too_long_reason(), bytes)
        } else if self.header_due {
            let outcome = self.decoder.set_header(bytes);
            outcome.map(|()| Taken::Header).map_err(|reason| self.bad_header(reason))
        } else {
            match self.decoder.decode(bytes) {
                Ok(record) => Ok(Taken::Record(Parsed::Record(record))),
                Err(reason) => self.reject(reason, bytes),
            }
        }
    }

    /// The record at hand is malformed.
    fn reject<T>(&self, reason: String, bytes: &[u8]) -> Result<Taken<T>, FileError> {
        if self.header_due {
            return Err(self.bad_header(reason));
        }
        let file = self.input.path().display().to_string();
        let malformed = MalformedRecord::new(file, self.lines + 1, reason, bytes);
        if self.options.strict {
            Err(FileError::Malformed(malformed))
        } else {
            Ok(Taken::Record(Parsed::Malformed(malformed)))
        }
    }

    fn bad_header(&self, reason: String) -> FileError {
        FileError::Header { path: self.input.path().to_owned(), reason }
    }

    fn too_long_reason(&self) -> String {
        let limit = self.options.max_record_bytes;
        format!("it is longer than {limit} bytes; if that is right, raise the limit with max_record_bytes")
    }
}

/// Reads a file whose records must all be well-formed.
pub struct StrictReader<T> {
    file: FileReader,
    types: PhantomData<fn() -> T>,
}

impl<T> StrictReader<T> {
    pub(super) fn open(here: &Path, split: FileSplit, options: ReadOptions) -> Result<Self, FileError> {
        let file = FileReader::open(here, split, ReadOptions { strict: true, ..options })?;
        Ok(StrictReader { file, types: PhantomData })
    }
}

impl<T: Data> SplitReader for StrictReader<T> {
    type Item = T;
    type Split = FileSplit;

    fn read(&mut self, max: usize, out: &mut ReadBatch<T>) -> Result<ReadStatus, UserError> {
        let status = self.file.read(max, |parsed| {
            // A strict reader has failed before it could give out anything else.
            if let Parsed::Record(record) = parsed {
                out.push(record);
            }
        });
        status.map_err(FileError::judged)
    }

    fn split(&self) -> FileSplit {
        self.file.split.clone()
    }
}

/// Reads a file, and gives out malformed records as data.
pub struct TolerantReader<T> {
    file: FileReader,
    types: PhantomData<fn() -> T>,
}

impl<T> TolerantReader<T> {
    pub(super) fn open(here: &Path, split: FileSplit, options: ReadOptions) -> Result<Self, FileError> {
        let file = FileReader::open(here, split, ReadOptions { strict: false, ..options })?;
        Ok(TolerantReader { file, types: PhantomData })
    }
}

impl<T: Data> SplitReader for TolerantReader<T> {
    type Item = Parsed<T>;
    type Split = FileSplit;

    fn read(&mut self, max: usize, out: &mut ReadBatch<Parsed<T>>) -> Result<ReadStatus, UserError> {
        self.file.read(max, |parsed| out.push(parsed)).map_err(FileError::judged)
    }

    fn split(&self) -> FileSplit {
        self.file.split.clone()
    }
}
