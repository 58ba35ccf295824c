//! The plan as a specification: what becomes of each operator and state.

use millpond_snapshot::chunk::StateKind;
use millpond_snapshot::manifest::{Manifest, OperatorSnapshot, SchemaFields, StateSnapshot, UidSource};
use millpond_snapshot::{Epoch, JobName};
use serde_json::{Value, json};

use super::*;
use crate::job::options::PendingOutput;
use crate::job::plan::{Draft, Plan};
use crate::source::PositionForm;
use crate::state::codec;
use crate::state::descriptor::StateDeclaration;

fn job(name: &str) -> JobName {
    name.parse().unwrap()
}

fn numbers() -> SchemaFields {
    codec::schema::<u64>("value").unwrap()
}

fn texts() -> SchemaFields {
    codec::schema::<String>("value").unwrap()
}

fn state(name: &str, kind: StateKind, value: SchemaFields) -> StateDeclaration {
    StateDeclaration {
        name: name.parse().unwrap(),
        kind,
        key: None,
        map_key: None,
        value: Some(value),
        ttl: None,
        sides: Default::default(),
    }
}

/// An operator of a program.
fn draft(uid: Option<&str>, kind: &'static str, states: Vec<StateDeclaration>) -> Draft {
    Draft {
        uid: uid.map(str::to_owned),
        name: None,
        kind,
        label: kind.to_owned(),
        inputs: vec![],
        states,
        aligned: true,
        sink: kind == "sink",
        positions: if kind == "source" { vec![PositionForm::Earliest, PositionForm::Latest] } else { vec![] },
    }
}

fn source(uid: &str) -> Draft {
    let states =
        vec![state("found", StateKind::OperatorUnion, texts()), state("splits", StateKind::OperatorList, texts())];
    draft(Some(uid), "source", states)
}

fn counts(uid: &str) -> Draft {
    draft(Some(uid), "process", vec![state("count", StateKind::OperatorList, numbers())])
}

fn sink(uid: &str) -> Draft {
    draft(Some(uid), "sink", vec![state("prepared", StateKind::OperatorList, texts())])
}

fn program(drafts: impl IntoIterator<Item = Draft>) -> Plan {
    Plan::new(drafts.into_iter().collect(), vec![]).unwrap()
}

/// The snapshot that a program has taken whose every state has two rows.
fn snapshot(drafts: impl IntoIterator<Item = Draft>) -> Manifest {
    let mut manifest = Manifest::new(job("first"), Epoch(7));
    for operator in program(drafts).operators {
        let states = operator.states.iter().map(|state| StateSnapshot {
            name: state.name.clone(),
            kind: state.kind,
            key_schema: None,
            map_key_schema: None,
            value_schema: state.value.clone(),
            ttl_ms: None,
            chunks: vec![],
            rows_inline: Some(vec![json!({"split": {"path": "a.csv", "offset": 3}, "greatest": 0}), json!("b")]),
        });
        manifest.operators.push(OperatorSnapshot {
            uid: operator.uid.clone(),
            uid_source: if operator.uid_given { UidSource::Given } else { UidSource::Derived },
            name: operator.name.clone(),
            kind: operator.kind.to_owned(),
            states: states.collect(),
        });
    }
    manifest
}

fn decide(plan: &Plan, manifest: &Manifest, flags: &RestoreFlags) -> RestorePlan {
    RestorePlan::new(plan, manifest, flags, &job("first")).unwrap()
}

fn decision<'a>(plan: &'a RestorePlan, uid: &str, state: &str) -> &'a Decision {
    let line = plan.states.iter().find(|line| line.uid == uid && line.state == state);
    &line.unwrap_or_else(|| panic!("no line for {uid}/{state}: {:?}", plan.states)).decision
}

fn operator(plan: &RestorePlan, uid: &str) -> OperatorDecision {
    plan.decided.iter().find(|line| line.uid == uid).unwrap_or_else(|| panic!("no line for {uid}")).decision
}

fn none() -> RestoreFlags {
    RestoreFlags::default()
}

/// The flags that the plan asks for, taken at its word.
fn pasted(plan: &RestorePlan, choose: usize) -> RestoreFlags {
    let mut flags = none();
    for choices in plan.flags_to_add() {
        let (flag, value) = choices[choose.min(choices.len() - 1)].split_once(' ').unwrap();
        let value = value.trim_matches('\'');
        match flag {
            "--map" => flags.map.push(value.split_once('=').map(|(a, b)| (a.into(), b.into())).unwrap()),
            _ => flags.drop.push(match value.rsplit_once('/') {
                Some((uid, state)) => (uid.into(), (!state.is_empty()).then(|| state.into())),
                None => (value.into(), None),
            }),
        }
    }
    flags
}

