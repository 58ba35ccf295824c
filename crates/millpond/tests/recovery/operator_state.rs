//! Operator state: a list that is dealt out at a restore, and one that is given whole to all.

use millpond::{Context, EventTime, OperatorListState, Process, UserError};

use crate::harness::{COUNT, recovers};
use crate::source::in_order;

/// Holds numbers back, gives them out in bundles, and the rest at the end. What the subtasks have seen, they know together.
struct Bundles {
    held: OperatorListState<u64>,
    ended: OperatorListState<bool>,
}

impl Process<u64> for Bundles {
    type Out = u64;
    type Side = ();

    fn process(&mut self, number: &u64, context: &mut Context<'_, u64, ()>) -> Result<(), UserError> {
        if self.ended.get().contains(&true) {
            return Err("a number after the end of time".into());
        }
        self.held.add(*number);
        if self.held.get().len() >= 11 {
            self.release(context);
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: EventTime, context: &mut Context<'_, u64, ()>) -> Result<(), UserError> {
        if watermark == EventTime::MAX {
            self.ended.set(vec![true]);
            self.release(context);
        }
        Ok(())
    }
}

impl Bundles {
    fn release(&self, context: &mut Context<'_, u64, ()>) {
        self.held.get().into_iter().for_each(|number| context.emit(number));
        self.held.set(Vec::new());
    }
}

#[test]
fn what_is_held_back_is_neither_lost_nor_given_out_twice() {
    recovers(
        1,
        |env, numbers, ledger| {
            env.source(numbers, in_order())
                .uid("numbers")
                .rebalance()
                .process(|setup| Bundles { held: setup.list("held"), ended: setup.union("ended") })
                .uid("bundles")
                .sink(ledger.sink())
                .uid("ledger");
        },
        (0..COUNT).collect(),
    );
}
