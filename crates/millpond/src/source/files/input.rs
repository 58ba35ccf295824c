//! A file's bytes, a chunk at a time. For gzip, they and their positions are those of the content.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::error::FileError;

/// Bytes that are read at a time.
pub(super) const CHUNK: usize = 64 * 1024;

#[derive(Debug)]
enum Bytes {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

/// What came of reading on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    /// There is more than before, or what is to be skipped is less.
    More,
    /// The file has no more.
    End,
}

/// What the end of a file means while it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More may be written to it.
    ForNow,
    /// It has been removed or cannot grow, so this is all.
    Final,
}

/// An open file, and what has been read of it but not consumed.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    bytes: Bytes,
    buffer: Vec<u8>,
    consumed: usize,
    /// Where the first byte stands that is not consumed.
    offset: u64,
    /// Bytes to throw away before the next is given out.
    skip: u64,
}

impl Input {
    /// Opens `path` at its beginning; `position` is where reading will go on later.
    pub(super) fn open(path: &Path, position: u64) -> Result<Self, FileError> {
        let open = |source| FileError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        let size = file.metadata().map_err(open)?.len();
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        if !gzip && size < position {
            return Err(FileError::Shorter { path: path.to_owned(), size, position });
        }
        let bytes = if gzip {
            Bytes::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK, file))))
        } else {
            Bytes::Plain(file)
        };
        Ok(Input { path: path.to_owned(), bytes, buffer: Vec::new(), consumed: 0, offset: 0, skip: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the first byte stands that is not consumed.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What has been read and not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.consumed..]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.consumed += count;
        self.offset += count as u64;
    }

    /// Goes on to `position`. In a compressed file that means reading up to it, which [`Input::fill`] does bit by bit.
    pub(super) fn go_to(&mut self, position: u64) -> Result<(), FileError> {
        let Some(ahead) = position.checked_sub(self.offset) else {
            // The header alone is longer than what was read before.
            return Err(FileError::Replaced { path: self.path.clone() });
        };
        if let Bytes::Plain(file) = &mut self.bytes {
            file.seek(SeekFrom::Start(position)).map_err(|source| self.failed(source))?;
            self.buffer.clear();
            self.consumed = 0;
            self.offset = position;
        } else {
            self.skip = ahead;
            self.pass();
        }
        Ok(())
    }

    /// Consumes what is to be skipped, as far as it has been read.
    fn pass(&mut self) {
        let passed = usize::try_from(self.skip).map_or(self.unread().len(), |skip| skip.min(self.unread().len()));
        self.consume(passed);
        self.skip -= passed as u64;
    }

    /// Reads one more chunk at most.
    pub(super) fn fill(&mut self) -> Result<Filled, FileError> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.buffer.capacity() > 4 * (self.buffer.len() + CHUNK) {
            // After a long record.
            self.buffer.shrink_to(self.buffer.len() + CHUNK);
        }
        let filled = self.buffer.len();
        self.buffer.resize(filled + CHUNK, 0);
        let outcome = match &mut self.bytes {
            Bytes::Plain(file) => read_some(file, &mut self.buffer[filled..]),
            Bytes::Gzip(decoder) => read_some(decoder, &mut self.buffer[filled..]),
        };
        self.buffer.truncate(filled + *outcome.as_ref().unwrap_or(&0));
        let read = outcome.map_err(|source| self.failed(source))?;
        self.pass();
        match read {
            0 if self.skip > 0 => {
                let (size, position) = (self.offset, self.offset + self.skip);
                Err(FileError::Shorter { path: self.path.clone(), size, position })
            }
            0 => Ok(Filled::End),
            _ => Ok(Filled::More),
        }
    }

    /// What it means that the file has no more, if it is followed.
    pub(super) fn end(&self) -> Result<End, FileError> {
        let Bytes::Plain(file) = &self.bytes else { return Ok(End::Final) };
        let there = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(End::Final),
            Err(source) => return Err(self.failed(source)),
        };
        let open = file.metadata().map_err(|source| self.failed(source))?;
        if !is_same(&open, &there) {
            return Err(FileError::Replaced { path: self.path.clone() });
        }
        let position = self.offset + self.unread().len() as u64;
        if there.len() < position {
            return Err(FileError::Shorter { path: self.path.clone(), size: there.len(), position });
        }
        Ok(End::ForNow)
    }

    fn failed(&self, source: io::Error) -> FileError {
        let offset = self.offset + self.unread().len() as u64;
        FileError::Read { path: self.path.clone(), offset, source }
    }
}

fn read_some(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(to) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Without inodes, only the size can tell.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
