//! A map sorted by its key that mostly has a few entries.
//!
//! What a key has by time, its windows or the records that wait for partners, is a handful at any moment. A B-tree sets
//! eleven places aside for the first entry and is searched node by node; here a few entries stand side by side in a list
//! that is as long as it must be, and only many are a B-tree.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::ops::{Bound, RangeBounds};

/// The most entries that are a list. Moving up to so many when one comes or goes costs less than a tree.
const FEW: usize = 16;

/// Entries by key, in its order.
pub(crate) enum SortedMap<K, V> {
    Few(Vec<(K, V)>),
    #[expect(clippy::box_collection, reason = "there is a map for each key of a job, and most are a list")]
    Many(Box<BTreeMap<K, V>>),
}

impl<K: Ord, V> SortedMap<K, V> {
    pub(crate) const fn new() -> Self {
        SortedMap::Few(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            SortedMap::Few(list) => list.len(),
            SortedMap::Many(tree) => tree.len(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, SortedMap::Few(list) if list.is_empty())
    }

    /// The greatest entry, of a list.
    #[inline]
    pub(crate) fn last_of_list(&self) -> Option<&V> {
        match self {
            SortedMap::Few(list) => list.last().map(|(_, value)| value),
            SortedMap::Many(_) => None,
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            SortedMap::Few(list) => place(list, key).ok().map(|at| &list[at].1),
            SortedMap::Many(tree) => tree.get(key),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            SortedMap::Few(list) => place(list, key).ok().map(|at| &mut list[at].1),
            SortedMap::Many(tree) => tree.get_mut(key),
        }
    }

    /// Puts `value` under `key`; gives back what was there.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            SortedMap::Few(list) => match place(list, &key) {
                Ok(at) => Some(std::mem::replace(&mut list[at].1, value)),
                Err(at) => {
                    self.put(at, key, value);
                    None
                }
            },
            SortedMap::Many(tree) => tree.insert(key, value),
        }
    }

    /// Puts what `make` makes under `key`, if there is nothing; says whether it has.
    pub(crate) fn insert_new(&mut self, key: K, make: impl FnOnce() -> V) -> bool {
        match self {
            SortedMap::Few(list) => match place(list, &key) {
                Ok(_) => return false,
                Err(at) => self.put(at, key, make()),
            },
            SortedMap::Many(tree) => match tree.entry(key) {
                btree_map::Entry::Occupied(_) => return false,
                btree_map::Entry::Vacant(entry) => {
                    entry.insert(make());
                }
            },
        }
        true
    }

    /// Puts an entry into a list, which may become a tree.
    fn put(&mut self, at: usize, key: K, value: V) {
        let SortedMap::Few(list) = self else { return };
        if list.len() < FEW {
            if list.len() == list.capacity() {
                // A key that has one entry has room for one.
                list.reserve_exact(if list.len() == 1 { 3 } else { list.len().max(1) });
            }
            list.insert(at, (key, value));
        } else {
            let mut tree: BTreeMap<K, V> = std::mem::take(list).into_iter().collect();
            tree.insert(key, value);
            *self = SortedMap::Many(Box::new(tree));
        }
    }

    /// Takes away what is under `key`. An empty map takes no memory; a tree with few entries becomes a list once it has
    /// half of what it began with, so that it does not change with each entry that comes and goes.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            SortedMap::Few(list) => {
                let (_, value) = list.remove(place(list, key).ok()?);
                if list.is_empty() {
                    *list = Vec::new();
                }
                Some(value)
            }
            SortedMap::Many(tree) => {
                let value = tree.remove(key);
                if tree.len() <= FEW / 2 {
                    *self = SortedMap::Few(std::mem::take(&mut **tree).into_iter().collect());
                }
                value
            }
        }
    }

    /// The least key.
    pub(crate) fn first_key(&self) -> Option<&K> {
        match self {
            SortedMap::Few(list) => list.first().map(|(key, _)| key),
            SortedMap::Many(tree) => tree.keys().next(),
        }
    }

    /// The entries whose key is in `range`, in order. In a range that ends before it starts there are none.
    #[inline]
    pub(crate) fn range(&self, range: impl RangeBounds<K>) -> impl Iterator<Item = (&K, &V)> {
        let (list, tree) = match self {
            SortedMap::Few(list) => (&list[places(list, &range)], None),
            SortedMap::Many(tree) => (&[][..], (!is_reversed(&range)).then(|| tree.range(range))),
        };
        list.iter().map(|(key, value)| (key, value)).chain(tree.into_iter().flatten())
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.range(..)
    }
}

