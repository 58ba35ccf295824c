//! What `JOB plan` prints: the plan as a table, as JSON, or as a graph in DOT or Mermaid.

use std::fmt::Write;

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};

use crate::job::plan::{OperatorPlan, Plan, is_internal};
use crate::state::descriptor::StateDeclaration;

/// How a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    Table,
    Json,
    Dot,
    Mermaid,
}

/// The plan of the job `name`, ending in a line feed.
pub(crate) fn render(name: &str, plan: &Plan, format: PlanFormat) -> String {
    match format {
        PlanFormat::Table => table(plan),
        PlanFormat::Json => format!("{:#}\n", json_of(name, plan)),
        PlanFormat::Dot => dot(name, plan),
        PlanFormat::Mermaid => mermaid(plan),
    }
}

fn table(plan: &Plan) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["#", "operator", "uid", "inputs", "states"]);
    for (number, operator) in plan.operators.iter().enumerate() {
        let uid = match operator.uid_given {
            true => operator.uid.to_string(),
            false => format!("{} (derived)", operator.uid),
        };
        let inputs: Vec<String> = operator.inputs.iter().map(usize::to_string).collect();
        let states: Vec<String> =
            operator.states.iter().filter(|state| !is_internal(state)).map(state_line).collect();
        table.add_row([number.to_string(), operator.name.clone(), uid, inputs.join(", "), states.join("\n")]);
    }
    let mut text = format!("{table}\n");
    let derived: Vec<&OperatorPlan> = plan.operators.iter().filter(|o| o.is_stateful() && !o.uid_given).collect();
    if !derived.is_empty() {
        let names: Vec<&str> = derived.iter().map(|operator| operator.name.as_str()).collect();
        let _ = writeln!(
            text,
            "Operators with state and a derived uid: {}. Give each one .uid(\"…\"), so that a changed program still \
             finds the state.",
            names.join(", ")
        );
    }
    text
}

fn state_line(state: &StateDeclaration) -> String {
    let mut line = format!("{}: {}", state.name, state.kind.as_str());
    if let Some(ttl) = state.ttl {
        let _ = write!(line, ", lives {}", humantime::format_duration(ttl.duration));
    }
    line
}

/// For programs: all that a snapshot is checked against.
fn json_of(name: &str, plan: &Plan) -> Value {
    let uid_of = |input: &usize| plan.operators.get(*input).map(|operator| operator.uid.as_str());
    let operators: Vec<Value> = plan
        .operators
        .iter()
        .map(|operator| {
            json!({
                "uid": operator.uid,
                "uid-given": operator.uid_given,
                "name": operator.name,
                "kind": operator.kind,
                "inputs": operator.inputs.iter().filter_map(uid_of).collect::<Vec<_>>(),
                "states": operator.states.iter().map(state_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "job": name, "operators": operators })
}

fn state_json(state: &StateDeclaration) -> Value {
    json!({
        "name": state.name,
        "kind": state.kind,
        "internal": is_internal(state),
        "key": state.key,
        "map-key": state.map_key,
        "value": state.value,
        "ttl-ms": state.ttl.map(|ttl| crate::time::millis(ttl.duration)),
    })
}

fn dot(name: &str, plan: &Plan) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(name));
    for (number, operator) in plan.operators.iter().enumerate() {
        let label = label(operator).map(|line| quoted(&line)).join("\\n");
        let style = if operator.is_stateful() { ", style=bold" } else { "" };
        let _ = writeln!(text, "  n{number} [label=\"{label}\"{style}];");
    }
    for (from, to) in edges(plan) {
        let _ = writeln!(text, "  n{from} -> n{to};");
    }
    text + "}\n"
}

fn mermaid(plan: &Plan) -> String {
    let quoted =
        |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    let mut text = "flowchart LR\n".to_owned();
    for (number, operator) in plan.operators.iter().enumerate() {
        let label = label(operator).map(|line| quoted(&line)).join("<br>");
        // Cylinders hold state.
        let (open, close) = if operator.is_stateful() { ("[(", ")]") } else { ("[", "]") };
        let _ = writeln!(text, "  n{number}{open}\"{label}\"{close}");
    }
    for (from, to) in edges(plan) {
        let _ = writeln!(text, "  n{from} --> n{to}");
    }
    text
}

fn label(operator: &OperatorPlan) -> [String; 2] {
    let one_line = |text: &str| text.replace(char::is_control, " ");
    [one_line(&operator.name), one_line(operator.uid.as_str())]
}

fn edges(plan: &Plan) -> impl Iterator<Item = (usize, usize)> {
    plan.operators
        .iter()
        .enumerate()
        .flat_map(|(to, operator)| operator.inputs.iter().map(move |from| (*from, to)))
}
