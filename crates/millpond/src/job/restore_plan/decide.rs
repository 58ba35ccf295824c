//! The decisions.

use millpond_snapshot::JobName;
use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, StateSnapshot};

use super::super::plan::{OperatorPlan, Plan};
use super::pending::Policy;
use super::{
    Decision, OperatorDecided, OperatorDecision, PendingPlan, PositionPlan, RestoreFlags, RestorePlan, StatePlan,
    positions, propose,
};
use crate::error::Error;
use crate::state::evolution;

impl RestorePlan {
    /// Decides what `job`, a program with this plan, does with a snapshot.
    ///
    /// # Errors
    /// If a flag names what neither the program nor the snapshot has.
    pub(crate) fn new(
        plan: &Plan,
        manifest: &Manifest,
        flags: &RestoreFlags,
        job: &JobName,
    ) -> Result<Self, Error> {
        flags.check(plan, manifest)?;
        let policy = Policy::of(flags, manifest, job);
        let uid_in_snapshot = |operator: &OperatorPlan| {
            let mapped = flags.map.iter().find(|(_, new)| *new == operator.uid.as_str());
            mapped.map_or_else(|| operator.uid.to_string(), |(old, _)| old.clone())
        };
        let is_mapped = |uid: &str| flags.map.iter().any(|(old, _)| old == uid);
        let mut made = RestorePlan {
            fork_of: (manifest.job != *job).then(|| manifest.job.to_string()),
            ..RestorePlan::default()
        };
        for operator in &plan.operators {
            let old_uid = uid_in_snapshot(operator);
            let renamed = old_uid != operator.uid.as_str();
            // What was mapped to another operator is not to be had under its own name any more.
            let found = manifest
                .operators
                .iter()
                .position(|o| o.uid.as_str() == old_uid && (renamed || !is_mapped(&old_uid)));
            made.operators.push(found);
            let snapshot = found.map(|place| &manifest.operators[place]);
            let from = renamed.then_some(old_uid);
            let first = made.states.len();
            for declared in operator.states.iter() {
                let old = snapshot.and_then(|snapshot| snapshot.state(&declared.name));
                let (decision, note) = match (snapshot, old) {
                    (Some(snapshot), Some(old)) => taken(operator, declared, snapshot, old, flags, policy),
                    _ => (Decision::New, None),
                };
                made.states.push(StatePlan {
                    uid: operator.uid.to_string(),
                    from: from.clone(),
                    state: declared.name.to_string(),
                    decision,
                    rows: old.map(StateSnapshot::rows),
                    note,
                });
            }
            if let Some(position) = flags.position(operator.uid.as_str()) {
                made.positions.push(PositionPlan::new(operator, snapshot, position));
            }
            if !operator.states.is_empty() {
                let decision = summary(found.is_some(), &made.states[first..]);
                let (name, kind) = (operator.name.clone(), operator.kind.to_owned());
                let uid = operator.uid.to_string();
                made.decided.push(OperatorDecided { uid, from, name, kind, decision, in_program: true });
            }
        }
        for (place, snapshot) in manifest.operators.iter().enumerate() {
            let taker =
                made.operators.iter().position(|found| *found == Some(place)).map(|at| &plan.operators[at]);
            let left = left_over(snapshot, taker, flags, policy);
            if taker.is_none() && !left.is_empty() {
                made.decided.push(OperatorDecided {
                    uid: snapshot.uid.to_string(),
                    from: None,
                    name: snapshot.name.clone(),
                    kind: snapshot.kind.clone(),
                    decision: summary(true, &left),
                    in_program: false,
                });
            }
            made.states.extend(left);
            made.pending.extend(PendingPlan::new(snapshot, &made.states, policy));
        }
        made.proposals = propose::propose(plan, manifest, &made);
        Ok(made)
    }

    /// Decides what a program does that starts from nothing.
    ///
    /// # Errors
    /// If a flag names what the program does not have.
    pub(crate) fn from_nothing(plan: &Plan, flags: &RestoreFlags) -> Result<Self, Error> {
        flags.check_positions(plan)?;
        let told = plan.operators.iter().filter_map(|operator| {
            let position = flags.position(operator.uid.as_str())?;
            Some(PositionPlan::new(operator, None, position))
        });
        Ok(RestorePlan { positions: told.collect(), ..RestorePlan::default() })
    }
}

