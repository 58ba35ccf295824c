//! Two keyed streams that share state.

use millpond::{CoProcess, KeyedContext, ListState, UserError};

use crate::harness::{COUNT, recovers};
use crate::source::in_order;

/// Pairs each number of the one side with each of the other, whichever comes first.
struct Pairs {
    left: ListState<u64>,
    right: ListState<u64>,
}

impl CoProcess<u64, u64, u64> for Pairs {
    type Out = (u64, u64);
    type Side = ();

    fn left(
        &mut self,
        number: &u64,
        context: &mut KeyedContext<'_, u64, (u64, u64), ()>,
    ) -> Result<(), UserError> {
        self.left.add(*number);
        self.right.get().into_iter().for_each(|other| context.emit((*number, other)));
        Ok(())
    }

    fn right(
        &mut self,
        number: &u64,
        context: &mut KeyedContext<'_, u64, (u64, u64), ()>,
    ) -> Result<(), UserError> {
        self.right.add(*number);
        self.left.get().into_iter().for_each(|other| context.emit((other, *number)));
        Ok(())
    }
}

#[test]
fn every_pair_is_made_once() {
    let pairs = |left: u64| {
        (0..COUNT).filter(move |right| left % 40 == right % 40 && right % 2 == 1).map(move |r| (left, r))
    };
    let expected = (0..COUNT).filter(|left| left % 4 != 0).flat_map(pairs).collect();
    recovers(
        2,
        |env, numbers, ledger| {
            let left = env.source(numbers.clone(), in_order()).uid("left");
            let right = env.source(numbers, in_order()).uid("right").rebalance();
            let left = left.filter(|number| number % 4 != 0).key_by(|number| number % 40);
            let right = right.filter(|number| number % 2 == 1).key_by(|number| number % 40);
            left.connect(right)
                .process(|setup| Pairs { left: setup.list("left"), right: setup.list("right") })
                .uid("pairs")
                .sink(ledger.sink())
                .uid("ledger");
        },
        expected,
    );
}
