//! A worker's mailbox: what its operators send to the coordinator, and what they hear from it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::mpsc;

use timely::scheduling::{Activator, SyncActivator};

use super::message::{Notice, ToCoordinator, ToWorker};

/// Something to send, and to which worker; `None` is all of them.
pub(crate) type Outbound = (Option<usize>, Envelope);

/// What travels on the control dataflow.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Envelope {
    Up(ToCoordinator),
    Down(ToWorker),
}

/// The way out of a worker; background threads have one too.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    sender: mpsc::Sender<Outbound>,
    wake: SyncActivator,
}

impl Outbox {
    pub(crate) fn new(sender: mpsc::Sender<Outbound>, wake: SyncActivator) -> Self {
        Outbox { sender, wake }
    }

    /// Sends to the coordinator. If the worker is gone the run is over, and nobody waits for the message.
    pub(crate) fn send(&self, message: ToCoordinator) {
        self.post(Some(0), Envelope::Up(message));
    }

    /// Sends to one worker, or to all.
    pub(crate) fn command(&self, worker: Option<usize>, message: ToWorker) {
        self.post(worker, Envelope::Down(message));
    }

    fn post(&self, worker: Option<usize>, envelope: Envelope) {
        if self.sender.send((worker, envelope)).is_ok() {
            let _ = self.wake.activate();
        }
    }
}

/// The root's view of the current epoch; `None` once the job has ended.
#[derive(Clone, Debug)]
pub(crate) struct EpochHandle(Rc<Cell<Option<u64>>>);

impl EpochHandle {
    pub(crate) fn current(&self) -> Option<u64> {
        self.0.get()
    }
}

/// Notices that an operator has not read yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Rc<RefCell<VecDeque<Notice>>>);

impl Notices {
    pub(crate) fn next(&self) -> Option<Notice> {
        self.0.borrow_mut().pop_front()
    }
}

/// One worker's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    outbox: Outbox,
    epoch: Rc<Cell<Option<u64>>>,
    subscribers: RefCell<Vec<(Activator, Notices)>>,
    roots: RefCell<Vec<Activator>>,
}

impl Mailbox {
    pub(crate) fn new(outbox: Outbox, first_epoch: u64) -> Self {
        Mailbox {
            outbox,
            epoch: Rc::new(Cell::new(Some(first_epoch))),
            subscribers: RefCell::default(),
            roots: RefCell::default(),
        }
    }

    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// The current epoch; `activator` is activated when it changes.
    pub(crate) fn epoch(&self, activator: Activator) -> EpochHandle {
        self.roots.borrow_mut().push(activator);
        EpochHandle(Rc::clone(&self.epoch))
    }

    /// Every notice from now on; `activator` is activated when one comes.
    pub(crate) fn subscribe(&self, activator: Activator) -> Notices {
        let notices = Notices::default();
        self.subscribers.borrow_mut().push((activator, notices.clone()));
        notices
    }

    pub(crate) fn begin_epoch(&self, epoch: u64) {
        self.set_epoch(Some(epoch));
    }

    pub(crate) fn finish(&self) {
        self.set_epoch(None);
    }

    fn set_epoch(&self, epoch: Option<u64>) {
        self.epoch.set(epoch);
        self.roots.borrow().iter().for_each(Activator::activate);
    }

    pub(crate) fn notify(&self, notice: Notice) {
        for (activator, notices) in self.subscribers.borrow().iter() {
            notices.0.borrow_mut().push_back(notice);
            activator.activate();
        }
    }
}
