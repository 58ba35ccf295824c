//! A list that grows without moving what it has.
//!
//! A `Vec` that is full moves all its items to another place, and a long one takes longer for that than a worker may stand
//! still. Here items are in slabs of one size: a full slab stays where it is, and is freed for itself.

use std::ops::{Index, IndexMut};

/// Items in a slab, as a power of two: some hundred kilobytes of what states keep.
const BITS: usize = 14;
const SLAB: usize = 1 << BITS;

/// Items by number.
#[derive(Debug)]
pub(crate) struct Slabs<T>(Vec<Vec<T>>);

impl<T> Slabs<T> {
    pub(crate) fn new() -> Self {
        Slabs(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * SLAB + last.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < SLAB => last.push(item),
            _ => self.push_slab(item),
        }
    }

    /// The first slab grows with what there is, as most lists are short.
    #[cold]
    fn push_slab(&mut self, item: T) {
        let mut slab = Vec::with_capacity(if self.0.is_empty() { 4 } else { SLAB });
        slab.push(item);
        self.0.push(slab);
    }

    /// Adds items until there are `len`.
    pub(crate) fn grow(&mut self, len: usize, mut make: impl FnMut() -> T) {
        while self.len() < len {
            self.push(make());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().flatten()
    }

    /// The items slab by slab. Two lists of one length are divided alike.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[T]> + Clone {
        self.0.iter().map(Vec::as_slice)
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at >> BITS)?.get(at & (SLAB - 1))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.0.get_mut(at >> BITS)?.get_mut(at & (SLAB - 1))
    }
}

impl<T> Default for Slabs<T> {
    fn default() -> Self {
        Slabs::new()
    }
}

impl<T> Index<usize> for Slabs<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.0[at >> BITS][at & (SLAB - 1)]
    }
}

impl<T> IndexMut<usize> for Slabs<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.0[at >> BITS][at & (SLAB - 1)]
    }
}

impl<T> IntoIterator for Slabs<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    /// Each slab is freed when it has been passed.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

impl<T> Extend<T> for Slabs<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> FromIterator<T> for Slabs<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut slabs = Slabs::new();
        slabs.extend(items);
        slabs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_where_they_were_put_and_stay_there() {
        let mut slabs = Slabs::new();
        assert!(slabs.is_empty() && slabs.get(0).is_none());
        slabs.push(0);
        slabs.grow(SLAB, || 0);
        let first: *const usize = &raw const slabs[0];
        slabs.grow(3 * SLAB + 1, || 0);
        assert_eq!(first, &raw const slabs[0], "a full slab is not moved");
        assert_eq!((slabs.len(), slabs.is_empty()), (3 * SLAB + 1, false));
        for at in [0, SLAB - 1, SLAB, 3 * SLAB] {
            slabs[at] = at;
        }
        assert_eq!(slabs.get(3 * SLAB), Some(&(3 * SLAB)));
        assert_eq!(slabs.get(3 * SLAB + 1), None);
        assert_eq!(slabs.get_mut(9 * SLAB), None);
        let set = [0, SLAB - 1, SLAB, 3 * SLAB];
        assert_eq!(slabs.len(), 3 * SLAB + 1);
        assert!(slabs.into_iter().enumerate().all(|(at, item)| item == if set.contains(&at) { at } else { 0 }));
    }
}
