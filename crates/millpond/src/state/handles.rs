//! What user code holds of keyed state. Each handle reads and writes for the key of the record or timer at hand.

use std::cell::RefCell;
use std::ops::RangeBounds;
use std::rc::Rc;

use super::codec::StateValue;
use super::map::MapStore;
use super::value::ValueStore;

/// One value a key.
///
/// Reads give clones, so that no borrow of the state outlives the call; [`ValueState::with`] and
/// [`ValueState::update`] work in place.
pub struct ValueState<V>(pub(crate) Rc<RefCell<ValueStore<V>>>);

impl<V: StateValue> ValueState<V> {
    /// The value, if there is one.
    #[inline]
    pub fn get(&self) -> Option<V> {
        self.0.borrow_mut().get().cloned()
    }
    /// Looks at the value without a clone.
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(Option<&V>) -> R) -> R {
        look(self.0.borrow_mut().get())
    }
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: V) {
        self.0.borrow_mut().set(value);
    }
    /// Changes the value in place; where there is none, a default one.
    #[inline]
    pub fn update<R>(&self, change: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        change(self.0.borrow_mut().get_or_insert_with(V::default))
    }
    /// Changes the value in place, if there is one.
    #[inline]
    pub fn update_present<R>(&self, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.0.borrow_mut().get_mut().map(change)
    }
    /// Removes the value.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// A list a key. It is one value: a change to it is written to the next snapshot as a whole.
pub struct ListState<V>(pub(crate) Rc<RefCell<ValueStore<Vec<V>>>>);

