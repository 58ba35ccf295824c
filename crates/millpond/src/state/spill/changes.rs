//! What has changed of evicted keys since the last freeze: rows one after the other, as they were written.
//!
//! A key that was evicted more than once is there more than once; its last row says all. The list is set aside whole at a
//! freeze, and read by the writer thread some rows at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::sync::Arc;

use super::index::{Prefix, prefix};
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
    rows: Vec<Placed>,
}

/// A row in a group.
struct Placed {
    /// The first bytes of the key, by which most are told apart.
    prefix: Prefix,
    /// Where the key begins and ends, and where the row ends.
    start: usize,
    middle: usize,
    end: usize,
}

/// How long the key and the row are of which these are the first bytes.
fn lengths(mut bytes: &[u8]) -> Option<(usize, usize)> {
    let mut len = || pack::bytes(&mut bytes).ok().map(|len| u32::from_le_bytes(len) as usize);
    Some((len()?, len()?))
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
    /// Puts the next rows in the place of those that a group has: so many, or so many bytes of them. Says whether there are any.
    pub(crate) fn next(&mut self, group: &mut Group, most_rows: usize, most_bytes: usize) -> Result<bool, Error> {
        group.rows.clear();
        group.bytes.clear();
        while group.rows.len() < most_rows && group.bytes.len() < most_bytes {
            let failed = |error| failed_io(self.place.path(), &error);
            let read = self.file.fill_buf().map_err(failed)?;
            if read.is_empty() {
                break;
            }
            // Nearly always the next row stands in the buffer as a whole.
            let whole = lengths(read).map(|(key, row)| (key, row, LENGTHS + key + row));
            if let Some((key, row, len)) = whole.filter(|(.., len)| *len <= read.len()) {
                group.push(&read[LENGTHS..len], key, row);
                self.file.consume(len);
            } else {
                self.read_pieces(group)?;
            }
        }
        group.settle();
        Ok(!group.rows.is_empty())
    }

    /// Adds the next row to a group, however long it is.
    fn read_pieces(&mut self, group: &mut Group) -> Result<(), Error> {
        let failed = |error| failed_io(self.place.path(), &error);
        let mut start = [0; LENGTHS];
        self.file.read_exact(&mut start).map_err(failed)?;
        let (key, row) = lengths(&start).ok_or_else(pack::cut_off)?;
        // What is not there is not allocated: lengths are not to be trusted.
        let mut bytes = Vec::new();
        let read = (&mut self.file).take((key + row) as u64).read_to_end(&mut bytes).map_err(failed)?;
        if read != key + row {
            return Err(pack::cut_off());
        }
        group.push(&bytes, key, row);
        Ok(())
    }
}

impl Group {
    /// Adds a row, whose `bytes` are those of the key, and then its own.
    fn push(&mut self, bytes: &[u8], key: usize, row: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let (middle, end) = (start + key, start + key + row);
        self.rows.push(Placed { prefix: prefix(&bytes[..key]), start, middle, end });
    }

    /// Sorts by key, and leaves of each key the row that was written last.
    fn settle(&mut self) {
        let Group { bytes, rows } = self;
        let key = |row: &Placed| &bytes[row.start..row.middle];
        rows.sort_unstable_by(|a, b| {
            let order = a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(key(b)));
            order.then(b.start.cmp(&a.start))
        });
        rows.dedup_by(|later, first| later.prefix == first.prefix && key(later) == key(first));
    }

    /// Keys and their rows, in the order of the keys.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let parts = |row: &Placed| (&self.bytes[row.start..row.middle], &self.bytes[row.middle..row.end]);
        self.rows.iter().map(parts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn of_each_key_the_last_row_of_a_group_is_read_however_long_rows_are() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = Changes::new(Scratch::create_in(directory.path()).unwrap());
        let mut model = BTreeMap::new();
        for number in 0..9_000_u64 {
            // Some keys differ after their first bytes only, and some rows are longer than what is read at once.
            let id = number * 31 % 1_400;
            let key = [&[id as u8 % 7; 16], id.to_be_bytes().as_slice()].concat();
            let len = if number % 1_000 == 999 { 2 * BUFFER } else { number as usize % 90 };
            changes.push(&key, &vec![number as u8; len]).unwrap();
            model.insert(key, (number as u8, len));
        }
        assert_eq!(changes.len(), 9_000);
        let mut list = changes.take().unwrap().unwrap();
        assert!(changes.len() == 0 && changes.take().unwrap().is_none());
        let (mut found, mut group, mut groups) = (BTreeMap::new(), Group::default(), 0);
        while list.next(&mut group, 4_000, 1 << 20).unwrap() {
            let keys: Vec<&[u8]> = group.rows().map(|(key, _)| key).collect();
            assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
            let rows = group.rows().map(|(key, row)| (key.to_vec(), row.to_vec()));
            found.extend(rows);
            groups += 1;
        }
        let expected = model.into_iter().map(|(key, (byte, len))| (key, vec![byte; len]));
        assert!(groups > 2 && found.into_iter().eq(expected));
    }
}
