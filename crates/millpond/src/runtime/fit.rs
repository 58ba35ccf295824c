//! Whether a snapshot fits a program, and what each operator takes of it.

use millpond_snapshot::log::Entry;
use millpond_snapshot::{JobName, Store};

use super::restore::Restored;
use crate::error::Error;
use crate::job::plan::Plan;
use crate::job::restore_plan::{RestoreFlags, RestorePlan};

/// Checks that a snapshot, or nothing, fits a plan.
pub(crate) fn fit(
    plan: &Plan,
    job: &JobName,
    store: &Store,
    base: Option<&Entry>,
    flags: &RestoreFlags,
) -> Result<(Restored, RestorePlan), Error> {
    let places = plan.operators.iter().enumerate();
    let positions =
        places.filter_map(|(place, operator)| Some((place, flags.position(operator.uid.as_str())?.clone())));
    let positions = positions.collect();
    let Some(manifest) = base.and_then(Entry::snapshot).map(|record| &record.manifest) else {
        let restored = Restored { positions, ..Restored::default() };
        return Ok((restored, RestorePlan::from_nothing(plan, flags)?));
    };
    let restore_plan = RestorePlan::new(plan, manifest, flags, job)?;
    if let Some(refusal) = restore_plan.refusal() {
        return Err(Error::snapshot(refusal));
    }
    let snapshot = Some((store.clone(), restore_plan.without_dropped(manifest)));
    let restored = Restored { snapshot, operators: restore_plan.operators.clone(), positions };
    Ok((restored, restore_plan))
}
