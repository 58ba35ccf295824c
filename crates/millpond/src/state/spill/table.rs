//! A sorted table on disk: a tree of two levels, of which the upper one is in memory.
//!
//! Its leaves are extents of a file, each with some dozens of rows, which are read and overwritten in place: nothing in the
//! file is needed after a crash, so nothing is logged, synced or merged, and what was used lately is in the memory of the
//! system. A row costs one read. Keys that are looked for, and rows that are written, come in order, so that those of one leaf
//! share it.
//!
//! One thread, the worker, writes. Another may read all rows as they stood at one moment, while it does ([`Snapshot`]).

use std::iter::Peekable;
use std::sync::Arc;

use super::extents::{EXTENT_BYTES, Extent, Extents, View};
use super::index::{Index, Leaf, Place, Prefix, prefix};
use super::leaf::{self, Row, Rows, Update, divide, merge};
use super::scratch::Scratch;
use crate::error::Error;

/// Bytes of the rows of a leaf, but for one with a row that is larger. The directory takes less than the rest of an extent.
const LEAF_BYTES: usize = EXTENT_BYTES / 16 * 15;
/// A leaf with less takes in the next one,
const FEW_BYTES: usize = LEAF_BYTES / 4;
/// if the two then have no more than this.
const ENOUGH_BYTES: usize = LEAF_BYTES / 4 * 3;
/// Room for one leaf that is kept although leaves are smaller.
const MOST_ROOM: usize = 64 << 10;

/// The worker's hand on a table.
pub(crate) struct Table {
    index: Index,
    extents: Extents,
    /// The leaf that was read last.
    leaf: Vec<u8>,
    /// What of it is known, if it is as it stands in the file.
    open: Option<Open>,
    /// What becomes of it; for its room.
    merged: Vec<u8>,
    /// Where the sweep goes on.
    hand: Prefix,
}

/// A leaf in which a key was looked for.
struct Open {
    /// It has the keys from here,
    from: Prefix,
    /// to before here.
    until: Option<Prefix>,
}

/// The rows of a table as they stood at one moment, in order. For any thread.
pub(crate) struct Snapshot {
    index: Index,
    view: View,
    /// The leaf that is read next.
    next: Option<(Place, Leaf)>,
    /// The rows of the one before it, and how far they have been given out.
    leaf: Vec<u8>,
    at: usize,
}

impl Table {
    pub(crate) fn create(scratch: &Arc<Scratch>) -> Result<Self, Error> {
        Ok(Table {
            index: Index::default(),
            extents: Extents::create(scratch)?,
            leaf: Vec::new(),
            open: None,
            merged: Vec::new(),
            hand: Prefix::default(),
        })
    }

