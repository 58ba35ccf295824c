//! What a person says about state that does not match by itself, and whether it names what there is.

use millpond_snapshot::manifest::Manifest;
use serde::{Deserialize, Serialize};

use super::super::options::PendingOutput;
use super::super::plan::Plan;
use crate::error::Error;
use crate::source::SourcePosition;

/// What the flags say. Also kept in a run's start entry, until a snapshot holds what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RestoreFlags {
    pub(crate) allow_non_restored: bool,
    /// Old uid, new uid.
    pub(crate) map: Vec<(String, String)>,
    /// Old uid, and a state of it or all.
    pub(crate) drop: Vec<(String, Option<String>)>,
    /// A source of the program, and where it begins.
    pub(crate) positions: Vec<(String, SourcePosition)>,
    /// What becomes of output that was prepared and not committed.
    pub(crate) pending_output: Option<PendingOutput>,
}

impl RestoreFlags {
    /// Whether a state of the snapshot is to be left behind.
    pub(super) fn drops(&self, uid: &str, state: &str) -> bool {
        self.drop.iter().any(|(of, name)| of == uid && name.as_deref().is_none_or(|name| name == state))
    }

    /// Where a source of the program is to begin, if that is said.
    pub(crate) fn position(&self, uid: &str) -> Option<&SourcePosition> {
        self.positions.iter().find(|(of, _)| of == uid).map(|(_, position)| position)
    }

    /// Checks that what is said about sources fits the program.
    pub(super) fn check_positions(&self, plan: &Plan) -> Result<(), Error> {
        for (place, (uid, position)) in self.positions.iter().enumerate() {
            let flag = format!("--source-position {uid}={position}");
            if self.positions[..place].iter().any(|(other, _)| other == uid) {
                return Err(Error::input(format!("{flag}: the source has been given another position already")));
            }
            let Some(operator) = plan.operators.iter().find(|operator| operator.uid.as_str() == uid) else {
                let sources = plan.operators.iter().filter(|operator| operator.is_source());
                let sources: Vec<&str> = sources.map(|operator| operator.uid.as_str()).collect();
                return Err(Error::input(format!(
                    "{flag}: the program has no source '{uid}'; its sources are {}",
                    sources.join(", ")
                )));
            };
            if !operator.is_source() {
                return Err(Error::input(format!(
                    "{flag}: '{uid}' is no source, but an operator of kind {}",
                    operator.kind
                )));
            }
            position
                .check(&operator.positions)
                .map_err(|error| Error::input(format!("{flag}: source '{uid}' ({}): {error}", operator.name)))?;
        }
        Ok(())
    }

    /// Checks that the flags name what there is.
    pub(super) fn check(&self, plan: &Plan, manifest: &Manifest) -> Result<(), Error> {
        self.check_positions(plan)?;
        let in_program: Vec<&str> = plan.operators.iter().map(|o| o.uid.as_str()).collect();
        let in_snapshot: Vec<&str> = manifest.operators.iter().map(|o| o.uid.as_str()).collect();
        for (place, (old, new)) in self.map.iter().enumerate() {
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
            // One state cannot become two, nor two one.
            if let Some((a, b)) = self.map[..place].iter().find(|(a, b)| a == old || b == new) {
                return Err(Error::input(format!(
                    "--map {old}={new}: --map {a}={b} was given too, and an operator takes up the state of one other"
                )));
            }
        }
        for (uid, state) in &self.drop {
            let operator = manifest.operators.iter().find(|o| o.uid.as_str() == uid);
            let known = operator
                .is_some_and(|o| state.as_ref().is_none_or(|s| o.states.iter().any(|x| x.name.as_str() == s)));
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
}

/// A flag, as it can be pasted into a shell.
pub(super) fn map_flag(old: &str, new: &str) -> String {
    format!("--map {}", quoted(&format!("{old}={new}")))
}

/// The flag that leaves an operator's state, or one state of it, behind.
pub(super) fn drop_flag(uid: &str, state: Option<&str>) -> String {
    let value = match state {
        Some(state) => format!("{uid}/{state}"),
        // The last slash parts a state from its uid.
        None if uid.contains('/') => format!("{uid}/"),
        None => uid.to_owned(),
    };
    format!("--drop {}", quoted(&value))
}

pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_can_be_pasted() {
        assert_eq!(map_flag("a b", "c"), "--map 'a b=c'");
        assert_eq!(drop_flag("it's", Some("s")), r"--drop 'it'\''s/s'");
        assert_eq!(drop_flag("a/b", None), "--drop 'a/b/'");
        assert_eq!(drop_flag("a", None), "--drop 'a'");
    }
}