/// What becomes of a state that both the snapshot and the program have.
fn taken(
    operator: &OperatorPlan,
    declared: &crate::state::descriptor::StateDeclaration,
    snapshot: &OperatorSnapshot,
    old: &StateSnapshot,
    flags: &RestoreFlags,
    policy: Policy,
) -> (Decision, Option<String>) {
    if flags.drops(snapshot.uid.as_str(), declared.name.as_str()) {
        return (Decision::Dropped, None);
    }
    if let (Some(position), true) =
        (flags.position(operator.uid.as_str()), positions::is_position(declared.name.as_str()))
    {
        return (Decision::Dropped, Some(format!("the source begins at {position}, as asked")));
    }
    if policy.drops(snapshot, old) {
        return (Decision::Dropped, Some(policy.reason(snapshot, old)));
    }
    let decision = match evolution::decide(declared, old) {
        Ok(outcome) if outcome.changes.is_empty() => Decision::Restored,
        Ok(outcome) => Decision::Migrated(outcome.changes),
        Err(reasons) => Decision::Refused(reasons.join("; ")),
    };
    (decision, None)
}

/// What becomes of an operator, given what becomes of its states.
fn summary(found: bool, states: &[StatePlan]) -> OperatorDecision {
    let any = |test: fn(&Decision) -> bool| states.iter().any(|state| test(&state.decision));
    if any(|decision| matches!(decision, Decision::Refused(_))) {
        OperatorDecision::Refused
    } else if any(|decision| *decision == Decision::Unmatched) {
        OperatorDecision::Unmatched
    } else if !found {
        OperatorDecision::New
    } else if any(|decision| matches!(decision, Decision::Restored | Decision::Migrated(_))) {
        OperatorDecision::Restored
    } else if any(|decision| *decision == Decision::Dropped) {
        OperatorDecision::Dropped
    } else {
        OperatorDecision::New
    }
}

/// What nobody takes of an operator of the snapshot. Empty states and those that operators keep for themselves are lost
/// without loss.
fn left_over(
    snapshot: &OperatorSnapshot,
    taker: Option<&OperatorPlan>,
    flags: &RestoreFlags,
    policy: Policy,
) -> Vec<StatePlan> {
    let uid = snapshot.uid.to_string();
    let taken =
        |state: &StateSnapshot| taker.is_some_and(|t| t.states.iter().any(|declared| declared.name == state.name));
    // How far event time had come is what a keyed operator keeps for itself; without the operator it means nothing.
    let keyed = snapshot.states.iter().any(|state| state.kind == StateKind::Timers);
    let own = |state: &StateSnapshot| {
        keyed && state.kind == StateKind::OperatorUnion && state.name.as_str() == "watermark"
    };
    let gone = snapshot.states.iter().filter(|state| !taken(state) && state.rows() > 0 && !own(state));
    gone.map(|state| {
        let (decision, note) = if flags.drops(&uid, state.name.as_str()) || flags.allow_non_restored {
            (Decision::Dropped, None)
        } else if policy.drops(snapshot, state) {
            (Decision::Dropped, Some(policy.reason(snapshot, state)))
        } else {
            (Decision::Unmatched, what_is_lost(snapshot, state))
        };
        let (uid, name) = (uid.clone(), state.name.to_string());
        StatePlan { uid, from: None, state: name, decision, rows: Some(state.rows()), note }
    })
    .collect()
}

/// What the state of a vanished source or sink means.
fn what_is_lost(snapshot: &OperatorSnapshot, state: &StateSnapshot) -> Option<String> {
    if snapshot.kind == "source" && positions::is_position(state.name.as_str()) {
        return Some(format!(
            "no source of this program takes up how far '{}' had been read: a source under another uid reads its input \
             from the beginning",
            snapshot.name
        ));
    }
    super::pending::is_prepared(snapshot, state).then(|| {
        "this output was prepared, and only its sink can commit it; a run that was stopped with this savepoint has \
         committed it"
            .to_owned()
    })
}
