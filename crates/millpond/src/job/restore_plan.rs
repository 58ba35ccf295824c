//! Whether a snapshot fits a program, and what becomes of each state: decided before anything runs.
//!
//! Pure: a function of the program's plan, the snapshot's manifest and the flags.

use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, StateSnapshot};

use super::plan::{OperatorPlan, Plan, is_internal};
use crate::error::Error;
use crate::state::evolution;

/// What the flags say about state that does not match by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestoreFlags {
    pub(crate) allow_non_restored: bool,
    /// Old uid, new uid.
    pub(crate) map: Vec<(String, String)>,
    /// Old uid, and a state of it or all.
    pub(crate) drop: Vec<(String, Option<String>)>,
}

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
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct RestorePlan {
    pub(crate) states: Vec<StatePlan>,
    /// For each operator of the program, its place in the manifest.
    pub(crate) operators: Vec<Option<usize>>,
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

impl RestorePlan {
    /// Decides.
    ///
    /// # Errors
    /// If a flag names what neither the program nor the snapshot has.
    pub(crate) fn new(plan: &Plan, manifest: &Manifest, flags: &RestoreFlags) -> Result<Self, Error> {
        check_flags(plan, manifest, flags)?;
        let uid_in_snapshot = |operator: &OperatorPlan| {
            let mapped = flags.map.iter().find(|(_, new)| *new == operator.uid.as_str());
            mapped.map_or_else(|| operator.uid.to_string(), |(old, _)| old.clone())
        };
        let is_mapped = |uid: &str| flags.map.iter().any(|(old, _)| old == uid);
        let mut operators = Vec::new();
        let mut states = Vec::new();
        for operator in &plan.operators {
            let old_uid = uid_in_snapshot(operator);
            let renamed = old_uid != operator.uid.as_str();
            // What was mapped to another operator is not to be had under its own name any more.
            let found = manifest
                .operators
                .iter()
                .position(|o| o.uid.as_str() == old_uid && (renamed || !is_mapped(&old_uid)));
            operators.push(found);
            let snapshot = found.map(|place| &manifest.operators[place]);
            for declared in operator.states.iter() {
                let old = snapshot.and_then(|snapshot| snapshot.state(&declared.name));
                let decision = match old {
                    None => Decision::New,
                    Some(_) if is_dropped(flags, &old_uid, declared.name.as_str()) => Decision::Dropped,
                    Some(old) => match evolution::decide(declared, old) {
                        Ok(outcome) if outcome.changes.is_empty() => Decision::Restored,
                        Ok(outcome) => Decision::Migrated(outcome.changes),
                        Err(reasons) => Decision::Refused(reasons.join("; ")),
                    },
                };
                states.push(StatePlan {
                    uid: operator.uid.to_string(),
                    from: renamed.then(|| old_uid.clone()),
                    state: declared.name.to_string(),
                    decision,
                    rows: old.map(rows),
                });
            }
        }
        for (place, snapshot) in manifest.operators.iter().enumerate() {
            let taker = operators.iter().position(|found| *found == Some(place)).map(|at| &plan.operators[at]);
            states.extend(left_over(snapshot, taker, flags));
        }
        Ok(RestorePlan { states, operators })
    }

    /// The manifest without the states that are left behind.
    pub(crate) fn without_dropped(&self, manifest: &Manifest) -> Manifest {
        let mut manifest = manifest.clone();
        for operator in &mut manifest.operators {
            let uid = operator.uid.to_string();
            operator.states.retain(|state| {
                let of_this = |line: &&StatePlan| *line.from.as_ref().unwrap_or(&line.uid) == uid;
                let mut lines = self.states.iter().filter(of_this);
                !lines.any(|line| line.state == state.name.as_str() && line.decision == Decision::Dropped)
            });
        }
        manifest
    }

    /// The states that a person should hear of: those that are not simply restored. What operators keep for themselves
    /// is their own affair.
    pub(crate) fn told(&self) -> impl Iterator<Item = &StatePlan> {
        let own = ["event-timers", "processing-timers", "watermark"];
        self.states.iter().filter(move |state| match state.decision {
            Decision::Restored => state.from.is_some(),
            Decision::New => !own.contains(&state.state.as_str()),
            _ => true,
        })
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

    /// What stands in the way, in words, with the way out; `None` if nothing does.
    pub(crate) fn refusal(&self) -> Option<String> {
        let mut lines = Vec::new();
        for state in &self.states {
            let StatePlan { uid, state: name, decision, rows, .. } = state;
            match decision {
                Decision::Refused(reason) => lines.push(format!("state '{uid}/{name}': {reason}")),
                Decision::Unmatched => lines.push(format!(
                    "state '{uid}/{name}' of the snapshot ({} rows) is taken by no operator of this program",
                    rows.unwrap_or(0)
                )),
                Decision::Restored | Decision::Migrated(_) | Decision::New | Decision::Dropped => {}
            }
        }
        let advice = match self.fit() {
            Fit::Fits => return None,
            Fit::WithFlags => {
                "give the operator its old uid, say --map OLD=NEW if it has a new one, or leave the state behind with \
                 --drop UID[/STATE] or, all of it, with --allow-non-restored-state"
            }
            Fit::Not => {
                "change the types so that they can take up what is there, say how old values become new ones with \
                 .migrate(|old: OldType| …) on the state or .migrate_key(…) on the keyed stream, start from another \
                 snapshot, or leave the state behind with --drop UID/STATE"
            }
        };
        Some(format!("the snapshot does not fit this program:\n  {}\n{advice}", lines.join("\n  ")))
    }
}

/// What nobody takes of an operator of the snapshot. Empty states and those that operators keep for themselves are lost
/// without loss.
fn left_over(snapshot: &OperatorSnapshot, taker: Option<&OperatorPlan>, flags: &RestoreFlags) -> Vec<StatePlan> {
    let uid = snapshot.uid.to_string();
    let taken =
        |state: &StateSnapshot| taker.is_some_and(|t| t.states.iter().any(|declared| declared.name == state.name));
    // How far event time had come is what a keyed operator keeps for itself; without the operator it means nothing.
    let keyed = snapshot.states.iter().any(|state| state.kind == StateKind::Timers);
    let own = |state: &StateSnapshot| {
        keyed && state.kind == StateKind::OperatorUnion && state.name.as_str() == "watermark"
    };
    let gone = snapshot.states.iter().filter(|state| !taken(state) && rows(state) > 0 && !own(state));
    gone.map(|state| StatePlan {
        uid: uid.clone(),
        from: None,
        state: state.name.to_string(),
        decision: if flags.allow_non_restored || is_dropped(flags, &uid, state.name.as_str()) {
            Decision::Dropped
        } else {
            Decision::Unmatched
        },
        rows: Some(rows(state)),
    })
    .collect()
}

fn is_dropped(flags: &RestoreFlags, uid: &str, state: &str) -> bool {
    flags.drop.iter().any(|(of, name)| of == uid && name.as_deref().is_none_or(|name| name == state))
}

fn rows(state: &StateSnapshot) -> u64 {
    let inline = state.rows_inline.as_ref().map_or(0, Vec::len) as u64;
    inline + state.chunks.iter().map(|chunk| chunk.rows).sum::<u64>()
}

fn check_flags(plan: &Plan, manifest: &Manifest, flags: &RestoreFlags) -> Result<(), Error> {
    let in_program: Vec<&str> = plan.operators.iter().map(|o| o.uid.as_str()).collect();
    let in_snapshot: Vec<&str> = manifest.operators.iter().map(|o| o.uid.as_str()).collect();
    for (old, new) in &flags.map {
        if !in_snapshot.contains(&old.as_str()) {
            return Err(Error::input(format!(
                "--map {old}={new}: the snapshot has no operator '{old}'; it has {}",
                in_snapshot.join(", ")
            )));
        }
        if !in_program.contains(&new.as_str()) {
            return Err(Error::input(format!(
                "--map {old}={new}: the program has no operator '{new}'; it has {}",
                in_program.join(", ")
            )));
        }
    }
    for (uid, state) in &flags.drop {
        let operator = manifest.operators.iter().find(|o| o.uid.as_str() == uid);
        let known =
            operator.is_some_and(|o| state.as_ref().is_none_or(|s| o.states.iter().any(|x| x.name.as_str() == s)));
        if !known {
            let what = state.as_ref().map_or_else(|| uid.clone(), |state| format!("{uid}/{state}"));
            return Err(Error::input(format!(
                "--drop {what}: the snapshot has no such state; its operators are {}",
                in_snapshot.join(", ")
            )));
        }
    }
    Ok(())
}

/// Stateful operators whose uid is derived, each with the line to add.
pub(crate) fn derived_uids(plan: &Plan) -> Vec<String> {
    let unnamed = plan.operators.iter().filter(|operator| !operator.uid_given && operator.is_stateful());
    unnamed
        .map(|operator| {
            let states: Vec<&str> =
                operator.states.iter().filter(|state| !is_internal(state)).map(|state| state.name.as_str()).collect();
            format!(
                "operator '{}' ({}) has state ({}) and no uid of its own: add .uid(\"…\") behind it, or its state is lost \
                 when the job changes",
                operator.uid,
                operator.name,
                states.join(", ")
            )
        })
        .collect()
}
