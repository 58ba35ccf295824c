//! What has changed of evicted keys since the last freeze: rows one after the other, as they were written.
//!
//! A key that was evicted more than once is there more than once; its last row says all. The list is set aside whole at a
//! freeze, and read by the writer thread some rows at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::sync::Arc;

use super::pack;
use super::scratch::{Folder, Scratch, failed_io};
use crate::error::Error;

const BUFFER: usize = 64 << 10;
/// The lengths of a key and of a row that come before both.
const LENGTHS: usize = 8;

/// A list that is being written.
pub(crate) struct Changes {
    scratch: Arc<Scratch>,
    list: Option<(BufWriter<File>, Folder)>,
    len: usize,
}

/// A list that has been set aside.
pub(crate) struct ChangedRows {
    file: BufReader<File>,
    place: Folder,
}

/// Some rows of a list: each key once, with the last of its rows, in order.
#[derive(Default)]
pub(crate) struct Group {
    bytes: Vec<u8>,
    /// Where each key begins and ends, and where its row ends.
    rows: Vec<(usize, usize, usize)>,
}

impl Changes {
    pub(crate) fn new(scratch: Arc<Scratch>) -> Self {
        Changes { scratch, list: None, len: 0 }
    }

    /// Rows in the list.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Appends a row.
    pub(crate) fn push(&mut self, key: &[u8], row: &[u8]) -> Result<(), Error> {
        let (file, place) = match &mut self.list {
            Some(list) => list,
            none => {
                let (file, place) = self.scratch.file()?;
                none.insert((BufWriter::with_capacity(BUFFER, file), place))
            }
        };
        self.len += 1;
        let mut lengths = [0; LENGTHS];
        let too_long = |_| Error::job("a key has more than 4 GiB of state: it cannot be put on disk");
        lengths[..4].copy_from_slice(&u32::try_from(key.len()).map_err(too_long)?.to_le_bytes());
        lengths[4..].copy_from_slice(&u32::try_from(row.len()).map_err(too_long)?.to_le_bytes());
        let written =
            file.write_all(&lengths).and_then(|()| file.write_all(key)).and_then(|()| file.write_all(row));
        written.map_err(|error| failed_io(place.path(), &error))
    }

    /// Sets the list aside, if there is anything in it, and begins anew.
    pub(crate) fn take(&mut self) -> Result<Option<ChangedRows>, Error> {
        self.len = 0;
        let Some((file, place)) = self.list.take() else { return Ok(None) };
        let file = file.into_inner().map_err(|error| failed_io(place.path(), error.error()))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        file.rewind().map_err(|error| failed_io(place.path(), &error))?;
        Ok(Some(ChangedRows { file, place }))
    }
}

impl ChangedRows {
    /// The next rows: so many, or so many bytes of them. None when there are no more.
    pub(crate) fn next(&mut self, most_rows: usize, most_bytes: usize) -> Result<Option<Group>, Error> {
        let mut group = Group::default();
        while group.rows.len() < most_rows && group.bytes.len() < most_bytes {
            let mut lengths = [0; LENGTHS];
            let failed = |error| failed_io(self.place.path(), &error);
            if self.file.fill_buf().map_err(failed)?.is_empty() {
                break;
            }
            self.file.read_exact(&mut lengths).map_err(failed)?;
            let mut lengths = lengths.as_slice();
            let key = u32::from_le_bytes(pack::bytes(&mut lengths)?) as usize;
            let row = u32::from_le_bytes(pack::bytes(&mut lengths)?) as usize;
            let start = group.bytes.len();
            // What is not there is not allocated: lengths are not to be trusted.
            let read = (&mut self.file).take((key + row) as u64).read_to_end(&mut group.bytes).map_err(failed)?;
            if read != key + row {
                return Err(pack::cut_off());
            }
            group.rows.push((start, start + key, start + key + row));
        }
        group.settle();
        Ok((!group.rows.is_empty()).then_some(group))
    }
}

impl Group {
    /// Sorts by key, and leaves of each key the row that was written last.
    fn settle(&mut self) {
        let Group { bytes, rows } = self;
        rows.sort_unstable_by(|a, b| (&bytes[a.0..a.1], b.0).cmp(&(&bytes[b.0..b.1], a.0)));
        rows.dedup_by(|later, first| bytes[later.0..later.1] == bytes[first.0..first.1]);
    }

    /// Keys and their rows, in the order of the keys.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows.iter().map(|(start, middle, end)| (&self.bytes[*start..*middle], &self.bytes[*middle..*end]))
    }
}
