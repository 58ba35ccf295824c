//! The control plane: a dataflow beside the job's, so that one process or many need no second network protocol.
//!
//! Two operators a worker: one takes what the worker has to say and sends it to the worker it is for, the other
//! delivers what arrives to the mailbox, and on worker 0 to the coordinator.

use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::worker::Worker;

use super::mailbox::{Envelope, Mailbox, Outbound, Outbox};
use super::message::{Standing, ToCoordinator, ToWorker};
use crate::dataflow::aligned::Alarm;
use crate::dataflow::flow::Flow;
use crate::source::alignment::Alignment;
use crate::time::EventTime;

/// How often processes tell each other how they stand, when that has changed.
const STANDING_INTERVAL: Duration = Duration::from_millis(10);

/// What the control dataflow of a worker needs to know of its place.
pub(crate) struct Place {
    /// Index of this process, number of processes.
    pub(crate) process: usize,
    pub(crate) processes: usize,
    pub(crate) first_epoch: u64,
    pub(crate) flow: Arc<Flow>,
    pub(crate) alignment: Arc<Alignment>,
}

impl Place {
    fn standing(&self) -> Standing {
        Standing { balance: self.flow.balance(), aligned: self.alignment.here() }
    }
}

/// Of a process that has said nothing yet.
const UNKNOWN: Standing = Standing { balance: 0, aligned: EventTime::MAX };

/// What the worker is to do next, as the coordinator said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    Abort { again: bool },
}

/// A running control dataflow, seen from its worker.
pub(crate) struct Control {
    pub(crate) mailbox: Rc<Mailbox>,
    pub(crate) verdict: Rc<std::cell::Cell<Verdict>>,
}

/// Builds the control dataflow. `coordinator` gets the messages for the coordinator, on worker 0.
pub(crate) fn build(worker: &mut Worker, place: Place, coordinator: impl Fn(ToCoordinator) + 'static) -> Control {
    let verdict = Rc::new(std::cell::Cell::new(Verdict::GoOn));
    let (sender, receiver) = mpsc::channel();
    let place = Arc::new(place);
    let mailbox = worker.dataflow::<u64, _, _>(|scope| {
        let (stream, outbox) = speak(scope, Arc::clone(&place), sender, receiver);
        let mailbox = Rc::new(Mailbox::new(outbox, place.first_epoch));
        listen(stream, place, Rc::clone(&mailbox), Rc::clone(&verdict), coordinator);
        mailbox
    });
    Control { mailbox, verdict }
}

/// A message and the worker that it is for. It travels as JSON: timely's own encoding of what crosses a connection does
/// not take types that leave out fields, as references to chunks do.
type Addressed = (u64, String);

fn speak<'s>(
    scope: Scope<'s, u64>,
    place: Arc<Place>,
    sender: mpsc::Sender<Outbound>,
    receiver: mpsc::Receiver<Outbound>,
) -> (StreamVec<'s, u64, Addressed>, Outbox) {
    let workers = scope.peers();
    let threads = workers / place.processes.max(1);
    let speaks_for_process = place.processes > 1 && scope.index().is_multiple_of(threads.max(1));

    let mut builder = OperatorBuilder::new("control out".to_owned(), scope);
    let (output, stream) = builder.new_output::<Vec<Addressed>>();
    let mut output = OutputBuilder::<u64, CapacityContainerBuilder<Vec<Addressed>>>::from(output);
    let address = builder.operator_info().address;
    let activator = scope.activator_for(Rc::clone(&address));
    let outbox = Outbox::new(sender, scope.worker().sync_activator_for(address.to_vec()));

    builder.build(move |mut capabilities| {
        let mut capability = capabilities.pop();
        let mut last = UNKNOWN;
        let mut alarm = Alarm::default();
        move |_frontiers| {
            let Some(held) = &capability else { return };
            let mut activated = output.activate();
            let mut session = activated.session(held);
            let mut finished = false;
            for (target, envelope) in receiver.try_iter() {
                finished |= matches!(envelope, Envelope::Down(ToWorker::Finish));
                let text = encode(&envelope);
                match target {
                    Some(worker) => session.give((worker as u64, text)),
                    None => (0..workers as u64).for_each(|to| session.give((to, text.clone()))),
                }
            }
            if speaks_for_process {
                let standing = place.standing();
                if standing != last {
                    last = standing;
                    let process = place.process;
                    for other in (0..place.processes).filter(|other| *other != process) {
                        let message = ToWorker::Elsewhere { process, standing };
                        session.give(((other * threads) as u64, encode(&Envelope::Down(message))));
                    }
                }
                alarm.set(STANDING_INTERVAL, &activator);
            }
            drop(session);
            drop(activated);
            // The coordinator speaks last: after `Finish` nobody on worker 0 has anything to say. The other workers
            // let go when they hear it, which `listen` sees to by sending it to their own mailbox.
            if finished {
                capability = None;
            }
        }
    });
    (stream, outbox)
}

fn listen<'s>(
    stream: StreamVec<'s, u64, Addressed>,
    place: Arc<Place>,
    mailbox: Rc<Mailbox>,
    verdict: Rc<std::cell::Cell<Verdict>>,
    coordinator: impl Fn(ToCoordinator) + 'static,
) {
    let index = stream.scope().index();
    let mut builder = OperatorBuilder::new("control in".to_owned(), stream.scope());
    let mut input = builder.new_input(stream, Exchange::new(|(to, _): &Addressed| *to));
    let mut standings = vec![UNKNOWN; place.processes];
    builder.build(move |_capabilities| {
        move |_frontiers| {
            input.for_each(|_capability, messages| {
                for (_, text) in messages.drain(..) {
                    // Whoever is on the other end of the connection has shown that it runs the same program.
                    let Ok(envelope) = serde_json::from_str(&text) else {
                        tracing::error!("a control message could not be read: {text}");
                        continue;
                    };
                    match envelope {
                        Envelope::Up(message) => coordinator(message),
                        Envelope::Down(ToWorker::BeginEpoch(epoch)) => mailbox.begin_epoch(epoch),
                        Envelope::Down(ToWorker::Notice(notice)) => mailbox.notify(notice),
                        Envelope::Down(ToWorker::Elsewhere { process, standing }) => {
                            if let Some(slot) = standings.get_mut(process) {
                                *slot = standing;
                            }
                            place.flow.set_elsewhere(standings.iter().map(|standing| standing.balance).sum());
                            let least = standings.iter().map(|standing| standing.aligned).min();
                            place.alignment.set_elsewhere(least.unwrap_or(EventTime::MAX));
                        }
                        Envelope::Down(ToWorker::Finish) => {
                            mailbox.finish();
                            if index != 0 {
                                mailbox.outbox().command(Some(index), ToWorker::Finish);
                            }
                        }
                        Envelope::Down(ToWorker::Abort { again }) => verdict.set(Verdict::Abort { again }),
                    }
                }
            });
        }
    });
}

fn encode(envelope: &Envelope) -> String {
    // All of it is plain data with string keys, which JSON can always say.
    serde_json::to_string(envelope).unwrap_or_else(|error| unreachable!("a control message has no JSON: {error}"))
}