    /// The value of `key`. Best asked for in the order of keys.
    pub(crate) fn get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        let prefix = prefix(key);
        let is_in = |open: &Open| open.from <= prefix && open.until.is_none_or(|until| prefix < until);
        if !self.open.as_ref().is_some_and(is_in) {
            let Some((_, leaf, until)) = self.index.find(prefix) else { return Ok(None) };
            self.read(leaf.extent)?;
            self.open = Some(Open { from: leaf.first.min(prefix), until });
        }
        Ok(leaf::find(&self.leaf, key)?.map(|place| &self.leaf[place]))
    }

    /// Writes rows, in the order of their keys. Says how many leaves that was. Where a leaf is made anew, old rows that are `waste` are
    /// left out.
    pub(crate) fn write<'a>(
        &mut self,
        rows: impl Iterator<Item = Update<'a>>,
        waste: impl Fn(&[u8]) -> bool,
    ) -> Result<usize, Error> {
        let mut rows = rows.peekable();
        let mut leaves = 0;
        while let Some((key, _)) = rows.peek() {
            let found = self.index.find(prefix(key));
            let until = found.and_then(|(.., until)| until);
            let own = || rows.next_if(|(key, _)| until.is_none_or(|until| prefix(key) < until));
            let mut own = std::iter::from_fn(own).peekable();
            match found {
                Some((place, leaf, _)) => self.update(place, leaf, &mut own, &waste)?,
                None => {
                    self.merged.clear();
                    merge(&[], own, &waste, &mut self.merged)?;
                    self.replace(Index::START, None)?;
                }
            }
            leaves += 1;
        }
        self.trim();
        Ok(leaves)
    }

    /// Writes rows of one leaf. Most find their place in it, so that it is not made anew.
    fn update<'a>(
        &mut self,
        place: Place,
        mut leaf: Leaf,
        rows: &mut Peekable<impl Iterator<Item = Update<'a>>>,
        waste: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Error> {
        self.read(leaf.extent)?;
        let patched = leaf::patch(&mut self.leaf, LEAF_BYTES, rows)?;
        if rows.peek().is_some() {
            self.merged.clear();
            let differs = merge(leaf::rows(&self.leaf)?, rows, waste, &mut self.merged)?;
            if differs || !patched.is_empty() {
                self.replace(place, Some(leaf.extent))?;
            }
        } else if !patched.is_empty() {
            let len = leaf.extent.len();
            if self.extents.is_seen(leaf.extent) {
                leaf.extent = self.extents.write(&self.leaf, Some(leaf.extent))?;
                self.index.set(place, leaf);
            } else {
                leaf.extent = self.extents.overwrite(leaf.extent, &self.leaf, patched)?;
                if leaf.extent.len() != len {
                    self.index.set(place, leaf);
                }
            }
        }
        Ok(())
    }

    /// Looks at the next few leaves, and leaves out rows that are `waste`.
    pub(crate) fn sweep(&mut self, leaves: usize, waste: impl Fn(&[u8]) -> bool) -> Result<(), Error> {
        for _ in 0..leaves {
            let Some((place, leaf, until)) = self.index.find(self.hand) else { return Ok(()) };
            self.hand = until.unwrap_or_default();
            self.read(leaf.extent)?;
            self.merged.clear();
            if merge(leaf::rows(&self.leaf)?, std::iter::empty(), &waste, &mut self.merged)? {
                self.replace(place, Some(leaf.extent))?;
            }
        }
        Ok(())
    }

    /// Takes out the first rows, for as long as `take` says of their keys that it has taken them.
    pub(crate) fn take_first(&mut self, mut take: impl FnMut(&[u8]) -> Result<bool, Error>) -> Result<(), Error> {
        while let Some((place, leaf, _)) = self.index.find(Prefix::default()) {
            self.read(leaf.extent)?;
            let all = leaf::rows(&self.leaf)?;
            let mut rows = Rows::new(all);
            let mut left = rows.left();
            while let Some(row) = rows.next()?
                && take(row.key)?
            {
                left = rows.left();
            }
            if left == all.len() {
                return Ok(());
            }
            self.merged.clear();
            self.merged.extend_from_slice(&all[all.len() - left..]);
            self.replace(place, Some(leaf.extent))?;
            if left > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The rows that stand there now.
    pub(crate) fn snapshot(&mut self) -> Snapshot {
        let index = self.index.clone();
        let next = index.first();
        Snapshot { next, index, view: self.extents.view(), leaf: Vec::new(), at: 0 }
    }

    /// Memory that it takes: little, for each leaf.
    pub(crate) fn pinned(&self) -> usize {
        self.index.bytes() + self.extents.pinned() + self.leaf.capacity() + self.merged.capacity()
    }

    /// Reads a leaf.
    fn read(&mut self, extent: Extent) -> Result<(), Error> {
        self.open = None;
        self.trim();
        self.extents.read(extent, &mut self.leaf)
    }

    /// Lets room go that only large leaves need.
    fn trim(&mut self) {
        if self.leaf.capacity().max(self.merged.capacity()) > MOST_ROOM {
            self.open = None;
            (self.leaf, self.merged) = (Vec::new(), Vec::new());
        }
    }

    /// Puts what was merged in the place of a leaf.
    fn replace(&mut self, place: Place, mut old: Option<Extent>) -> Result<(), Error> {
        self.open = None;
        if self.merged.len() < FEW_BYTES
            && let Some((next, leaf)) = self.index.after(place)
            && self.merged.len() + leaf.extent.len() <= ENOUGH_BYTES
        {
            self.extents.read(leaf.extent, &mut self.leaf)?;
            self.merged.extend_from_slice(leaf::rows(&self.leaf)?);
            self.index.replace(next, &[]);
            self.extents.free(leaf.extent);
        }
        let mut leaves = Vec::new();
        for (first, rows) in divide(&self.merged, LEAF_BYTES)? {
            leaf::build(rows, &mut self.leaf)?;
            leaves.push(Leaf { first, extent: self.extents.write(&self.leaf, old.take())? });
        }
        old.into_iter().for_each(|old| self.extents.free(old));
        self.index.replace(place, &leaves);
        if self.index.is_empty() {
            self.extents.shrink()?;
        }
        Ok(())
    }
}

impl Snapshot {
    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>, Error> {
        while self.at >= self.leaf.len() {
            let Some((place, leaf)) = self.next else { return Ok(None) };
            self.view.read(leaf.extent, &mut self.leaf)?;
            self.leaf.truncate(leaf::rows(&self.leaf)?.len());
            self.next = self.index.after(place);
            self.at = 0;
        }
        let mut rows = Rows::new(&self.leaf[self.at..]);
        let row = rows.next()?;
        self.at = self.leaf.len() - rows.left();
        Ok(row)
    }
}
