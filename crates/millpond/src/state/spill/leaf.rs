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

/// The directory has a row after so many bytes of them.
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
    let (rows, directory) = parts(leaf)?;
    let start = prefix(key).0;
    // Rows that begin with the same bytes may begin before the entry that does.
    let before = directory.partition_point(|[entry @ .., _, _, _, _]| u64::from_le_bytes(*entry) < start);
    let at = match before.checked_sub(1).map(|entry| directory[entry]) {
        Some([.., a, b, c, d]) => u32::from_le_bytes([a, b, c, d]) as usize,
        None => 0,
    };
    let mut rest = Rows::new(rows.get(at..).ok_or_else(pack::cut_off)?);
    let found = rest.seek(key)?.map(<[u8]>::len);
    let end = rows.len() - rest.left();
    Ok(found.map(|len| end - len..end))
}

/// Overwrites values of a leaf, for as long as the next of the `updates` are of keys that it has, with values as long as they
/// had. Gives the bytes between which something has changed.
pub(crate) fn patch<'a>(
    leaf: &mut [u8],
    updates: &mut Peekable<impl Iterator<Item = Update<'a>>>,
) -> Result<Range<usize>, Error> {
    let mut changed = 0..0;
    while let Some((key, Some(value))) = updates.peek()
        && let Some(place) = find(leaf, key)?.filter(|place| place.len() == value.len())
    {
        changed = if changed.is_empty() { place.clone() } else { changed.start..place.end };
        leaf[place].copy_from_slice(value);
        updates.next();
    }
    Ok(changed)
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

    /// Goes on to the first row whose key is not less than `key`; if that is the key, gives its value and goes on behind it.
    #[inline]
    fn seek(&mut self, key: &[u8]) -> Result<Option<&'a [u8]>, Error> {
        loop {
            let mut after = *self;
            let Some(row) = after.next()? else { return Ok(None) };
            match compare(row.key, key) {
                Ordering::Less => *self = after,
                Ordering::Equal => {
                    *self = after;
                    return Ok(Some(row.value));
                }
                Ordering::Greater => return Ok(None),
            }
        }
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
            put_varint(key.len(), to);
            put_varint(value.len(), to);
            to.extend_from_slice(key);
            to.extend_from_slice(value);
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
