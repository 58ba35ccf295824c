//! From any worker to the one that owns a record.
//!
//! Timely would take each batch apart to see where its records go. Here the operator that makes the records deals them out
//! while it does, and a batch goes where its first record does: none is moved once more.

use std::rc::Rc;

use timely::communication::Push;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::progress::Stamp;

use super::stateless::spread;
use super::time::Time;
use crate::runtime::failure::Failure;
use crate::runtime::reporter::Reporter;

/// Applies `logic` to each batch. `logic` pushes its results into one list for each worker, and says which record it failed
/// on if it fails; nothing is sent from then on. What it makes is to be sent by [`to_owner`].
pub(crate) fn partition<'s, A, B, L>(
    stream: StreamVec<'s, Time, A>,
    name: &str,
    reporter: Rc<Reporter>,
    logic: L,
) -> StreamVec<'s, Time, B>
where
    A: Clone + 'static,
    B: Clone + 'static,
    L: FnMut(&mut Vec<A>, &mut [Vec<B>]) -> Result<(), Failure> + 'static,
{
    let workers = stream.scope().peers();
    spread(stream, name, reporter, workers, logic)
}

/// Sends each batch of a [`partition`] to the worker that `owner` gives for its records.
pub(crate) fn to_owner<D, F: Fn(&D) -> usize>(owner: F) -> DistributorPact<impl FnOnce(usize) -> ToOwner<F>> {
    DistributorPact(|_| ToOwner(owner))
}

/// Sends each batch whole.
pub(crate) struct ToOwner<F>(F);

impl<D, F: Fn(&D) -> usize> Distributor<Vec<D>> for ToOwner<F> {
    fn partition<T: Clone, P: Push<Message<T, Vec<D>>>>(
        &mut self,
        batch: &mut Vec<D>,
        stamp: &Stamp<T>,
        workers: &mut [P],
    ) {
        if let Some(first) = batch.first() {
            let owner = (self.0)(first);
            debug_assert!(batch.iter().all(|record| (self.0)(record) == owner), "a batch is for one worker");
            Message::push_at(batch, stamp.clone(), &mut workers[owner]);
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Vec<D>>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}
