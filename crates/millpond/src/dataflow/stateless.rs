//! Operators without state: a batch in, a batch out, at the time at which it came.

use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{ParallelizationContract, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::operate::FrontierInterest;

use super::time::Time;
use crate::runtime::failure::Failure;
use crate::runtime::reporter::Reporter;

/// Applies `logic` to each batch. `logic` pushes its results into the second argument, and says which record
/// it failed on if it fails; nothing is sent from then on.
pub(crate) fn stateless<'s, A, B, L>(
    stream: StreamVec<'s, Time, A>,
    name: &str,
    reporter: Rc<Reporter>,
    mut logic: L,
) -> StreamVec<'s, Time, B>
where
    A: Clone + 'static,
    B: Clone + 'static,
    L: FnMut(&mut Vec<A>, &mut Vec<B>) -> Result<(), Failure> + 'static,
{
    spread(stream, name, reporter, 1, move |batch, out| logic(batch, &mut out[0]))
}

/// As [`stateless`], with so many `lists` for the results. Each is sent as a batch of its own.
pub(super) fn spread<'s, A, B, L>(
    stream: StreamVec<'s, Time, A>,
    name: &str,
    reporter: Rc<Reporter>,
    lists: usize,
    mut logic: L,
) -> StreamVec<'s, Time, B>
where
    A: Clone + 'static,
    B: Clone + 'static,
    L: FnMut(&mut Vec<A>, &mut [Vec<B>]) -> Result<(), Failure> + 'static,
{
    let mut builder = OperatorBuilder::new(name.to_owned(), stream.scope());
    let mut input = builder.new_input(stream, Pipeline);
    let (output, stream) = builder.new_output::<Vec<B>>();
    let mut output = OutputBuilder::<Time, CapacityContainerBuilder<Vec<B>>>::from(output);
    builder.set_notify_for(0, FrontierInterest::Never);
    let mut results: Vec<Vec<B>> = (0..lists).map(|_| Vec::new()).collect();
    // As many as each held the last time, and some more: so much room is made for the next.
    let mut room = vec![0; lists];
    // After a failure the capabilities of what was not processed are kept: the frontier must not pass it.
    let mut kept = Vec::new();
    builder.build(move |_capabilities| {
        move |_frontiers| {
            let mut output = output.activate();
            input.for_each(|capability, batch| {
                // What was sent has taken its room along.
                results.iter_mut().zip(&room).for_each(|(results, room)| results.reserve(*room));
                let done = kept.is_empty() && reporter.guard(|| logic(batch, &mut results)).is_some();
                if done {
                    let mut session = output.session(&capability);
                    for (results, room) in results.iter_mut().zip(&mut room).filter(|(list, _)| !list.is_empty()) {
                        *room = results.len() + results.len() / 4;
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

/// Sends each record to the worker that `pact` says, and applies `logic` to what arrives.
pub(crate) fn exchange<'s, A, B, P>(
    stream: StreamVec<'s, Time, A>,
    pact: P,
    name: &str,
    mut logic: impl FnMut(&mut Vec<A>, &mut Vec<B>) + 'static,
) -> StreamVec<'s, Time, B>
where
    A: Clone + 'static,
    B: Clone + 'static,
    P: ParallelizationContract<Time, Vec<A>>,
{
    let mut builder = OperatorBuilder::new(name.to_owned(), stream.scope());
    let mut input = builder.new_input(stream, pact);
    let (output, stream) = builder.new_output::<Vec<B>>();
    let mut output = OutputBuilder::<Time, CapacityContainerBuilder<Vec<B>>>::from(output);
    builder.set_notify_for(0, FrontierInterest::Never);
    let mut results = Vec::new();
    builder.build(move |_capabilities| {
        move |_frontiers| {
            let mut output = output.activate();
            input.for_each(|capability, batch| {
                logic(batch, &mut results);
                output.session(&capability).give_container(&mut results);
                results.clear();
            });
        }
    });
    stream
}
