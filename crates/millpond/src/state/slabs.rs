//! A list that grows without moving what it has.
//!
//! A `Vec` that is full moves all its items to another place, and a long one takes longer for that than a worker may stand
//! still. Here items are in slabs of one size: a full slab stays where it is, and is freed for itself.

use std::ops::{Index, IndexMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Items in a slab: some hundred kilobytes of what states keep. A little less than a power of two, as allocators have blocks of
/// such sizes, and may need some bytes of them: what does not fit takes a fifth more.
const SLAB: usize = (1 << 14) - 16;

/// So many slabs at most are kept: a list that is longer may not come again soon.
const MOST_SPARE: usize = 128;

/// Items by number.
#[derive(Debug)]
pub(crate) struct Slabs<T> {
    slabs: Vec<Vec<T>>,
    /// Where slabs come from, and go back to.
    spare: Option<Spare<T>>,
}

/// Slabs of lists that are made again and again. Memory that is given back to the system is cleared when it comes again, which
/// costs more than to fill it.
#[derive(Debug)]
pub(crate) struct Spare<T>(Arc<Mutex<Pile<T>>>);

#[derive(Debug)]
struct Pile<T> {
    slabs: Vec<Vec<T>>,
    /// How many of them no list has needed since one came back.
    unused: usize,
}

impl<T> Spare<T> {
    pub(crate) fn new() -> Self {
        Spare(Arc::new(Mutex::new(Pile { slabs: Vec::new(), unused: 0 })))
    }

    /// An empty list that takes its slabs from here, and brings them back when it is dropped.
    pub(crate) fn list(&self) -> Slabs<T> {
        Slabs { slabs: Vec::new(), spare: Some(self.clone()) }
    }

    fn take(&self) -> Option<Vec<T>> {
        let mut pile = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slab = pile.slabs.pop();
        pile.unused = pile.unused.min(pile.slabs.len());
        slab
    }

    /// Takes back the slabs of a list, and lets go of as many as were here and not needed for it.
    fn give(&self, mut slabs: Vec<Vec<T>>) {
        slabs.retain(|slab| slab.capacity() == SLAB);
        slabs.iter_mut().for_each(Vec::clear);
        let mut pile = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = pile.slabs.len() - pile.unused;
        slabs.truncate(MOST_SPARE.saturating_sub(needed));
        let unneeded = pile.slabs.split_off(needed);
        pile.slabs.append(&mut slabs);
        pile.unused = pile.slabs.len();
        drop(pile);
        drop(unneeded);
    }
}

impl<T> Clone for Spare<T> {
    fn clone(&self) -> Self {
        Spare(Arc::clone(&self.0))
    }
}

impl<T> Drop for Slabs<T> {
    fn drop(&mut self) {
        if let Some(spare) = &self.spare {
            spare.give(std::mem::take(&mut self.slabs));
        }
    }
}

impl<T> Slabs<T> {
    pub(crate) fn new() -> Self {
        Slabs { slabs: Vec::new(), spare: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.slabs.last().map_or(0, |last| (self.slabs.len() - 1) * SLAB + last.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slabs.is_empty()
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        match self.slabs.last_mut() {
            Some(last) if last.len() < SLAB => last.push(item),
            _ => self.push_slab(item),
        }
    }

    /// The first slab grows with what there is, as most lists are short.
    #[cold]
    fn push_slab(&mut self, item: T) {
        let room = if self.slabs.is_empty() { 4 } else { SLAB };
        let spare = self.spare.as_ref().and_then(Spare::take);
        let mut slab = spare.unwrap_or_else(|| Vec::with_capacity(room));
        slab.push(item);
        self.slabs.push(slab);
    }

    /// Adds items until there are `len`.
    pub(crate) fn grow(&mut self, len: usize, mut make: impl FnMut() -> T) {
        while self.len() < len {
            self.push(make());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.slabs.iter().flatten()
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.slabs.last()?.last()
    }

    /// The items slab by slab. Two lists of one length are divided alike.
    pub(crate) fn slices(&self) -> impl DoubleEndedIterator<Item = &[T]> + ExactSizeIterator {
        self.slabs.iter().map(Vec::as_slice)
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.slabs.get(at / SLAB)?.get(at % SLAB)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.slabs.get_mut(at / SLAB)?.get_mut(at % SLAB)
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
        &self.slabs[at / SLAB][at % SLAB]
    }
}

impl<T> IndexMut<usize> for Slabs<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.slabs[at / SLAB][at % SLAB]
    }
}

impl<T> IntoIterator for Slabs<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    /// Each slab is freed when it has been passed.
    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(&mut self.slabs).into_iter().flatten()
    }
}

impl<T> Extend<T> for Slabs<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        let mut items = items.into_iter();
        while let Some(item) = items.next() {
            self.push(item);
            if let Some(last) = self.slabs.last_mut() {
                last.extend(items.by_ref().take(SLAB - last.len()));
            }
        }
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

    #[test]
    fn slabs_come_back_and_what_was_not_needed_goes() {
        let spare = Spare::new();
        let kept = || spare.0.lock().unwrap().slabs.len();
        let list = |items| {
            let mut list = spare.list();
            list.grow(items, || String::from("x"));
            assert!(
                list.len() == items && list.iter().all(|item| item == "x"),
                "nothing is left of the list before"
            );
        };
        list(3);
        assert_eq!(kept(), 0, "a short slab is not kept");
        list(3 * SLAB + 1);
        assert_eq!(kept(), 3, "the first has grown by doubling, and is of another size");
        list(2 * SLAB);
        assert_eq!(kept(), 2);
        list((MOST_SPARE + 9) * SLAB);
        assert_eq!(kept(), MOST_SPARE, "another one may be far");
        list(1);
        assert_eq!(kept(), 1);
    }
}
