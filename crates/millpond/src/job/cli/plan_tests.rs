//! Plans, as they are shown.

use std::time::Duration;

use millpond_snapshot::chunk::StateKind;

use super::plan::{PlanFormat, render};
use crate::job::plan::{Draft, Plan};
use crate::state::descriptor::{StateDeclaration, Ttl};

/// A source, and a keyed operator with a hostile name.
fn two_operators() -> Plan {
    let state = |name: &str, kind, ttl| StateDeclaration {
        name: name.parse().unwrap(),
        kind,
        key: None,
        map_key: None,
        value: None,
        ttl,
        sides: Default::default(),
    };
    let draft = Draft {
        uid: None,
        name: None,
        kind: "source",
        label: "source".into(),
        inputs: vec![],
        states: vec![state("splits", StateKind::OperatorList, None)],
        aligned: true,
        sink: false,
        positions: vec![],
    };
    let hour = Ttl::new(Duration::from_secs(3600));
    let totals = Draft {
        uid: Some("totals".into()),
        name: Some("sum of \"a\\b\" <c>".into()),
        kind: "process",
        inputs: vec![0],
        states: vec![
            state("total", StateKind::Value, Some(hour)),
            state("watermark", StateKind::OperatorUnion, None),
        ],
        ..draft.clone()
    };
    Plan::new(vec![draft, totals], vec![]).unwrap()
}

#[test]
fn a_plan_as_a_table_shows_states_and_warns_of_derived_uids() {
    let text = render("flights", &two_operators(), PlanFormat::Table);
    for part in ["totals", "total: value, lives 1h", "splits: operator-list", "(derived)", ".uid(\"…\")"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("watermark"), "{text}");
}

#[test]
fn a_plan_as_json_holds_everything() {
    let text = render("flights", &two_operators(), PlanFormat::Json);
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let [source, totals] = plan["operators"].as_array().unwrap().as_slice() else { panic!("{text}") };
    assert_eq!(source["uid-given"], false);
    assert_eq!(totals["inputs"][0], source["uid"]);
    assert_eq!(totals["states"][0]["ttl-ms"], 3_600_000);
    assert_eq!(totals["states"][1]["internal"], true);
}

#[test]
fn a_plan_as_a_graph_quotes_names() {
    let dot = render("flights", &two_operators(), PlanFormat::Dot);
    assert!(dot.starts_with("digraph \"flights\" {\n") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains(r#"n1 [label="sum of \"a\\b\" <c>\ntotals", style=bold];"#), "{dot}");
    assert!(dot.contains("n0 -> n1;"));
    let mermaid = render("flights", &two_operators(), PlanFormat::Mermaid);
    assert!(mermaid.contains(r#"n1[("sum of &quot;a\b&quot; &lt;c&gt;<br>totals")]"#), "{mermaid}");
    assert!(mermaid.contains("n0 --> n1"));
}