impl<V: StateValue> ListState<V> {
    /// Appends an element.
    pub fn add(&self, element: V) {
        self.0.borrow_mut().get_or_insert_with(Vec::new).push(element);
    }
    /// The elements, in the order in which they were added.
    pub fn get(&self) -> Vec<V> {
        self.0.borrow_mut().get().cloned().unwrap_or_default()
    }
    /// Looks at the elements without a clone.
    pub fn with<R>(&self, look: impl FnOnce(&[V]) -> R) -> R {
        look(self.0.borrow_mut().get().map_or(&[], Vec::as_slice))
    }
    /// Replaces the list; an empty one removes it.
    pub fn set(&self, elements: Vec<V>) {
        if elements.is_empty() {
            self.clear();
        } else {
            self.0.borrow_mut().set(elements);
        }
    }
    /// Removes the list.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// A map a key, sorted by its own key. Snapshots take only the entries that changed.
pub struct MapState<M, V>(pub(crate) Rc<RefCell<MapStore<M, V>>>);

impl<M: StateValue + Ord, V: StateValue> MapState<M, V> {
    /// The value under `key`.
    pub fn get(&self, key: &M) -> Option<V> {
        self.0.borrow_mut().get(key).cloned()
    }
    /// Looks at the value under `key` without a clone. `look` must not touch this state.
    #[inline]
    pub fn with<R>(&self, key: &M, look: impl FnOnce(Option<&V>) -> R) -> R {
        look(self.0.borrow_mut().get(key))
    }
    /// Whether there is a value under `key`.
    pub fn contains(&self, key: &M) -> bool {
        self.0.borrow_mut().get(key).is_some()
    }
    /// Puts a value under `key`; gives back what was there.
    pub fn insert(&self, key: M, value: V) -> Option<V> {
        self.0.borrow_mut().insert(key, value)
    }
    /// Changes the value under `key` in place, if there is one.
    #[inline]
    pub fn update<R>(&self, key: &M, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.0.borrow_mut().get_mut(key).map(change)
    }
    /// Changes the value under `key` in place; where there is none, one made by `default`.
    pub fn upsert<R>(&self, key: M, default: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> R) -> R {
        let mut store = self.0.borrow_mut();
        if let Some(value) = store.get_mut(&key) {
            return change(value);
        }
        let mut value = default();
        let result = change(&mut value);
        store.insert_new(key, value);
        result
    }
    /// Removes what is under `key`, and gives it back.
    pub fn remove(&self, key: &M) -> Option<V> {
        self.0.borrow_mut().remove(key)
    }
    /// The entries, sorted by key.
    pub fn entries(&self) -> Vec<(M, V)> {
        self.range(..)
    }
    /// The entries whose key is in `range`, sorted by key; none, if it ends before it starts.
    pub fn range(&self, range: impl RangeBounds<M>) -> Vec<(M, V)> {
        self.0.borrow_mut().range(range).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
    /// Looks at the entries whose key is in `range`, sorted by key, without a clone. `look` must not touch this state.
    pub fn for_range(&self, range: impl RangeBounds<M>, mut look: impl FnMut(&M, &V)) {
        self.0.borrow_mut().range(range).for_each(|(key, value)| look(key, value));
    }
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.borrow_mut().len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Removes all entries.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Makes one value of two.
pub(crate) type Reduce<V> = Rc<dyn Fn(&V, &V) -> V>;

/// A value a key that takes in elements of its own type.
pub struct ReducingState<V> {
    pub(crate) value: ValueState<V>,
    pub(crate) reduce: Reduce<V>,
}

impl<V: StateValue> ReducingState<V> {
    /// Reduces the element into the value.
    pub fn add(&self, element: V) {
        let mut store = self.value.0.borrow_mut();
        match store.get_mut() {
            Some(value) => *value = (self.reduce)(value, &element),
            None => store.set(element),
        }
    }
    /// The value so far.
    pub fn get(&self) -> Option<V> {
        self.value.get()
    }
    /// Starts anew.
    pub fn clear(&self) {
        self.value.clear();
    }
}

/// How elements make a result, by way of an accumulator that can be kept and merged.
///
/// ```
/// use millpond::Aggregate;
/// struct Mean;
/// impl Aggregate<f64> for Mean {
///     type Accumulator = (f64, u64);
///     type Output = f64;
///     fn create(&self) -> (f64, u64) { (0.0, 0) }
///     fn add(&self, acc: &mut (f64, u64), x: &f64) { acc.0 += x; acc.1 += 1; }
///     fn merge(&self, acc: &mut (f64, u64), other: &(f64, u64)) { acc.0 += other.0; acc.1 += other.1; }
///     fn result(&self, acc: &(f64, u64)) -> f64 { acc.0 / acc.1 as f64 }
/// }
/// let mut acc = Mean.create();
/// Mean.add(&mut acc, &1.0);
/// Mean.add(&mut acc, &3.0);
/// assert_eq!(Mean.result(&acc), 2.0);
/// ```
pub trait Aggregate<In>: 'static {
    /// What is kept.
    type Accumulator: StateValue;
    /// What comes out.
    type Output;
    /// The accumulator of nothing.
    fn create(&self) -> Self::Accumulator;
    /// Takes an element in.
    fn add(&self, accumulator: &mut Self::Accumulator, element: &In);
    /// Takes another accumulator in, of later elements. Session windows that grow together need it, and sliding windows, which
    /// have parts in common: to take two lists of elements in one after the other must come to the same as to take each in
    /// by itself and to merge.
    fn merge(&self, accumulator: &mut Self::Accumulator, other: &Self::Accumulator);
    /// What the accumulator amounts to.
    fn result(&self, accumulator: &Self::Accumulator) -> Self::Output;
}

/// An accumulator a key.
pub struct AggregatingState<In, A: Aggregate<In>> {
    pub(crate) value: ValueState<A::Accumulator>,
    pub(crate) aggregate: Rc<A>,
}

impl<In, A: Aggregate<In>> AggregatingState<In, A> {
    /// Takes an element in.
    pub fn add(&self, element: &In) {
        let mut store = self.value.0.borrow_mut();
        let accumulator = store.get_or_insert_with(|| self.aggregate.create());
        self.aggregate.add(accumulator, element);
    }
    /// The result so far; `None` if no element was taken in.
    pub fn get(&self) -> Option<A::Output> {
        self.value.with(|accumulator| accumulator.map(|accumulator| self.aggregate.result(accumulator)))
    }
    /// Starts anew.
    pub fn clear(&self) {
        self.value.clear();
    }
}
