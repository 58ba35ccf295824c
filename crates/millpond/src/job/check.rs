//! `JOB check`: whether a snapshot fits the program, said state by state before anything is stopped.

use comfy_table::{Table, presets};
use millpond_snapshot::store::OpenMode;
use millpond_snapshot::{Store, repository};

use super::cli::CheckOptions;
use super::plan::Plan;
use super::restore_plan::{Decision, Fit, RestoreFlags, RestorePlan, StatePlan};
use crate::error::Error;

/// Finds the snapshot and decides. Nothing is written.
pub(crate) fn against(plan: &Plan, store: &str, options: &CheckOptions) -> Result<(String, RestorePlan), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::failed)?;
    let resolved = runtime.block_on(async {
        let store = Store::open(store, OpenMode::Existing).await?;
        repository::resolve(&store, &options.from).await
    })?;
    let flags = RestoreFlags {
        allow_non_restored: options.allow_non_restored,
        map: options.map.clone(),
        drop: options.drop.clone(),
    };
    let decided = RestorePlan::new(plan, &resolved.record()?.manifest, &flags)?;
    Ok((resolved.entry.id().to_string(), decided))
}

fn word(decision: &Decision) -> (&'static str, String) {
    let (word, why) = match decision {
        Decision::Restored => ("restored", ""),
        Decision::Migrated(changes) => return ("restored with migration", changes.join("\n")),
        Decision::New => ("new, empty", ""),
        Decision::Dropped => ("dropped", "as asked"),
        Decision::Unmatched => ("not taken", "no operator of this program takes it"),
        Decision::Refused(reason) => ("refused", reason.as_str()),
    };
    (word, why.to_owned())
}

/// The whole plan, as a table or as JSON.
pub(crate) fn render(address: &str, plan: &RestorePlan, json: bool) -> String {
    if json {
        let states: Vec<_> = plan.states.iter().map(to_json).collect();
        let fit = match plan.fit() {
            Fit::Fits => "fits",
            Fit::WithFlags => "fits-with-flags",
            Fit::Not => "does-not-fit",
        };
        let all =
            serde_json::json!({ "snapshot": address, "fit": fit, "states": states, "reason": plan.refusal() });
        return format!("{all:#}");
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["operator", "state", "rows", "decision", "why"]);
    for state in &plan.states {
        let (decision, why) = word(&state.decision);
        let operator = match &state.from {
            Some(old) => format!("{} (was {old})", state.uid),
            None => state.uid.clone(),
        };
        let rows = state.rows.map(|rows| rows.to_string()).unwrap_or_default();
        table.add_row([operator, state.state.clone(), rows, decision.to_owned(), why]);
    }
    let verdict = match plan.refusal() {
        None => format!("snapshot {address} fits this program"),
        Some(refusal) => refusal,
    };
    format!("{table}\n\n{verdict}")
}

fn to_json(state: &StatePlan) -> serde_json::Value {
    let (decision, reason) = word(&state.decision);
    let changes = match &state.decision {
        Decision::Migrated(changes) => changes.as_slice(),
        _ => &[],
    };
    serde_json::json!({
        "operator": state.uid,
        "from": state.from,
        "state": state.state,
        "rows": state.rows,
        "decision": decision,
        "changes": changes,
        "reason": if reason.is_empty() { None } else { Some(reason) },
    })
}

/// What is not plain, a line a state.
pub(crate) fn describe(plan: &RestorePlan) -> String {
    let lines = plan.told().map(|state| {
        let from = state.from.as_ref().map(|old| format!(" (was {old})")).unwrap_or_default();
        let (decision, why) = word(&state.decision);
        let changes = if matches!(state.decision, Decision::Migrated(_)) { why } else { String::new() };
        let changes: String = changes.lines().map(|change| format!("\n    {change}")).collect();
        format!("  {}/{}{from}: {decision}{changes}", state.uid, state.state)
    });
    lines.collect::<Vec<_>>().join("\n")
}