#[test]
fn the_same_program_takes_everything_up_and_there_is_nothing_to_tell() {
    let all = || [source("in"), counts("counts"), sink("out")];
    let plan = decide(&program(all()), &snapshot(all()), &none());
    assert_eq!(plan.fit(), Fit::Fits);
    assert!(plan.is_plain() && plan.refusal().is_none(), "{plan:?}");
    assert_eq!(plan.operators, [Some(0), Some(1), Some(2)]);
    for uid in ["in", "counts", "out"] {
        assert_eq!(operator(&plan, uid), OperatorDecision::Restored);
    }
}

#[test]
fn a_new_operator_starts_empty_and_is_said_to() {
    let plan =
        decide(&program([source("in"), source("more"), counts("counts")]), &snapshot([source("in")]), &none());
    assert_eq!(plan.fit(), Fit::Fits);
    assert_eq!(*decision(&plan, "counts", "count"), Decision::New);
    assert_eq!(operator(&plan, "counts"), OperatorDecision::New);
    let told = describe(&plan);
    assert!(told.contains("counts: new, empty"), "{told}");
    assert!(told.contains("more: new: reads from its beginning"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn a_state_of_another_kind_is_refused_whatever_the_flags_but_drop() {
    let plan =
        program([draft(Some("counts"), "process", vec![state("count", StateKind::OperatorUnion, numbers())])]);
    let old = snapshot([counts("counts")]);
    let all = RestoreFlags { allow_non_restored: true, ..none() };
    for flags in [none(), all] {
        let decided = decide(&plan, &old, &flags);
        assert_eq!(decided.fit(), Fit::Not);
        assert_eq!(operator(&decided, "counts"), OperatorDecision::Refused);
        let refusal = decided.refusal().unwrap();
        assert!(refusal.contains("'counts/count': it was of kind operator-list and is now of kind"), "{refusal}");
    }
    let dropped = RestoreFlags { drop: vec![("counts".into(), Some("count".into()))], ..none() };
    assert_eq!(decide(&plan, &old, &dropped).fit(), Fit::Fits);
}

#[test]
fn what_nobody_takes_wants_a_flag_and_the_flag_is_named() {
    let old = snapshot([source("in"), counts("old")]);
    let new = program([source("in")]);
    let plan = decide(&new, &old, &none());
    assert_eq!(plan.fit(), Fit::WithFlags);
    assert_eq!(operator(&plan, "old"), OperatorDecision::Unmatched);
    assert_eq!(plan.flags_to_add(), [["--drop 'old'"]]);
    assert!(plan.refusal().unwrap().contains("add: --drop 'old'"));
    for flags in [RestoreFlags { allow_non_restored: true, ..none() }, pasted(&plan, 0)] {
        let plan = decide(&new, &old, &flags);
        assert_eq!(plan.fit(), Fit::Fits);
        assert_eq!(operator(&plan, "old"), OperatorDecision::Dropped);
        assert!(plan.without_dropped(&old).operators[1].states.is_empty());
    }
}

#[test]
fn a_state_that_vanished_from_an_operator_that_remains_is_as_a_vanished_operator() {
    let two =
        vec![state("count", StateKind::OperatorList, numbers()), state("sum", StateKind::OperatorList, numbers())];
    let (old, new) = (snapshot([draft(Some("counts"), "process", two)]), program([counts("counts")]));
    let plan = decide(&new, &old, &none());
    assert_eq!(plan.fit(), Fit::WithFlags);
    assert_eq!(*decision(&plan, "counts", "sum"), Decision::Unmatched);
    assert_eq!(plan.flags_to_add(), [["--drop 'counts/sum'"]]);
    let plan = decide(&new, &old, &pasted(&plan, 0));
    assert_eq!(plan.fit(), Fit::Fits);
    assert_eq!(*decision(&plan, "counts", "count"), Decision::Restored);
}

#[test]
fn the_positions_of_a_vanished_source_and_the_output_of_a_vanished_sink_are_said_to_be_what_they_are() {
    let plan = decide(&program([counts("c")]), &snapshot([source("in"), sink("out"), counts("c")]), &none());
    assert_eq!(plan.flags_to_add(), [["--drop 'in'"], ["--drop 'out'"]]);
    let refusal = plan.refusal().unwrap();
    assert!(refusal.contains("how far 'source' had been read"), "{refusal}");
    assert!(refusal.contains("only its sink can commit it"), "{refusal}");
    assert_eq!(plan.pending[0].fate, PendingFate::Undecided);
}

#[test]
fn a_derived_uid_that_changed_is_proposed_as_a_map_and_never_applied() {
    let unnamed = || draft(None, "process", vec![state("count", StateKind::OperatorList, numbers())]);
    let old = snapshot([unnamed(), source("in")]);
    let derived = old.operators[0].uid.to_string();
    let new = program([source("in"), counts("counts"), draft(Some("other"), "process", vec![])]);
    let plan = decide(&new, &old, &none());
    assert_eq!(plan.fit(), Fit::WithFlags);
    assert_eq!(*decision(&plan, "counts", "count"), Decision::New, "not by itself");
    assert_eq!(plan.flags_to_add(), [[format!("--map '{derived}=counts'")]]);
    assert!(plan.refusal().unwrap().contains(&format!("add: --map '{derived}=counts'")));
    let plan = decide(&new, &old, &pasted(&plan, 0));
    assert_eq!(plan.fit(), Fit::Fits);
    assert_eq!(*decision(&plan, "counts", "count"), Decision::Restored);
    assert!(describe(&plan).contains(&format!("counts/count (was {derived}): restored")));
}

#[test]
fn a_proposal_wants_the_same_kind_the_same_states_and_types_that_fit() {
    let old = || snapshot([counts("old")]);
    let with =
        |kind, name: &str, value| draft(Some("new"), kind, vec![state(name, StateKind::OperatorList, value)]);
    for other in [
        with("sink", "count", numbers()),
        with("process", "sum", numbers()),
        with("process", "count", texts()),
        draft(Some("new"), "process", vec![state("count", StateKind::OperatorUnion, numbers())]),
    ] {
        let plan = decide(&program([other]), &old(), &none());
        assert!(plan.proposals.is_empty(), "{:?}", plan.proposals);
        assert_eq!(plan.flags_to_add(), [["--drop 'old'"]]);
    }
    let plan = decide(&program([with("process", "count", numbers())]), &old(), &none());
    assert_eq!(plan.proposals, [Proposal { old: "old".into(), candidates: vec!["new".into()], sure: true }]);
}

#[test]
fn of_several_the_one_that_takes_more_up_is_likelier() {
    let states =
        |names: &[&str]| names.iter().map(|name| state(name, StateKind::OperatorList, numbers())).collect();
    let old = snapshot([draft(Some("old"), "process", states(&["count"]))]);
    let more = draft(Some("more"), "process", states(&["count", "sum"]));
    let plan = decide(&program([more, counts("exact")]), &old, &none());
    assert_eq!(plan.flags_to_add(), [["--map 'old=exact'"]]);
}

#[test]
fn what_is_ambiguous_is_said_to_be_and_lists_the_candidates() {
    let (old, new) = (snapshot([counts("a"), counts("b")]), program([counts("x"), counts("y")]));
    let plan = decide(&new, &old, &none());
    assert_eq!(
        plan.flags_to_add(),
        [["--map 'a=x'", "--map 'a=y'", "--drop 'a'"], ["--map 'b=x'", "--map 'b=y'", "--drop 'b'"]]
    );
    let refusal = plan.refusal().unwrap();
    assert!(refusal.contains("'a' may be what is now called 'x', 'y'; which of them is not plain"), "{refusal}");
    assert!(refusal.contains("add one of: --map 'a=x'   --map 'a=y'   --drop 'a'"), "{refusal}");
    // Two that may have become one.
    let plan = decide(&program([counts("x")]), &old, &none());
    assert_eq!(plan.flags_to_add(), [["--map 'a=x'", "--drop 'a'"], ["--map 'b=x'", "--drop 'b'"]]);
    assert_eq!(decide(&program([counts("x")]), &old, &pasted(&plan, 9)).fit(), Fit::Fits);
}

#[test]
fn flags_that_name_nothing_or_contradict_each_other_are_refused() {
    let (old, new) = (snapshot([counts("a"), counts("b")]), program([counts("x"), counts("y"), source("in")]));
    let map = |pairs: &[(&str, &str)]| RestoreFlags {
        map: pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        ..none()
    };
    let at = |uid: &str, position: &str| RestoreFlags {
        positions: vec![(uid.to_owned(), position.parse().unwrap())],
        ..none()
    };
    for (flags, hint) in [
        (map(&[("z", "x")]), "the snapshot has no operator 'z'"),
        (map(&[("a", "z")]), "the program has no operator 'z'"),
        (map(&[("a", "x"), ("a", "y")]), "--map a=x was given too"),
        (map(&[("a", "x"), ("b", "x")]), "--map a=x was given too"),
        (RestoreFlags { drop: vec![("z".into(), None)], ..none() }, "no such state"),
        (at("out", "latest"), "no source 'out'; its sources are in"),
        (at("x", "latest"), "'x' is no source, but an operator of kind process"),
        (at("in", "17"), "source 'in' (source): it does not take \"17\"; it takes earliest, latest"),
    ] {
        let error = RestorePlan::new(&new, &old, &flags, &job("first")).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Input);
        assert!(error.to_string().contains(hint), "{hint}: {error}");
    }
}

#[test]
fn a_source_begins_where_it_is_told_and_the_plan_shows_old_and_new() {
    let all = || [source("in"), counts("counts")];
    let flags = RestoreFlags { positions: vec![("in".into(), "end".parse().unwrap())], ..none() };
    let (new, old) = (program(all()), snapshot(all()));
    let plan = decide(&new, &old, &flags);
    assert_eq!(plan.fit(), Fit::Fits);
    assert!(!plan.is_plain());
    assert_eq!(plan.positions[0].new, "latest");
    assert!(
        plan.positions[0].old.contains("2 splits found, 2 being read: {\"offset\":3,\"path\":\"a.csv\"}"),
        "{plan:?}"
    );
    let rest = plan.without_dropped(&old);
    assert!(rest.operators[0].states.is_empty(), "where the source stood is left behind");
    assert_eq!(rest.operators[1].states.len(), 1);
    let told = describe(&plan);
    assert!(told.contains("source 'in' begins at latest, and not at 2 splits found"), "{told}");
    let nothing = RestorePlan::from_nothing(&new, &flags).unwrap();
    assert!(describe(&nothing).contains("source 'in' begins at latest, and not at its beginning"));
}

#[test]
fn prepared_output_is_committed_in_place_and_left_alone_at_a_fork_unless_a_flag_says_otherwise() {
    let (new, old) = (program([sink("out")]), snapshot([sink("out")]));
    let decide = |name: &str, pending_output| {
        RestorePlan::new(&new, &old, &RestoreFlags { pending_output, ..none() }, &job(name)).unwrap()
    };
    use PendingOutput::{Commit, Drop};
    for (name, flag, fate, plain) in [
        ("first", None, PendingFate::Commit, true),
        ("second", None, PendingFate::Drop, false),
        ("first", Some(Commit), PendingFate::Commit, false),
        ("second", Some(Commit), PendingFate::Commit, false),
        ("first", Some(Drop), PendingFate::Drop, false),
        ("second", Some(Drop), PendingFate::Drop, false),
    ] {
        let plan = decide(name, flag);
        let expected = PendingPlan { uid: "out".into(), pieces: 2, fate, asked: flag.is_some() };
        assert_eq!(plan.pending, [expected], "{name} {flag:?}");
        assert_eq!(plan.is_plain(), plain, "{name} {flag:?}");
        let dropped = plan.without_dropped(&old).operators[0].states.is_empty();
        assert_eq!(dropped, fate == PendingFate::Drop, "{name} {flag:?}");
    }
    let told = describe(&decide("second", None));
    assert!(told.contains("2 pieces of output prepared by 'out': the job that prepared it commits it"), "{told}");
}

#[test]
fn the_plan_is_told_as_json_too() {
    let (old, new) =
        (snapshot([source("in"), sink("out"), counts("old")]), program([source("in"), counts("new")]));
    let flags = RestoreFlags { positions: vec![("in".into(), "beginning".parse().unwrap())], ..none() };
    let plan = RestorePlan::new(&new, &old, &flags, &job("second")).unwrap();
    let told: Value = serde_json::from_str(&render("first@7", &plan, true)).unwrap();
    assert_eq!(told["snapshot"], "first@7");
    assert_eq!(told["fit"], "fits-with-flags");
    assert_eq!(told["fork-of"], "first");
    assert_eq!(told["flags"], json!(["--map 'old=new'"]));
    assert_eq!(told["proposals"], json!([{ "old": "old", "candidates": ["new"], "sure": true }]));
    assert_eq!(told["positions"][0]["new"], "earliest");
    assert_eq!(
        told["pending-output"],
        json!([{ "sink": "out", "pieces": 2, "decision": "drop", "asked": false }])
    );
    let decisions: Vec<&str> =
        told["operators"].as_array().unwrap().iter().map(|line| line["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["dropped", "new, empty", "dropped", "not taken"]);
    let table = render("first@7", &plan, false);
    for part in ["a fork of first", "source 'in' begins at earliest", "sink 'out': 2 pieces", "--map 'old=new'"] {
        assert!(table.contains(part), "{part}: {table}");
    }
}
