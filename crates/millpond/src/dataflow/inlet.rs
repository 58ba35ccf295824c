//! An operator's input: batches of the current epoch pass, a turn's worth at a time, those of a later one wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::communication::Pull;
use timely::dataflow::channels::Message;
use timely::dataflow::operators::InputCapability;
use timely::dataflow::operators::generic::InputHandleCore;

use super::flow::Flow;
use super::time::Time;

/// How long an operator works on what has arrived before others get their turn, but for the batch it is at.
const TURN: Duration = Duration::from_millis(1);

/// What is left of an operator's turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn(Instant);

impl Turn {
    pub(crate) fn begin() -> Self {
        Turn(Instant::now() + TURN)
    }

    fn is_over(self) -> bool {
        Instant::now() >= self.0
    }
}

/// One input of an aligned operator.
pub(crate) struct Inlet<D: Clone + 'static, P: Pull<Message<Time, Vec<D>>>> {
    handle: InputHandleCore<Time, Vec<D>, P>,
    /// Batches of the current epoch for which there was no time yet, or which came early and whose epoch has begun.
    ready: VecDeque<(InputCapability<Time>, Vec<D>)>,
    /// Batches that came early. Each keeps its capability: a message that waits counts as not consumed, so the
    /// watermark cannot pass it, here or on any other worker.
    early: VecDeque<(InputCapability<Time>, Vec<D>)>,
    flow: Arc<Flow>,
    /// Whether the sender has counted the records already (it does when they go to another worker).
    counted: bool,
}

impl<D: Clone + 'static, P: Pull<Message<Time, Vec<D>>>> Inlet<D, P> {
    pub(crate) fn new(handle: InputHandleCore<Time, Vec<D>, P>, flow: Arc<Flow>, counted: bool) -> Self {
        Inlet { handle, ready: VecDeque::new(), early: VecDeque::new(), flow, counted }
    }

    /// Gives what has arrived of `epoch` to `logic`, batch by batch, while `turn` lasts, and puts the rest to wait. Says
    /// whether something is left that could be done at once.
    pub(crate) fn drain(&mut self, epoch: u64, turn: Turn, mut logic: impl FnMut(&mut Vec<D>)) -> bool {
        self.work_off(turn, &mut logic);
        let Inlet { handle, ready, early, flow, counted } = self;
        let mut over = !ready.is_empty();
        handle.for_each(|capability, batch| {
            let is_early = capability.stamp().iter().any(|time| time.epoch > epoch);
            if is_early || over {
                if !*counted {
                    flow.enter(batch.len());
                }
                let waiting = if is_early { &mut *early } else { &mut *ready };
                waiting.push_back((capability, std::mem::take(batch)));
            } else {
                let records = batch.len();
                logic(batch);
                batch.clear();
                if *counted {
                    flow.leave(records);
                }
                over = turn.is_over();
            }
        });
        !self.ready.is_empty()
    }

    /// Gives the batches that waited for `epoch` to `logic`, in the order of their arrival, while `turn` lasts. Says
    /// whether some are left.
    pub(crate) fn admit(&mut self, epoch: u64, turn: Turn, mut logic: impl FnMut(&mut Vec<D>)) -> bool {
        for _ in 0..self.early.len() {
            let Some((capability, batch)) = self.early.pop_front() else { break };
            let is_early = capability.stamp().iter().any(|time| time.epoch > epoch);
            let waiting = if is_early { &mut self.early } else { &mut self.ready };
            waiting.push_back((capability, batch));
        }
        self.work_off(turn, &mut logic);
        !self.ready.is_empty()
    }

    fn work_off(&mut self, turn: Turn, logic: &mut impl FnMut(&mut Vec<D>)) {
        while let Some((capability, mut batch)) = self.ready.pop_front() {
            let records = batch.len();
            logic(&mut batch);
            self.flow.leave(records);
            // It counts as consumed only now.
            drop(capability);
            if turn.is_over() {
                return;
            }
        }
    }
}
