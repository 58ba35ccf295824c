//! What a leaf of a table has: neighbouring rows in the order of their keys, one after the other, and a directory of where some
//! of them begin, so that a search looks at few.
//!
//! ```text
//!   leaf: row … · entry … · how many entries there are
//!   row: length of the key · length of the value · key · value
//!   entry: the first eight bytes of a key · where its row begins
//! ```

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::Range;

use super::index::{Prefix, prefix};
use super::pack::{self, put_varint, varint};
use crate::error::Error;

/// The directory has a row after so many bytes of them, when the leaf is made.
const STRIDE: usize = 256;
/// Bytes of an entry of the directory, and of how many there are.
const ENTRY: usize = 12;
const COUNT: usize = 4;

/// The rows of a leaf.
pub(crate) fn rows(leaf: &[u8]) -> Result<&[u8], Error> {
    Ok(parts(leaf)?.0)
}

/// The rows of a leaf, and its directory.
#[inline]
fn parts(leaf: &[u8]) -> Result<(&[u8], &[[u8; ENTRY]]), Error> {
    let (rest, count) = leaf.split_last_chunk::<COUNT>().ok_or_else(pack::cut_off)?;
    let bytes = (u32::from_le_bytes(*count) as usize).saturating_mul(ENTRY);
    let rows = rest.len().checked_sub(bytes).ok_or_else(pack::cut_off)?;
    let (rows, directory) = rest.split_at(rows);
    Ok((rows, directory.as_chunks().0))
}

/// Where the value of `key` stands in a leaf.
#[inline]
pub(crate) fn find(leaf: &[u8], key: &[u8]) -> Result<Option<Range<usize>>, Error> {
    Ok(locate(leaf, key)?.1)
}

/// Where the row of `key` begins in a leaf, or has its place; and where its value stands, if there is one.
#[inline]
fn locate(leaf: &[u8], key: &[u8]) -> Result<(usize, Option<Range<usize>>), Error> {
    let (rows, directory) = parts(leaf)?;
    let start = prefix(key).0;
    // Rows that begin with the same bytes may begin before the entry that does.
    let before = directory.partition_point(|[entry @ .., _, _, _, _]| u64::from_le_bytes(*entry) < start);
    let at = match before.checked_sub(1).map(|entry| directory[entry]) {
        Some([.., a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
        None => 0,
    };
    let mut rest = Rows::new(rows.get(at..).ok_or_else(pack::cut_off)?);
    loop {
        let mut after = rest;
        let row = after.next()?;
        let at = rows.len() - rest.left();
        match row.map(|row| (compare(row.key, key), row.value)) {
            Some((Ordering::Less, _)) => rest = after,
            Some((Ordering::Equal, value)) => {
                let end = rows.len() - after.left();
                return Ok((at, Some(end - value.len()..end)));
            }
            Some((Ordering::Greater, _)) | None => return Ok((at, None)),
        }
    }
}

/// Puts rows into a leaf, for as long as it then has no more than `most` bytes of them and none is to go. Gives the bytes that
/// are not as they were.
pub(crate) fn patch<'a>(
    leaf: &mut Vec<u8>,
    most: usize,
    updates: &mut Peekable<impl Iterator<Item = Update<'a>>>,
) -> Result<Range<usize>, Error> {
    let (mut first, mut end, mut moved) = (None, 0, false);
    while let Some((key, Some(value))) = updates.peek() {
        let (at, place) = locate(leaf, key)?;
        if let Some(place) = place.clone().filter(|place| place.len() == value.len()) {
            // Nearly always: nothing else moves.
            end = place.end;
            leaf[place].copy_from_slice(value);
        } else {
            let old = place.map_or(0, |place| place.end - at);
            let mut row = Vec::with_capacity(key.len() + value.len() + 10);
            put_row(key, value, &mut row);
            if rows(leaf)?.len() - old + row.len() > most {
                break;
            }
            splice(leaf, at, old, &row)?;
            moved = true;
        }
        first = first.or(Some(at));
        updates.next();
    }
    let end = if moved { leaf.len() } else { end };
    Ok(first.map_or(0..0, |first| first..end))
}

/// Puts a row in the place of `old` bytes, which are those of a row of its key, or none.
fn splice(leaf: &mut Vec<u8>, at: usize, old: usize, row: &[u8]) -> Result<(), Error> {
    leaf.splice(at..at + old, row.iter().copied());
    let end = leaf.len() - COUNT;
    let entries = parts(leaf)?.1.len();
    for entry in leaf[end - entries * ENTRY..end].as_chunks_mut::<ENTRY>().0 {
        let [.., a, b, c, d] = entry;
        let begin = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        // An entry whose row stood here may begin with this one.
        if begin > at {
            [*a, *b, *c, *d] = ((begin + row.len() - old) as u32).to_le_bytes();
        }
    }
    Ok(())
}

/// Makes a leaf of rows.
pub(crate) fn build(rows: &[u8], leaf: &mut Vec<u8>) -> Result<(), Error> {
    leaf.clear();
    leaf.extend_from_slice(rows);
    let (mut all, mut next, mut count) = (Rows::new(rows), 0, 0_u32);
    loop {
        let at = rows.len() - all.left();
        let Some(row) = all.next()? else { break };
        if at >= next {
            leaf.extend_from_slice(&prefix(row.key).0.to_le_bytes());
            // A leaf that is too large for that is refused when it is written.
            leaf.extend_from_slice(&(at as u32).to_le_bytes());
            (next, count) = (at + STRIDE, count + 1);
        }
    }
    leaf.extend_from_slice(&count.to_le_bytes());
    Ok(())
}

/// A row of a leaf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// The rows of a leaf that have not been given out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    rest: &'a [u8],
}

