//! From one version to another: what is asked, what must come of it.
//!
//! ```text
//!  OLD run ──▶ snapshot ──▶ NEW check ─────▶ exit code, words      the same plan
//!                      └──▶ NEW run -s ────▶ output, or refusal    by both
//! ```

use serde_json::Value;

use crate::scene::{Files, SECOND, Scene};

/// A newer version, and what becomes of it.
pub(crate) struct Change {
    pub(crate) to: &'static str,
    /// What both `check` and `run` must say.
    pub(crate) says: &'static [&'static str],
    pub(crate) then: Then,
}

pub(crate) enum Then {
    /// It fits, and puts this out.
    GoesOn(Vec<Value>),
    /// It fits with flags, which are named; with them it puts this out.
    WithFlags(&'static str, Vec<Value>),
    /// As [`Then::WithFlags`], with others than the plan names.
    WithOtherFlags { named: &'static str, given: &'static str, puts_out: Vec<Value> },
    /// It does not fit.
    Refused,
    /// It fits by its types. Its rows are another matter, of which the run says this.
    FailsOnRows(&'static [&'static str]),
}

/// An exit code of `check`, and what its JSON says.
const FITS: (i32, &str) = (0, "fits");
const WITH_FLAGS: (i32, &str) = (1, "fits-with-flags");
const DOES_NOT_FIT: (i32, &str) = (2, "does-not-fit");

/// Runs `old`, and then each newer version from its last snapshot, each in a scene as the old one left it. `again` is what the old one puts out if it is the one that goes on.
pub(crate) fn from(old: &'static str, again: Vec<Value>, changes: Vec<Change>) {
    let scene = Scene::new();
    scene.run(old, "-p 2").succeeded();
    assert_eq!(scene.history().last().as_deref(), Some("finish"));
    scene.write_numbers("second", SECOND);
    let old = After { files: scene.files(), scene, old, again };
    let unchanged = Change { to: old.old, says: &[], then: Then::GoesOn(old.again.clone()) };
    for change in std::iter::once(unchanged).chain(changes) {
        eprintln!("{} -> {}", old.old, change.to);
        old.meets(&change);
    }
}

/// What an old program left.
struct After {
    scene: Scene,
    files: Files,
    old: &'static str,
    again: Vec<Value>,
}

impl After {
    fn meets(&self, change: &Change) {
        let scene = &self.scene;
        scene.go_back(&self.files);
        let Change { to, says, then } = change;
        match then {
            Then::GoesOn(expected) => {
                let plan = fits(scene, change, "", FITS);
                let told = goes_on(scene, to, "", expected);
                // Where there is something to tell, the run tells it.
                for what in says.iter().copied().chain(changes_of(&plan)) {
                    assert!(told.contains(what), "expected '{what}' in:\n{told}");
                }
            }
            Then::WithFlags(flags, expected) => with_flags(scene, change, flags, flags, expected),
            Then::WithOtherFlags { named, given, puts_out } => with_flags(scene, change, named, given, puts_out),
            Then::Refused => {
                let plan = fits(scene, change, "", DOES_NOT_FIT);
                refuses(scene, change, &plan);
                assert_eq!(plan["flags"], Value::Array(Vec::new()), "a flag would not help");
            }
            Then::FailsOnRows(reasons) => {
                fits(scene, change, "", FITS);
                let before = scene.files();
                scene.run(to, "-p 3 -s versions@latest --restart fixed:3,0s").refused(reasons);
                assert_eq!(scene.put_out_since(&before), [Value::Null; 0], "something was put out");
                assert_eq!(scene.history().last().as_deref(), Some("failure"));
                assert_eq!(scene.history().all("start").len(), 2, "it tried again");
                // Nothing is lost: the old program goes on, by the job's name alone.
                goes_on(scene, self.old, "", &self.again);
            }
        }
    }
}

/// `check` says so, in words and as JSON, and writes nothing; gives the JSON.
fn fits(scene: &Scene, change: &Change, flags: &str, (code, word): (i32, &str)) -> Value {
    let before = scene.files();
    let options = format!("-s versions@latest {flags}");
    let (text, json) = (scene.check(change.to, &options), scene.check(change.to, &format!("{options} --json")));
    assert_eq!(text.status.code(), Some(code), "check says:\n{}{}", text.stdout, text.stderr);
    assert_eq!(json.status.code(), Some(code), "check --json says:\n{}{}", json.stdout, json.stderr);
    let plan: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(plan["fit"], word);
    for what in change.says {
        assert!(text.stdout.contains(what), "expected '{what}' in:\n{}", text.stdout);
        let texts = all_texts(&plan);
        assert!(texts.iter().any(|text| text.contains(what)), "expected '{what}' in:\n{plan:#}");
    }
    assert!(scene.files() == before, "check has changed something");
    plan
}

/// `run` is not of another opinion than `check`, whose plan this is: it says the same, and writes nothing.
fn refuses(scene: &Scene, change: &Change, plan: &Value) {
    let before = scene.files();
    let reason = plan["reason"].as_str().expect("a reason");
    scene.run(change.to, "-p 3 -s versions@latest").refused(&[reason]).refused(change.says);
    let after = scene.files();
    assert!(before == after, "a run that was refused left {:?}", after.keys().collect::<Vec<_>>());
}

/// `run` puts out just this; gives what it told.
fn goes_on(scene: &Scene, version: &str, flags: &str, expected: &[Value]) -> String {
    assert!(!expected.is_empty(), "nothing is expected");
    let before = scene.files();
    let restores = scene.history().restores();
    let from = if scene.history().last().as_deref() == Some("finish") { "-s versions@latest" } else { "" };
    let told = scene.run(version, &format!("-p 3 {from} {flags}")).succeeded().stderr;
    let sorted = |records: &[Value]| {
        let mut lines: Vec<String> = records.iter().map(Value::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&scene.put_out_since(&before)), sorted(expected));
    assert_eq!(scene.history().last().as_deref(), Some("finish"));
    assert_eq!(scene.history().restores(), restores + 1);
    told
}

fn with_flags(scene: &Scene, change: &Change, named: &str, given: &str, expected: &[Value]) {
    let plan = fits(scene, change, "", WITH_FLAGS);
    let flags: Vec<&str> = plan["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
    assert_eq!(flags.join(" "), named);
    refuses(scene, change, &plan);
    let silent = Change { to: change.to, says: &[], then: Then::Refused };
    fits(scene, &silent, given, FITS);
    goes_on(scene, change.to, given, expected);
}

/// What becomes of fields, by a plan.
fn changes_of(plan: &Value) -> impl Iterator<Item = &str> {
    let states = plan["states"].as_array().unwrap().iter();
    states.flat_map(|state| state["changes"].as_array().unwrap()).map(|change| change.as_str().unwrap())
}

/// All that is text in a JSON value.
fn all_texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(all_texts).collect(),
        Value::Object(fields) => fields.values().flat_map(all_texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
