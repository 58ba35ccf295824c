//! Which leaf has which keys: the upper level of a table, in memory.
//!
//! Leaves are told apart by the first bytes of their keys, so that an entry has one size. It stands in chunks that are shared
//! with copies of the index until one of the two is changed.

use std::sync::Arc;

use super::extents::Extent;

/// The first bytes of a key, by which leaves are told apart: keys that have them in common share a leaf.
pub(crate) type Prefix = (u64, u64);

/// Leaves in a chunk, at most.
const MOST_LEAVES: usize = 512;

/// A leaf, and the least prefix that it may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    pub(crate) first: Prefix,
    pub(crate) extent: Extent,
}

/// Leaves in the order of their keys.
#[derive(Clone, Default)]
pub(crate) struct Index {
    /// None is empty.
    chunks: Vec<(Prefix, Arc<Vec<Leaf>>)>,
}

/// A leaf's place in the index, until that is changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    chunk: usize,
    leaf: usize,
}

/// The first bytes of a key, with zeros for those that it does not have.
#[inline]
pub(crate) fn prefix(key: &[u8]) -> Prefix {
    let mut bytes = [0; 16];
    let len = key.len().min(16);
    bytes[..len].copy_from_slice(&key[..len]);
    let number = u128::from_be_bytes(bytes);
    ((number >> 64) as u64, number as u64)
}

impl Index {
    /// The leaf that has the keys with this prefix, if there are any; and the least prefix that it does not have. None
    /// without leaves.
    #[inline]
    pub(crate) fn find(&self, prefix: Prefix) -> Option<(Place, Leaf, Option<Prefix>)> {
        // What is less than all is the first one's.
        let chunk = self.chunks.partition_point(|(first, _)| *first <= prefix).saturating_sub(1);
        let leaves = &*self.chunks.get(chunk)?.1;
        let leaf = leaves.partition_point(|leaf| leaf.first <= prefix).saturating_sub(1);
        let place = Place { chunk, leaf };
        Some((place, leaves[leaf], self.after(place).map(|(_, leaf)| leaf.first)))
    }

    /// The leaf after that one.
    pub(crate) fn after(&self, Place { chunk, leaf }: Place) -> Option<(Place, Leaf)> {
        let (_, leaves) = self.chunks.get(chunk)?;
        let next = match leaves.get(leaf + 1) {
            Some(_) => Place { chunk, leaf: leaf + 1 },
            None => Place { chunk: chunk + 1, leaf: 0 },
        };
        let (_, leaves) = self.chunks.get(next.chunk)?;
        Some((next, leaves[next.leaf]))
    }

    /// The first leaf.
    pub(crate) fn first(&self) -> Option<(Place, Leaf)> {
        let (_, leaves) = self.chunks.first()?;
        Some((Index::START, leaves[0]))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Says where a leaf is now.
    pub(crate) fn set(&mut self, Place { chunk, leaf }: Place, to: Leaf) {
        Arc::make_mut(&mut self.chunks[chunk].1)[leaf] = to;
    }

    /// Puts leaves in the place of one; in an empty index, in the only place that there is.
    pub(crate) fn replace(&mut self, Place { chunk, leaf }: Place, by: &[Leaf]) {
        if self.chunks.is_empty() {
            self.chunks.push(((0, 0), Arc::new(Vec::new())));
        } else {
            Arc::make_mut(&mut self.chunks[chunk].1).remove(leaf);
        }
        let leaves = Arc::make_mut(&mut self.chunks[chunk].1);
        if leaves.capacity() - leaves.len() < by.len() {
            // Rather than twice the room: it counts against the keys that are resident.
            leaves.reserve_exact(by.len().max(MOST_LEAVES / 16));
        }
        leaves.splice(leaf..leaf, by.iter().copied());
        match leaves.len() {
            0 => drop(self.chunks.remove(chunk)),
            1..=MOST_LEAVES => self.chunks[chunk].0 = leaves[0].first,
            _ => {
                let half = |leaves: &[Leaf]| (leaves[0].first, Arc::new(leaves.to_vec()));
                let halves: Vec<_> = leaves.chunks(MOST_LEAVES / 2 + 1).map(half).collect();
                self.chunks.splice(chunk..=chunk, halves);
            }
        }
    }

    /// The only place of an empty index.
    pub(crate) const START: Place = Place { chunk: 0, leaf: 0 };

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let chunks = self.chunks.iter().map(|(_, leaves)| leaves.capacity() * size_of::<Leaf>()).sum::<usize>();
        chunks + self.chunks.capacity() * size_of::<(Prefix, Arc<Vec<Leaf>>)>()
    }
}
