//! From any worker to the one that owns a record.
//!
//! Timely would take each batch apart to see where its records go. Here the operator that makes the records deals them out
//! while it does, and a batch goes where its first record does: none is moved once more.

use std::rc::Rc;

use timely::communication::Push;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::{DistributorPact, Pipeline};
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Stamp;
use timely::progress::operate::FrontierInterest;

use super::time::Time;
use crate::runtime::failure::{Failure, Reporter};

/// Applies `logic` to each batch. `logic` pushes its results into one list for each worker, and says which record it failed
/// on if it fails; nothing is sent from then on. What it makes is to be sent by [`to_owner`].
pub(crate) fn partition<'s, A, B, L>(
    stream: StreamVec<'s, Time, A>,
    name: &str,
    reporter: Rc<Reporter>,
    mut logic: L,
) -> StreamVec<'s, Time, B>
where
    A: Clone + 'static,
    B: Clone + 'static,
    L: FnMut(&mut Vec<A>, &mut [Vec<B>]) -> Result<(), Failure> + 'static,
{
    let workers = stream.scope().peers();
    let mut builder = OperatorBuilder::new(name.to_owned(), stream.scope());
    let mut input = builder.new_input(stream, Pipeline);
    let (output, stream) = builder.new_output::<Vec<B>>();
    let mut output = OutputBuilder::<Time, CapacityContainerBuilder<Vec<B>>>::from(output);
    builder.set_notify_for(0, FrontierInterest::Never);
    let mut results: Vec<Vec<B>> = (0..workers).map(|_| Vec::new()).collect();
    // After a failure the capabilities of what was not processed are kept: the frontier must not pass it.
    let mut kept = Vec::new();
    builder.build(move |_capabilities| {
        move |_frontiers| {
            let mut output = output.activate();
            input.for_each(|capability, batch| {
                let done = kept.is_empty() && reporter.guard(|| logic(batch, &mut results)).is_some();
                if done {
                    let mut session = output.session(&capability);
                    for results in results.iter_mut().filter(|results| !results.is_empty()) {
                        session.give_container(results);
                        results.clear();
                    }
                } else {
                    results.iter_mut().for_each(Vec::clear);
                    kept.push(capability);
                }
            });
        }
    });
    stream
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
