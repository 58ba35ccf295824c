//! A subtask's part in snapshots: its operator states, and whether the part that it sends is whole.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millpond_snapshot::StateName;
use millpond_snapshot::chunk::StateKind;

use crate::runtime::context::WorkerContext;
use crate::runtime::failure::Failure;
use crate::runtime::message::{Acknowledgement, StatePart, ToCoordinator};
use crate::runtime::writer::{Part, Stretch};
use crate::state::rows::KeyedRows;
use crate::state::setup::{OperatorSetup, RegisteredOperatorState};
use crate::state::spill::part::SpilledPart;

/// Sends a subtask's parts.
pub(crate) struct PartSender {
    context: Rc<WorkerContext>,
    operator: usize,
    states: Vec<RegisteredOperatorState>,
    lost: Arc<AtomicBool>,
}

/// The operator states as they stood at the end of an epoch.
pub(crate) struct Frozen {
    epoch: u64,
    operator_states: Vec<(StateName, Vec<String>)>,
    whole: bool,
}

impl PartSender {
    /// Takes over the operator states of `setup`, with what a snapshot has for them.
    pub(crate) fn new(context: &Rc<WorkerContext>, operator: usize, setup: OperatorSetup) -> Self {
        let outcome = context.restored.operator(operator, context.worker, context.workers, &setup.states);
        if let Err(error) = outcome {
            context.build_failed(operator, error);
        }
        PartSender { context: Rc::clone(context), operator, states: setup.states, lost: Arc::default() }
    }

    pub(crate) fn context(&self) -> &Rc<WorkerContext> {
        &self.context
    }

    /// Writes down the operator states at the end of `epoch`.
    pub(crate) fn freeze(&self, epoch: u64) -> Result<Frozen, Failure> {
        let mut operator_states = Vec::new();
        for state in &self.states {
            // Broadcast state is the same everywhere; one copy is enough.
            let skip = state.declaration.kind == StateKind::Broadcast && self.context.worker != 0;
            let rows = if skip { Vec::new() } else { state.store.borrow().rows().map_err(Failure::new)? };
            operator_states.push((state.declaration.name.clone(), rows));
        }
        Ok(Frozen { epoch, operator_states, whole: self.lost.swap(false, Ordering::Relaxed) })
    }

    /// Sends the part of a subtask without keyed state: there is nothing to write, it is acknowledged at once.
    pub(crate) fn send(&self, frozen: Frozen) {
        let states = frozen
            .operator_states
            .into_iter()
            .map(|(name, rows)| StatePart { name, chunks: Vec::new(), rows })
            .collect();
        self.context.mailbox.outbox().send(ToCoordinator::Acknowledged(Acknowledgement {
            epoch: frozen.epoch,
            operator: self.operator,
            subtask: self.context.worker,
            states,
        }));
    }

    /// Hands a stretch of the part of a subtask with keyed state to the writer.
    pub(crate) fn write_stretch(&self, rows: Vec<(usize, StateKind, KeyedRows)>) {
        self.context.writer.submit_stretch(Stretch {
            job: self.context.job.clone(),
            operator: self.operator,
            range: self.context.range(),
            rows,
        });
    }

    /// Hands the part of a subtask with keyed state to the writer, or what is left of it.
    pub(crate) fn write(
        &self,
        frozen: Frozen,
        spilled: Option<SpilledPart>,
        keyed: Vec<(StateName, StateKind, KeyedRows)>,
    ) {
        self.context.writer.submit(Part {
            job: self.context.job.clone(),
            epoch: frozen.epoch,
            operator: self.operator,
            uid: self.context.uid(self.operator),
            subtask: self.context.worker,
            range: self.context.range(),
            whole: frozen.whole,
            spilled,
            keyed,
            operator_states: frozen.operator_states,
            lost: Arc::clone(&self.lost),
        });
    }
}

impl Frozen {
    /// Whether the last part was lost, so that this one must hold everything.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }
}
