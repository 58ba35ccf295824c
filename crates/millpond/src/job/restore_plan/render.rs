//! The plan as people and programs read it.

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{
    Decision, Fit, OperatorDecided, OperatorDecision, PendingFate, PendingPlan, PositionPlan, RestorePlan,
    StatePlan,
};

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

/// The decision in a word or two, and the reason.
fn said(state: &StatePlan) -> (&'static str, String) {
    let (word, why) = word(&state.decision);
    (word, state.note.clone().unwrap_or(why))
}

impl OperatorDecision {
    fn as_str(self) -> &'static str {
        match self {
            OperatorDecision::Restored => "restored",
            OperatorDecision::New => "new, empty",
            OperatorDecision::Dropped => "dropped",
            OperatorDecision::Unmatched => "not taken",
            OperatorDecision::Refused => "refused",
        }
    }
}

impl OperatorDecided {
    fn said(&self) -> String {
        let OperatorDecided { decision, kind, .. } = self;
        match decision {
            OperatorDecision::New if kind == "source" => "new: reads from its beginning".to_owned(),
            decision => decision.as_str().to_owned(),
        }
    }

    fn title(&self) -> String {
        match &self.from {
            Some(old) => format!("{} (was {old})", self.uid),
            None => self.uid.clone(),
        }
    }
}

impl PositionPlan {
    fn describe(&self) -> String {
        format!("source '{}' begins at {}, and not at {}", self.uid, self.new, self.old)
    }
}

impl RestorePlan {
    /// What stands in the way, in words, with the way out; `None` if nothing does.
    pub(crate) fn refusal(&self) -> Option<String> {
        let mut lines = Vec::new();
        for state in &self.states {
            let StatePlan { uid, state: name, decision, rows, note, .. } = state;
            match decision {
                Decision::Refused(reason) => lines.push(format!("state '{uid}/{name}': {reason}")),
                Decision::Unmatched => {
                    let note = note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
                    lines.push(format!(
                        "state '{uid}/{name}' of the snapshot ({} rows) is taken by no operator of this program{note}",
                        rows.unwrap_or(0)
                    ));
                }
                Decision::Restored | Decision::Migrated(_) | Decision::New | Decision::Dropped => {}
            }
        }
        lines.extend(self.proposals.iter().map(|proposal| {
            let (old, all) = (&proposal.old, proposal.candidates.join("', '"));
            match (proposal.sure, proposal.candidates.len()) {
                (true, _) => format!("'{old}' may be what is now called '{all}'"),
                (false, 1) => {
                    format!("'{old}' or another one may be what is now called '{all}'; which is not plain")
                }
                (false, _) => format!("'{old}' may be what is now called '{all}'; which of them is not plain"),
            }
        }));
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
        let mut text = format!("the snapshot does not fit this program:\n  {}\n{advice}", lines.join("\n  "));
        let choices = self.flags_to_add();
        if !choices.is_empty() {
            let (plain, open): (Vec<_>, Vec<_>) = choices.into_iter().partition(|flags| flags.len() == 1);
            if !plain.is_empty() {
                text.push_str(&format!("\nadd: {}", plain.concat().join(" ")));
            }
            for flags in open {
                text.push_str(&format!("\nadd one of: {}", flags.join("   ")));
            }
        }
        Some(text)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.positions.iter().map(PositionPlan::describe).collect();
        lines.extend(self.pending.iter().map(PendingPlan::describe));
        lines
    }
}

/// The whole plan, as a table or as JSON.
pub(crate) fn render(address: &str, plan: &RestorePlan, json: bool) -> String {
    if json {
        return format!("{:#}", to_json(address, plan));
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["operator", "state", "rows", "decision", "why"]);
    for operator in &plan.decided {
        table.add_row([operator.title(), String::new(), String::new(), operator.said(), String::new()]);
        for state in plan.states.iter().filter(|state| of_operator(state, operator)) {
            let (decision, why) = said(state);
            let rows = state.rows.map(|rows| rows.to_string()).unwrap_or_default();
            table.add_row([String::new(), state.state.clone(), rows, decision.to_owned(), why]);
        }
    }
    let mut text = format!("{table}\n\n");
    if let Some(first) = &plan.fork_of {
        text.push_str(&format!("a fork of {first}: it has a log of its own, and {first} is not touched\n"));
    }
    for line in plan.lines() {
        text.push_str(&line);
        text.push('\n');
    }
    match plan.refusal() {
        None => text.push_str(&format!("snapshot {address} fits this program")),
        Some(refusal) => text.push_str(&refusal),
    }
    text
}

