//! Output that was prepared and that the snapshot does not know to be committed.
//!
//! A snapshot always has the output of its last epoch so: it is committed after the snapshot has been published. Of the
//! job that took the snapshot it is the output, so that job commits it when it goes on; another job that begins from the
//! same snapshot leaves it alone.

use millpond_snapshot::JobName;
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, StateSnapshot};

use super::super::options::PendingOutput;
use super::{Decision, RestoreFlags, StatePlan};
use crate::operators::sink::PREPARED;

/// What is done with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    fate: PendingOutput,
    asked: bool,
}

impl Policy {
    pub(super) fn of(flags: &RestoreFlags, manifest: &Manifest, job: &JobName) -> Self {
        let default = if manifest.job == *job { PendingOutput::Commit } else { PendingOutput::Drop };
        Policy { fate: flags.pending_output.unwrap_or(default), asked: flags.pending_output.is_some() }
    }

    /// Whether a state is output that is left alone.
    pub(super) fn drops(self, operator: &OperatorSnapshot, state: &StateSnapshot) -> bool {
        self.fate == PendingOutput::Drop && is_prepared(operator, state) && state.rows() > 0
    }

    pub(super) fn reason(self, operator: &OperatorSnapshot, state: &StateSnapshot) -> String {
        let pieces = count(state.rows());
        if self.asked {
            format!("{pieces} prepared by '{}': not committed by this job, as asked", operator.uid)
        } else {
            format!(
                "{pieces} prepared by '{}': the job that prepared it commits it; --pending-output commit would do so here",
                operator.uid
            )
        }
    }
}

/// Whether a state of the snapshot is a sink's prepared output.
pub(super) fn is_prepared(operator: &OperatorSnapshot, state: &StateSnapshot) -> bool {
    operator.kind == "sink" && state.name.as_str() == PREPARED
}

/// What becomes of a sink's prepared output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingFate {
    /// It is committed when the run starts.
    Commit,
    /// This job never commits it.
    Drop,
    /// The program has no such sink, and no flag says what to do.
    Undecided,
}

/// A sink with such output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingPlan {
    /// The sink's uid in the snapshot.
    pub(crate) uid: String,
    /// How many pieces: for files, files.
    pub(crate) pieces: u64,
    pub(crate) fate: PendingFate,
    /// Whether a flag said so.
    pub(crate) asked: bool,
}

impl PendingPlan {
    /// That of an operator of the snapshot, given what was decided about its states.
    pub(super) fn new(operator: &OperatorSnapshot, states: &[StatePlan], policy: Policy) -> Option<Self> {
        let state = operator.states.iter().find(|state| is_prepared(operator, state) && state.rows() > 0)?;
        let mut lines = states.iter().filter(|line| line.state == PREPARED);
        let line = lines.find(|line| line.old_uid() == operator.uid.as_str());
        let fate = match line.map(|line| &line.decision) {
            Some(Decision::Restored | Decision::Migrated(_)) => PendingFate::Commit,
            Some(Decision::Unmatched | Decision::Refused(_)) => PendingFate::Undecided,
            Some(Decision::Dropped | Decision::New) | None => PendingFate::Drop,
        };
        Some(PendingPlan { uid: operator.uid.to_string(), pieces: state.rows(), fate, asked: policy.asked })
    }

    /// What becomes of it, in words.
    pub(crate) fn describe(&self) -> String {
        let fate = match self.fate {
            PendingFate::Commit => "committed when the run starts, unless it was before",
            PendingFate::Drop => "not committed by this job",
            PendingFate::Undecided => "the program has no such sink",
        };
        format!("sink '{}': {} that the snapshot has prepared: {fate}", self.uid, count(self.pieces))
    }
}

fn count(pieces: u64) -> String {
    if pieces == 1 { "1 piece of output".to_owned() } else { format!("{pieces} pieces of output") }
}
