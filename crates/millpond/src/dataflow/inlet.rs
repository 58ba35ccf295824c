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

/// How long an operator mostly works on what has arrived before others get their turn, but for the batch it is at.
pub(crate) const TURN: Duration = Duration::from_millis(1);

/// What is left of an operator's turn, and how many records it wants at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    end: Instant,
    portion: usize,
}

impl Turn {
    /// A turn that is over after some `time`. If `portion` is not 0, batches wait until there are so many records, for as long as
    /// more come, but no longer than [`TURN`], and are put together: one that looks something up for all of them together wants
    /// more than were sent together.
    pub(crate) fn begin(time: Duration, portion: usize) -> Self {
        Turn { end: Instant::now() + time, portion }
    }

    fn is_over(self) -> bool {
        Instant::now() >= self.end
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
    /// The capabilities of the batches that were put together; for its room.
    held: Vec<InputCapability<Time>>,
    /// Since when batches wait for others to be put together with.
    waiting_since: Option<Instant>,
    flow: Arc<Flow>,
    /// Whether the sender has counted the records already (it does when they go to another worker).
    counted: bool,
}

impl<D: Clone + 'static, P: Pull<Message<Time, Vec<D>>>> Inlet<D, P> {
    pub(crate) fn new(handle: InputHandleCore<Time, Vec<D>, P>, flow: Arc<Flow>, counted: bool) -> Self {
        Inlet {
            handle,
            ready: VecDeque::new(),
            early: VecDeque::new(),
            held: Vec::new(),
            waiting_since: None,
            flow,
            counted,
        }
    }

    /// Gives what has arrived of `epoch` to `logic`, batch by batch, while `turn` lasts, and puts the rest to wait. Says
    /// whether something is left that could be done at once.
    pub(crate) fn drain(&mut self, epoch: u64, turn: Turn, mut logic: impl FnMut(&mut Vec<D>)) -> bool {
        if turn.portion == 0 {
            self.work_off(turn, &mut logic);
        }
        let Inlet { handle, ready, early, flow, counted, .. } = self;
        let mut over = turn.portion > 0 || !ready.is_empty();
        let mut arrived = false;
        handle.for_each(|capability, batch| {
            arrived = true;
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
        if turn.portion > 0 && !(arrived && self.is_worth_waiting(turn.portion)) {
            self.work_off(turn, &mut logic);
        }
        !self.ready.is_empty()
    }

    /// Whether so few records wait, and have for so short a time, that it is worth it.
    fn is_worth_waiting(&mut self, portion: usize) -> bool {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        since.elapsed() < TURN && self.ready.iter().map(|(_, batch)| batch.len()).sum::<usize>() < portion
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
        self.waiting_since = None;
        while let Some((capability, mut batch)) = self.ready.pop_front() {
            self.held.push(capability);
            while batch.len() < turn.portion
                && let Some((capability, mut next)) = self.ready.pop_front()
            {
                batch.append(&mut next);
                self.held.push(capability);
            }
            let records = batch.len();
            logic(&mut batch);
            self.flow.leave(records);
            // They count as consumed only now.
            self.held.clear();
            if turn.is_over() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use timely::dataflow::channels::pact::Pipeline;
    use timely::dataflow::operators::ToStream;
    use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

    use super::*;

    const RECORDS: u64 = 100_000;

    /// The batches that an operator is given which wants such portions, whatever comes.
    fn batches(portion: usize) -> Vec<Vec<u64>> {
        timely::execute_directly(move |worker| {
            let found = Rc::new(RefCell::new(Vec::new()));
            let seen = Rc::clone(&found);
            let flow = Arc::new(Flow::new(1));
            let counted = Arc::clone(&flow);
            worker.dataflow(|scope| {
                let numbers = (0..RECORDS).to_stream(scope);
                let mut builder = OperatorBuilder::new("batches".to_owned(), scope);
                let activator = scope.activator_for(builder.operator_info().address);
                let mut inlet = Inlet::new(builder.new_input(numbers, Pipeline), counted, false);
                builder.build(move |_| {
                    move |_frontiers| {
                        let give = |batch: &mut Vec<u64>| seen.borrow_mut().push(batch.clone());
                        if inlet.drain(0, Turn::begin(TURN, portion), give) {
                            activator.activate();
                        }
                    }
                });
            });
            while worker.step_or_park(None) {}
            assert_eq!(flow.balance(), 0);
            found.take()
        })
    }

    #[test]
    fn what_waits_is_put_together_in_its_order_and_does_not_wait_for_ever() {
        let all: Vec<u64> = (0..RECORDS).collect();
        let as_sent = batches(0);
        assert_eq!(as_sent.concat(), all);
        let longest = as_sent.iter().map(Vec::len).max().unwrap();
        let together = batches(4 * longest);
        assert_eq!(together.concat(), all);
        // Not all of them: where the machine is busy the time is over before.
        assert!(together.iter().any(|batch| batch.len() >= 4 * longest), "{longest}");
        assert!(together.iter().all(|batch| batch.len() < 5 * longest), "no more than that and what came last");
        // The last ones are fewer than that.
        assert_eq!(batches(2 * RECORDS as usize).concat(), all);
    }
}
