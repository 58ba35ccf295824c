//! What a window keeps of its records: something that takes them in one by one.

use std::marker::PhantomData;
use std::rc::Rc;

use crate::state::codec::StateValue;
use crate::state::handles::Aggregate;

/// Takes records in one by one.
pub(crate) trait Fold<In>: 'static {
    /// What is kept of a window.
    type Kept: StateValue;
    /// What is kept of one record.
    fn first(&self, record: &In) -> Self::Kept;
    /// Takes in another.
    fn add(&self, kept: &mut Self::Kept, record: &In);
}

/// Besides, makes one of two; sessions need it.
pub(crate) trait Merge<In>: Fold<In> {
    /// Takes in what was kept of a later window.
    fn merge(&self, kept: &mut Self::Kept, later: Self::Kept);
}

/// An [`Aggregate`] keeps its accumulator.
pub(crate) struct Aggregating<A>(pub(crate) Rc<A>);

impl<In, A: Aggregate<In>> Fold<In> for Aggregating<A> {
    type Kept = A::Accumulator;
    fn first(&self, record: &In) -> Self::Kept {
        let mut accumulator = self.0.create();
        self.0.add(&mut accumulator, record);
        accumulator
    }
    #[inline]
    fn add(&self, kept: &mut Self::Kept, record: &In) {
        self.0.add(kept, record);
    }
}

impl<In, A: Aggregate<In>> Merge<In> for Aggregating<A> {
    fn merge(&self, kept: &mut Self::Kept, later: Self::Kept) {
        self.0.merge(kept, &later);
    }
}

/// A function of two records to one keeps one record.
pub(crate) struct Reducing<F>(pub(crate) F);

impl<In: StateValue, F: Fn(&In, &In) -> In + 'static> Fold<In> for Reducing<F> {
    type Kept = In;
    fn first(&self, record: &In) -> In {
        record.clone()
    }
    #[inline]
    fn add(&self, kept: &mut In, record: &In) {
        *kept = (self.0)(kept, record);
    }
}

impl<In: StateValue, F: Fn(&In, &In) -> In + 'static> Merge<In> for Reducing<F> {
    fn merge(&self, kept: &mut In, later: In) {
        *kept = (self.0)(kept, &later);
    }
}

/// A function that changes a value with a record keeps the value.
pub(crate) struct Folding<A, F>(pub(crate) F, pub(crate) PhantomData<A>);

impl<In, A, F> Fold<In> for Folding<A, F>
where
    A: StateValue + Default,
    F: Fn(&mut A, &In) + 'static,
{
    type Kept = A;
    fn first(&self, record: &In) -> A {
        let mut kept = A::default();
        (self.0)(&mut kept, record);
        kept
    }
    #[inline]
    fn add(&self, kept: &mut A, record: &In) {
        (self.0)(kept, record);
    }
}

/// Counting keeps a number.
pub(crate) struct Counting;

impl<In> Fold<In> for Counting {
    type Kept = u64;
    fn first(&self, _: &In) -> u64 {
        1
    }
    #[inline]
    fn add(&self, kept: &mut u64, _: &In) {
        *kept += 1;
    }
}

impl<In> Merge<In> for Counting {
    fn merge(&self, kept: &mut u64, later: u64) {
        *kept += later;
    }
}

/// Keeps the records as they are.
pub(crate) struct Everything;

impl<In: StateValue> Fold<In> for Everything {
    type Kept = Vec<In>;
    fn first(&self, record: &In) -> Vec<In> {
        vec![record.clone()]
    }
    #[inline]
    fn add(&self, kept: &mut Vec<In>, record: &In) {
        kept.push(record.clone());
    }
}

impl<In: StateValue> Merge<In> for Everything {
    fn merge(&self, kept: &mut Vec<In>, mut later: Vec<In>) {
        kept.append(&mut later);
    }
}
