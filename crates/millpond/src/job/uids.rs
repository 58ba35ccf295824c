//! Operators with state whose uid was derived: it changes when the job does, and then their state is not found.

use std::collections::HashSet;

use super::plan::{OperatorPlan, Plan, is_internal};

/// Stateful operators whose uid is derived, each with the line to add.
pub(crate) fn derived_uids(plan: &Plan) -> Vec<String> {
    let mut taken: HashSet<String> = plan.operators.iter().map(|operator| operator.uid.to_string()).collect();
    let unnamed = plan.operators.iter().filter(|operator| !operator.uid_given && operator.is_stateful());
    unnamed
        .map(|operator| {
            let states: Vec<&str> =
                operator.states.iter().filter(|state| !is_internal(state)).map(|state| state.name.as_str()).collect();
            let uid = free_name(operator, &mut taken);
            format!(
                "operator '{old}' ({}) has state ({}) and no uid of its own: add .uid(\"{uid}\") behind it, or its state is \
                 not found when the job changes; a snapshot that has its state under the derived uid is then taken up with \
                 --map '{old}={uid}'",
                operator.name,
                states.join(", "),
                old = operator.uid,
            )
        })
        .collect()
}

/// A uid that no operator has: the operator's kind, with a number if there are several.
fn free_name(operator: &OperatorPlan, taken: &mut HashSet<String>) -> String {
    let mut name = operator.kind.to_owned();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{}-{number}", operator.kind);
    }
    name
}