/// Whether a line is of an operator: one that the program has, or what is left over of it.
fn of_operator(state: &StatePlan, operator: &OperatorDecided) -> bool {
    let of_it = state.uid == operator.uid && state.from == operator.from;
    // What nobody takes goes by the uid that it has in the snapshot.
    let left_over = operator.from.as_ref().is_some_and(|old| state.uid == *old && state.from.is_none());
    of_it || (operator.in_program && left_over)
}

fn to_json(address: &str, plan: &RestorePlan) -> Value {
    let operator = |operator: &OperatorDecided| {
        json!({
            "uid": operator.uid,
            "from": operator.from,
            "name": operator.name,
            "kind": operator.kind,
            "in-program": operator.in_program,
            "decision": operator.decision.as_str(),
        })
    };
    let pending = |pending: &PendingPlan| {
        json!({
            "sink": pending.uid,
            "pieces": pending.pieces,
            "decision": match pending.fate {
                PendingFate::Commit => "commit",
                PendingFate::Drop => "drop",
                PendingFate::Undecided => "undecided",
            },
            "asked": pending.asked,
        })
    };
    let (flags, choices): (Vec<_>, Vec<_>) = plan.flags_to_add().into_iter().partition(|flags| flags.len() == 1);
    json!({
        "snapshot": address,
        "fit": plan.fit().as_str(),
        "fork-of": plan.fork_of,
        "operators": plan.decided.iter().map(operator).collect::<Vec<_>>(),
        "states": plan.states.iter().map(state_json).collect::<Vec<_>>(),
        "positions": plan.positions.iter().map(|source| {
            json!({ "source": source.uid, "old": source.old, "new": source.new })
        }).collect::<Vec<_>>(),
        "pending-output": plan.pending.iter().map(pending).collect::<Vec<_>>(),
        "proposals": plan.proposals.iter().map(|proposal| {
            json!({ "old": proposal.old, "candidates": proposal.candidates, "sure": proposal.sure })
        }).collect::<Vec<_>>(),
        "flags": flags.concat(),
        "choices": choices,
        "reason": plan.refusal(),
    })
}

fn state_json(state: &StatePlan) -> Value {
    let (decision, reason) = said(state);
    let changes = match &state.decision {
        Decision::Migrated(changes) => changes.as_slice(),
        _ => &[],
    };
    json!({
        "operator": state.uid,
        "from": state.from,
        "state": state.state,
        "rows": state.rows,
        "decision": decision,
        "changes": changes,
        "reason": if reason.is_empty() { None } else { Some(reason) },
    })
}

/// What is not plain, a line an operator or state.
pub(crate) fn describe(plan: &RestorePlan) -> String {
    let is_new = |uid: &str| {
        let mut operators = plan.decided.iter();
        operators.find(|operator| operator.uid == uid && operator.decision == OperatorDecision::New)
    };
    let mut lines = Vec::new();
    for state in plan.told() {
        if let Some(operator) = is_new(&state.uid).filter(|_| state.decision == Decision::New) {
            let line = format!("  {}: {}", operator.title(), operator.said());
            if lines.last() != Some(&line) {
                lines.push(line);
            }
            continue;
        }
        let from = state.from.as_ref().map(|old| format!(" (was {old})")).unwrap_or_default();
        let (decision, why) = said(state);
        let tells = matches!(state.decision, Decision::Migrated(_)) || state.note.is_some();
        let why: String =
            if tells { why.lines().map(|line| format!("\n    {line}")).collect() } else { String::new() };
        lines.push(format!("  {}/{}{from}: {decision}{why}", state.uid, state.state));
    }
    lines.extend(plan.positions.iter().map(|source| format!("  {}", source.describe())));
    let asked = plan.pending.iter().filter(|pending| pending.asked);
    lines.extend(asked.map(|pending| format!("  {}", pending.describe())));
    lines.join("\n")
}
