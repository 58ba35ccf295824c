//! Whether a snapshot fits a program, and what becomes of each operator and state: decided before anything runs.
//!
//! ```text
//!  program's operators and states ─┐
//!  manifest                        ├─▶ decide ──▶ RestorePlan ──▶ render: table, JSON, lines for a person
//!  flags                          ─┘                 ▲
//!                                  propose ──────────┘  which new operator a vanished one may have become
//! ```
//!
//! All of it is pure. A run applies the same plan that `check` prints.

mod decide;
mod flags;
mod pending;
mod positions;
mod propose;
mod render;
#[cfg(test)]
mod tests;

use millpond_snapshot::manifest::Manifest;

pub(crate) use flags::{RestoreFlags, quoted};
use flags::{drop_flag, map_flag};
pub(crate) use pending::{PendingFate, PendingPlan};
pub(crate) use positions::PositionPlan;
pub(crate) use propose::Proposal;
pub(crate) use render::{describe, render};

use super::plan::INTERNAL_STATES;

/// What becomes of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The operator takes it up.
    Restored,
    /// The operator takes it up, though its types are not what they were: what changes, field by field.
    Migrated(Vec<String>),
    /// The snapshot does not have it: it starts empty.
    New,
    /// A flag says to leave it behind.
    Dropped,
    /// No operator of the program takes it, and no flag says to leave it behind.
    Unmatched,
    /// It cannot be taken up as it is.
    Refused(String),
}

/// A line of the plan.
#[derive(Clone, Debug)]
pub(crate) struct StatePlan {
    /// The uid in the program, or in the snapshot for what the program does not have.
    pub(crate) uid: String,
    /// The uid in the snapshot, if another one.
    pub(crate) from: Option<String>,
    pub(crate) state: String,
    pub(crate) decision: Decision,
    pub(crate) rows: Option<u64>,
    /// What there is to say of the decision, besides what it says itself.
    pub(crate) note: Option<String>,
}

impl StatePlan {
    fn old_uid(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.uid)
    }
}

/// What becomes of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperatorDecision {
    /// It takes up what the snapshot has of it.
    Restored,
    /// The snapshot does not have it: it starts empty.
    New,
    /// All that it had is left behind.
    Dropped,
    /// The program does not have it, and nothing says to leave behind what it had.
    Unmatched,
    /// Something that it had cannot be taken up.
    Refused,
}

/// An operator with state, of the program or of the snapshot.
#[derive(Clone, Debug)]
pub(crate) struct OperatorDecided {
    pub(crate) uid: String,
    pub(crate) from: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) decision: OperatorDecision,
    /// Whether the program has it.
    pub(crate) in_program: bool,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestorePlan {
    /// The operators with state: those of the program, then those that only the snapshot has.
    pub(crate) decided: Vec<OperatorDecided>,
    pub(crate) states: Vec<StatePlan>,
    /// For each operator of the program, its place in the manifest.
    pub(crate) operators: Vec<Option<usize>>,
    /// Sources that begin where they are told to.
    pub(crate) positions: Vec<PositionPlan>,
    /// Sinks with output that was prepared and that the snapshot does not know to be committed.
    pub(crate) pending: Vec<PendingPlan>,
    /// What vanished operators may have become.
    pub(crate) proposals: Vec<Proposal>,
    /// The job that the snapshot is of, if this is another.
    pub(crate) fork_of: Option<String>,
}

/// Whether the snapshot fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// As it is, or with the flags that were given.
    Fits,
    /// If a flag says what to do with what is left over.
    WithFlags,
    /// Not at all.
    Not,
}

impl Fit {
    fn as_str(self) -> &'static str {
        match self {
            Fit::Fits => "fits",
            Fit::WithFlags => "fits-with-flags",
            Fit::Not => "does-not-fit",
        }
    }
}

impl RestorePlan {
    /// The manifest without the states that are left behind.
    pub(crate) fn without_dropped(&self, manifest: &Manifest) -> Manifest {
        let mut manifest = manifest.clone();
        for operator in &mut manifest.operators {
            operator.states.retain(|state| {
                let mut lines = self.states.iter().filter(|line| line.old_uid() == operator.uid.as_str());
                !lines.any(|line| line.state == state.name.as_str() && line.decision == Decision::Dropped)
            });
        }
        manifest
    }

    /// The states that a person should hear of: those that are not simply restored. What operators keep for themselves
    /// is their own affair.
    pub(crate) fn told(&self) -> impl Iterator<Item = &StatePlan> {
        self.states.iter().filter(|state| match state.decision {
            Decision::Restored => state.from.is_some(),
            Decision::New => !INTERNAL_STATES.contains(&state.state.as_str()),
            _ => true,
        })
    }

    /// Whether everything is taken up as it is, so that there is nothing to tell.
    pub(crate) fn is_plain(&self) -> bool {
        let asked = |pending: &PendingPlan| pending.asked || pending.fate != PendingFate::Commit;
        self.told().next().is_none() && self.positions.is_empty() && !self.pending.iter().any(asked)
    }

    /// Whether the snapshot fits.
    pub(crate) fn fit(&self) -> Fit {
        let any = |test: fn(&Decision) -> bool| self.states.iter().any(|state| test(&state.decision));
        if any(|decision| matches!(decision, Decision::Refused(_))) {
            Fit::Not
        } else if any(|decision| *decision == Decision::Unmatched) {
            Fit::WithFlags
        } else {
            Fit::Fits
        }
    }

    /// The states that nobody takes, by operator, and whether the program still has that operator.
    fn unmatched(&self) -> Vec<(&str, Vec<&str>, bool)> {
        let mut unmatched: Vec<(&str, Vec<&str>, bool)> = Vec::new();
        for line in self.states.iter().filter(|line| line.decision == Decision::Unmatched) {
            match unmatched.iter_mut().find(|(uid, ..)| *uid == line.uid) {
                Some((_, states, _)) => states.push(&line.state),
                None => {
                    let remains = self.decided.iter().any(|operator| {
                        operator.in_program && operator.from.as_deref().unwrap_or(&operator.uid) == line.uid
                    });
                    unmatched.push((&line.uid, vec![&line.state], remains));
                }
            }
        }
        unmatched
    }

    /// The flags to add, so that the snapshot fits: for each operator or state that nobody takes one flag, or several to
    /// choose from if the choice is not plain.
    pub(crate) fn flags_to_add(&self) -> Vec<Vec<String>> {
        let mut choices = Vec::new();
        for (uid, states, remains) in self.unmatched() {
            if remains {
                choices.extend(states.iter().map(|state| vec![drop_flag(uid, Some(state))]));
                continue;
            }
            match self.proposals.iter().find(|proposal| proposal.old == uid) {
                None => choices.push(vec![drop_flag(uid, None)]),
                Some(Proposal { candidates, sure, .. }) => {
                    let mut flags: Vec<String> = candidates.iter().map(|new| map_flag(uid, new)).collect();
                    if !sure {
                        flags.push(drop_flag(uid, None));
                    }
                    choices.push(flags);
                }
            }
        }
        choices
    }
}
