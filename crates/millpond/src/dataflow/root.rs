//! The operator that begins epochs.
//!
//! It stands before every source and holds, on worker 0 alone, the capability for the current epoch. Letting go of
//! it *is* the barrier: each operator learns from its frontier that nothing of the epoch can come any more.

use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};

use super::time::Time;
use crate::runtime::mailbox::Mailbox;
use crate::time::EventTime;

/// Builds the root. It follows the epoch in `mailbox`, and ends when that says that the job has.
pub(crate) fn root<'s>(scope: Scope<'s, Time>, mailbox: &Mailbox) -> StreamVec<'s, Time, ()> {
    let mut builder = OperatorBuilder::new("root".to_owned(), scope);
    let (_output, stream) = builder.new_output::<Vec<()>>();
    let epoch = mailbox.epoch(scope.activator_for(builder.operator_info().address));
    let first = scope.index() == 0;
    builder.build(move |mut capabilities| {
        let mut capability = capabilities.pop().filter(|_| first);
        move |_frontiers| match (epoch.current(), &mut capability) {
            (Some(epoch), Some(capability)) if capability.time().epoch < epoch => {
                capability.downgrade(&Time::new(epoch, EventTime::MIN));
            }
            (None, _) => capability = None,
            _ => {}
        }
    });
    stream
}
