//! Which new operator a vanished one may have become.
//!
//! A uid that was derived changes when the job does, and one that was given may be given another name. State is never
//! moved on a guess; but the guess is made, so that the flag that moves it need only be pasted.

use millpond_snapshot::manifest::{Manifest, OperatorSnapshot};

use super::super::plan::{OperatorPlan, Plan, is_internal};
use super::{Decision, RestorePlan};
use crate::state::evolution;

/// What a vanished operator may have become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// Its uid in the snapshot.
    pub(crate) old: String,
    /// The uid of the one operator that is the likely match, or of several that are equally likely.
    pub(crate) candidates: Vec<String>,
    /// Whether there is one only, which is the likely match of no other.
    pub(crate) sure: bool,
}

/// How well an operator fits; the greater the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    /// States that it would take up as they are.
    unchanged: usize,
    /// Minus the states that it would begin empty.
    missing: isize,
    same_name: bool,
}

/// How well `new` fits what `old` was; `None` if it cannot be it: it must be of the same kind, and take up each state
/// that has anything in it.
pub(super) fn score(old: &OperatorSnapshot, new: &OperatorPlan) -> Option<Score> {
    if old.kind != new.kind {
        return None;
    }
    let (mut taken, mut unchanged) = (0, 0);
    for state in &old.states {
        let declared = new.states.iter().find(|declared| declared.name == state.name);
        let Some(declared) = declared else {
            if state.rows() > 0 {
                return None;
            }
            continue;
        };
        let outcome = evolution::decide(declared, state).ok()?;
        if !is_internal(declared) {
            taken += 1;
            unchanged += usize::from(outcome.changes.is_empty());
        }
    }
    let own = new.states.iter().filter(|state| !is_internal(state)).count();
    let missing = taken as isize - own as isize;
    (taken > 0).then(|| Score { unchanged, missing, same_name: old.name == new.name })
}

/// Proposals for all operators of the snapshot whose state nobody takes.
pub(super) fn propose(plan: &Plan, manifest: &Manifest, made: &RestorePlan) -> Vec<Proposal> {
    let is_unmatched = |uid: &str| {
        let mut lines = made.states.iter().filter(|line| line.uid == uid);
        lines.any(|line| line.decision == Decision::Unmatched)
    };
    let places = manifest.operators.iter().enumerate();
    let vanished = places.filter(|(place, _)| !made.operators.contains(&Some(*place)));
    let vanished = vanished.map(|(_, old)| old).filter(|old| is_unmatched(old.uid.as_str()));
    let new = plan.operators.iter().zip(&made.operators).filter(|(_, found)| found.is_none()).map(|(new, _)| new);
    let new: Vec<&OperatorPlan> = new.collect();
    let scores: Vec<(&OperatorSnapshot, Vec<Option<Score>>)> =
        vanished.map(|old| (old, new.iter().map(|new| score(old, new)).collect())).collect();
    let table: Vec<Vec<Option<Score>>> = scores.iter().map(|(_, row)| row.clone()).collect();
    let mut proposals = Vec::new();
    for ((old, _), Match { columns, sure }) in scores.iter().zip(matches(table)) {
        let candidates: Vec<String> = columns.into_iter().map(|place| new[place].uid.to_string()).collect();
        if !candidates.is_empty() {
            proposals.push(Proposal { old: old.uid.to_string(), candidates, sure });
        }
    }
    proposals
}

/// The columns that a row is best matched with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Match {
    columns: Vec<usize>,
    /// Whether each is the other's best match, and nobody else is as good.
    sure: bool,
}

/// For each row, the columns that are its best match. Pairs that are best for each other, and for nobody else as good, are
/// taken out first; what is left is compared among itself.
fn matches<S: Ord + Copy>(mut table: Vec<Vec<Option<S>>>) -> Vec<Match> {
    let mut found: Vec<Option<usize>> = vec![None; table.len()];
    loop {
        let sure = (0..table.len()).filter(|row| found[*row].is_none()).find_map(|row| {
            let [column] = best(table[row].iter())[..] else { return None };
            let of_column = best(table.iter().map(|other| &other[column]));
            (of_column == [row]).then_some((row, column))
        });
        let Some((row, column)) = sure else { break };
        found[row] = Some(column);
        for (other, scores) in table.iter_mut().enumerate() {
            if other != row {
                scores[column] = None;
            }
        }
        table[row].iter_mut().enumerate().filter(|(at, _)| *at != column).for_each(|(_, score)| *score = None);
    }
    let rows = table.iter().zip(found);
    rows.map(|(row, found)| match found {
        Some(column) => Match { columns: vec![column], sure: true },
        None => Match { columns: best(row.iter()), sure: false },
    })
    .collect()
}

/// The places of the greatest score.
fn best<'a, S: Ord + Copy + 'a>(scores: impl Iterator<Item = &'a Option<S>> + Clone) -> Vec<usize> {
    let greatest = scores.clone().flatten().max();
    let at = scores.enumerate().filter(|(_, score)| score.is_some() && score.as_ref() == greatest);
    at.map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(column: usize) -> Match {
        Match { columns: vec![column], sure: true }
    }

    fn open(columns: &[usize]) -> Match {
        Match { columns: columns.to_vec(), sure: false }
    }

    #[test]
    fn the_best_for_each_other_are_matched_first_and_the_rest_among_itself() {
        assert_eq!(matches::<u8>(vec![]), []);
        assert_eq!(matches(vec![vec![Some(1)]]), [sure(0)]);
        assert_eq!(matches(vec![vec![None::<u8>]]), [open(&[])]);
        // The second row would like the first column too, but that is better for the first.
        assert_eq!(matches(vec![vec![Some(3), Some(2)], vec![Some(2), Some(1)]]), [sure(0), sure(1)]);
    }

    #[test]
    fn what_is_equally_likely_is_left_open() {
        assert_eq!(matches(vec![vec![Some(1), Some(1)]]), [open(&[0, 1])]);
        assert_eq!(matches(vec![vec![Some(1)], vec![Some(1)]]), [open(&[0]), open(&[0])]);
        let all = vec![vec![Some(1), Some(1)], vec![Some(1), Some(1)]];
        assert_eq!(matches(all), [open(&[0, 1]), open(&[0, 1])]);
        let one_is_plain = vec![vec![Some(2), Some(2), Some(1)], vec![None, None, Some(2)]];
        assert_eq!(matches(one_is_plain), [open(&[0, 1]), sure(2)]);
    }
}
