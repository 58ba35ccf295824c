//! An operator's input: batches of the current epoch pass, those of a later one wait.

use std::collections::VecDeque;
use std::sync::Arc;

use timely::communication::Pull;
use timely::dataflow::channels::Message;
use timely::dataflow::operators::InputCapability;
use timely::dataflow::operators::generic::InputHandleCore;

use super::flow::Flow;
use super::time::Time;

/// One input of an aligned operator.
pub(crate) struct Inlet<D: Clone + 'static, P: Pull<Message<Time, Vec<D>>>> {
    handle: InputHandleCore<Time, Vec<D>, P>,
    /// Batches that came early. Each keeps its capability: a message that waits counts as not consumed, so the
    /// watermark cannot pass it, here or on any other worker.
    early: VecDeque<(InputCapability<Time>, Vec<D>)>,
    flow: Arc<Flow>,
    /// Whether the sender has counted the records already (it does when they go to another worker).
    counted: bool,
}

impl<D: Clone + 'static, P: Pull<Message<Time, Vec<D>>>> Inlet<D, P> {
    pub(crate) fn new(handle: InputHandleCore<Time, Vec<D>, P>, flow: Arc<Flow>, counted: bool) -> Self {
        Inlet { handle, early: VecDeque::new(), flow, counted }
    }

    /// Gives all that has arrived of `epoch` to `logic`, batch by batch, and puts the rest to wait.
    pub(crate) fn drain(&mut self, epoch: u64, mut logic: impl FnMut(&mut Vec<D>)) {
        let Inlet { handle, early, flow, counted } = self;
        handle.for_each(|capability, batch| {
            if capability.stamp().iter().any(|time| time.epoch > epoch) {
                if !*counted {
                    flow.enter(batch.len());
                }
                early.push_back((capability, std::mem::take(batch)));
            } else {
                let records = batch.len();
                logic(batch);
                batch.clear();
                if *counted {
                    flow.leave(records);
                }
            }
        });
    }

    /// Gives the waiting batches of `epoch` to `logic`, in the order of their arrival.
    pub(crate) fn admit(&mut self, epoch: u64, mut logic: impl FnMut(&mut Vec<D>)) {
        for _ in 0..self.early.len() {
            let Some((capability, mut batch)) = self.early.pop_front() else { break };
            if capability.stamp().iter().any(|time| time.epoch > epoch) {
                self.early.push_back((capability, batch));
            } else {
                let records = batch.len();
                logic(&mut batch);
                self.flow.leave(records);
            }
        }
    }
}