impl<'a> Rows<'a> {
    pub(crate) fn new(rows: &'a [u8]) -> Self {
        Rows { rest: rows }
    }

    /// How many bytes have not been given out.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next row; None at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Row<'a>>, Error> {
        match self.next_short() {
            None if !self.rest.is_empty() => self.next_long().map(Some),
            row => Ok(row),
        }
    }

    /// The next row, if its key and its value are short: nearly always.
    #[inline]
    fn next_short(&mut self) -> Option<Row<'a>> {
        let [key @ ..0x80, value @ ..0x80, rest @ ..] = self.rest else { return None };
        let (key, rest) = rest.split_at_checked(usize::from(*key))?;
        let (value, rest) = rest.split_at_checked(usize::from(*value))?;
        self.rest = rest;
        Some(Row { key, value })
    }

    #[cold]
    fn next_long(&mut self) -> Result<Row<'a>, Error> {
        let mut rest = self.rest;
        let (key, value) = (varint(&mut rest)?, varint(&mut rest)?);
        let (key, rest) = rest.split_at_checked(key).ok_or_else(pack::cut_off)?;
        let (value, rest) = rest.split_at_checked(value).ok_or_else(pack::cut_off)?;
        self.rest = rest;
        Ok(Row { key, value })
    }
}

/// The order of two keys. Most are told apart by their first bytes, which is faster than to look at all of them.
#[inline]
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    match (one.first_chunk::<8>(), other.first_chunk::<8>()) {
        (Some(first), Some(second)) if first != second => {
            u64::from_be_bytes(*first).cmp(&u64::from_be_bytes(*second))
        }
        _ => one.cmp(other),
    }
}

fn put_row(key: &[u8], value: &[u8], to: &mut Vec<u8>) {
    put_varint(key.len(), to);
    put_varint(value.len(), to);
    to.extend_from_slice(key);
    to.extend_from_slice(value);
}

/// What is written: a key with its value, or without one if its row is to go.
pub(crate) type Update<'a> = (&'a [u8], Option<&'a [u8]>);

/// Appends `old` rows of a leaf, as they are after `updates`, which come in the order of their keys, and without those
/// that are `waste`. Says whether that makes a difference.
pub(crate) fn merge<'a>(
    old: &[u8],
    updates: impl Iterator<Item = Update<'a>>,
    waste: impl Fn(&[u8]) -> bool,
    to: &mut Vec<u8>,
) -> Result<bool, Error> {
    // Old rows that stay are copied together: from `kept` to where the first one stands that does not.
    let (mut rows, mut kept, mut differs) = (Rows::new(old), 0, false);
    let mut updates = updates.peekable();
    loop {
        let at = old.len() - rows.left();
        let mut after = rows;
        let row = after.next()?;
        let end = old.len() - after.left();
        let order = match (row, updates.peek()) {
            (Some(row), Some((key, _))) => compare(row.key, key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => {
                to.extend_from_slice(&old[kept..]);
                return Ok(differs);
            }
        };
        if order.is_le() {
            rows = after;
            if order.is_eq() || row.is_some_and(|row| waste(row.value)) {
                to.extend_from_slice(&old[kept..at]);
                (kept, differs) = (end, true);
            }
        }
        if order.is_ge()
            && let Some((key, value)) = updates.next()
            && let Some(value) = value
        {
            if order.is_gt() {
                to.extend_from_slice(&old[kept..at]);
                kept = at;
            }
            put_row(key, value, to);
            differs = true;
        }
    }
}

/// Divides rows among leaves that have at most `most` bytes of them, but for rows that are larger by themselves and those that a prefix keeps
/// together. If one leaf is not enough each has about as much, so that all have room for more.
pub(crate) fn divide(rows: &[u8], most: usize) -> Result<Vec<(Prefix, &[u8])>, Error> {
    if rows.len() <= most {
        let first = Rows::new(rows).next()?;
        return Ok(first.map(|row| (prefix(row.key), rows)).into_iter().collect());
    }
    let count = rows.len().div_ceil(most / 4 * 3);
    let share = rows.len() / count;
    let mut leaves = Vec::with_capacity(count);
    let (mut all, mut begun) = (Rows::new(rows), 0);
    let (mut first, mut last) = (None, None);
    loop {
        let at = rows.len() - all.left();
        let Some(row) = all.next()? else { break };
        let (own, end) = (prefix(row.key), rows.len() - all.left());
        let full = at - begun >= share || end - begun > most;
        if full && at > begun && last != Some(own) {
            leaves.extend(first.map(|first| (first, &rows[begun..at])));
            (begun, first) = (at, None);
        }
        first = first.or(Some(own));
        last = Some(own);
    }
    leaves.extend(first.map(|first| (first, &rows[begun..])));
    Ok(leaves)
}