/// Where `key` is in a list, or where it would be. What comes is mostly near the end, as time is mostly part of the key.
#[inline]
fn place<K: Ord, V>(list: &[(K, V)], key: &K) -> Result<usize, usize> {
    for (at, (other, _)) in list.iter().enumerate().rev() {
        match other.cmp(key) {
            Ordering::Greater => {}
            Ordering::Equal => return Ok(at),
            Ordering::Less => return Err(at + 1),
        }
    }
    Err(0)
}

/// Where in a list the keys of `range` are.
#[inline]
fn places<K: Ord, V>(list: &[(K, V)], range: &impl RangeBounds<K>) -> std::ops::Range<usize> {
    let start = match range.start_bound() {
        Bound::Unbounded => 0,
        Bound::Included(first) => list.partition_point(|(key, _)| key < first),
        Bound::Excluded(before) => list.partition_point(|(key, _)| key <= before),
    };
    let end = match range.end_bound() {
        Bound::Unbounded => list.len(),
        Bound::Included(last) => list.partition_point(|(key, _)| key <= last),
        Bound::Excluded(behind) => list.partition_point(|(key, _)| key < behind),
    };
    start..end.max(start)
}

/// Whether a range is one that a tree panics at.
fn is_reversed<K: Ord>(range: &impl RangeBounds<K>) -> bool {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
            start > end
        }
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap::Few(Vec::new())
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Chain<std::vec::IntoIter<(K, V)>, btree_map::IntoIter<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        let (list, tree) = match self {
            SortedMap::Few(list) => (list, BTreeMap::new()),
            SortedMap::Many(tree) => (Vec::new(), *tree),
        };
        list.into_iter().chain(tree)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u32),
        InsertNew(u8, u32),
        Change(u8, u32),
        Remove(u8),
        /// All keys from one on go.
        RemoveFrom(u8),
        Range(Bound<u8>, Bound<u8>),
    }

    fn bound() -> impl Strategy<Value = Bound<u8>> {
        prop_oneof![
            (0..40_u8).prop_map(Bound::Included),
            (0..40_u8).prop_map(Bound::Excluded),
            Just(Bound::Unbounded)
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            16 => (0..40_u8, any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            4 => (0..40_u8, any::<u32>()).prop_map(|(key, value)| Step::InsertNew(key, value)),
            2 => (0..40_u8, any::<u32>()).prop_map(|(key, value)| Step::Change(key, value)),
            2 => (0..40_u8).prop_map(Step::Remove),
            1 => (0..40_u8).prop_map(Step::RemoveFrom),
            2 => (bound(), bound()).prop_map(|(start, end)| Step::Range(start, end)),
        ]
    }

    /// The entries of a range, by looking at each.
    fn in_range(model: &BTreeMap<u8, u32>, range: (Bound<u8>, Bound<u8>)) -> Vec<(u8, u32)> {
        model.iter().filter(|(key, _)| range.contains(key)).map(|(key, value)| (*key, *value)).collect()
    }

    proptest! {
        #[test]
        fn it_is_the_map_that_a_tree_is(steps in prop::collection::vec(step(), 1..300)) {
            let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                    Step::InsertNew(key, value) => {
                        prop_assert_eq!(map.insert_new(key, || value), !model.contains_key(&key));
                        model.entry(key).or_insert(value);
                    }
                    Step::Change(key, value) => {
                        if let Some(old) = map.get_mut(&key) {
                            *old = value;
                        }
                        model.entry(key).and_modify(|old| *old = value);
                    }
                    Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    Step::RemoveFrom(first) => {
                        for key in first..40 {
                            prop_assert_eq!(map.remove(&key), model.remove(&key));
                        }
                    }
                    Step::Range(start, end) => {
                        let found: Vec<(u8, u32)> = map.range((start, end)).map(|(k, v)| (*k, *v)).collect();
                        prop_assert_eq!(found, in_range(&model, (start, end)));
                    }
                }
                prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
                prop_assert_eq!(map.first_key(), model.keys().next());
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!((0..40).all(|key| map.get(&key) == model.get(&key)));
            }
            prop_assert!(map.into_iter().eq(model));
        }
    }

    #[test]
    fn few_entries_are_a_list_and_many_a_tree() {
        let mut map = SortedMap::new();
        (0..=FEW).rev().for_each(|key| assert_eq!(map.insert(key, key), None));
        assert!(matches!(map, SortedMap::Many(_)));
        (0..FEW / 2).for_each(|key| assert_eq!(map.remove(&key), Some(key)));
        assert!(matches!(map, SortedMap::Many(_)), "it does not change with each entry");
        map.remove(&FEW);
        assert!(matches!(&map, SortedMap::Few(list) if list.len() == FEW / 2));
        (FEW / 2..FEW).for_each(|key| assert_eq!(map.remove(&key), Some(key)));
        assert!(matches!(&map, SortedMap::Few(list) if list.capacity() == 0), "nothing takes no memory");
    }
}
