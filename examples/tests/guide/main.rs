//! The pages of the guide, as a reader goes through them: their commands are copied into a shell, what they print is compared
//! with what the page says, and in the end results and lineage with loops over the input.
//!
//! * [`page`]: the commands of a page, and what it says that they print.
//! * [`answer`]: whether they do.
//! * [`shell`]: where they are run.
//! * [`oracle`]: what the job should have counted.

#![cfg(unix)]

mod answer;
#[path = "../flights/support/binary.rs"]
mod binary;
mod oracle;
mod page;
mod shell;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use oracle::{ByCarrier, assert_results, counted, first, second, third};
use page::{Block, How};
use shell::{Ran, Shell};

/// How long a block is run again before that counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs that pages name.
static PROGRAMS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let examples = ["delays", "delays-v2", "delays-v3"].map(binary::example);
    examples.into_iter().chain([binary::millpond().to_owned()]).collect()
});

/// Goes through a page, as far as it has commands.
fn follow(name: &str) -> Shell {
    let path = page::folder().join(name).with_extension("md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let blocks = page::blocks(&text);
    assert!(blocks.len() > 3, "{name}.md has hardly any commands");
    let mut shell = Shell::start(&PROGRAMS);
    for block in blocks {
        if let Err(wrong) = run(&mut shell, &block) {
            let (line, commands, logs) = (block.line, block.commands.trim_end(), shell.logs());
            panic!("docs/guide/{name}.md, line {line}:\n{commands}\n\n{wrong}\n\nThe jobs said:\n{logs}");
        }
    }
    shell
}

/// Runs a block, and says what went otherwise than the page says.
fn run(shell: &mut Shell, block: &Block) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (ran, expected) = match block.how {
            How::Once => (shell.run(&block.commands), 0),
            How::Until => (shell.attempt(&block.commands), 0),
            How::Exit(code) => (shell.attempt(&block.commands), code),
        };
        let wrong = wrong(&ran, expected, block.answer.as_deref());
        if wrong.is_none() || block.how != How::Until || ran.code.is_none() || Instant::now() > deadline {
            return wrong.map_or(Ok(()), Err);
        }
        sleep(Duration::from_millis(100));
    }
}

fn wrong(ran: &Ran, expected: i32, answer: Option<&str>) -> Option<String> {
    let printed = &ran.output;
    match (ran.code, answer) {
        (None, _) => Some(format!("did not end in time; it had printed:\n{printed}")),
        (Some(code), _) if code != expected => {
            Some(format!("ended with exit code {code}, expected {expected}; it printed:\n{printed}"))
        }
        (_, Some(answer)) if !answer::matches(answer, printed) => {
            Some(format!("printed:\n{printed}\nbut the page says:\n{answer}"))
        }
        _ => None,
    }
}

/// The snapshots of a store in the shell's directory, by their tags, as `millpond snapshots ls` lists them.
fn tagged(shell: &Shell, store: &str) -> BTreeMap<String, Value> {
    let mut command = Command::new(binary::millpond());
    command.args(["snapshots", "ls", "--json", "--store", store]).current_dir(shell.path("."));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let snapshots: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let mut by_tag = BTreeMap::new();
    for snapshot in snapshots {
        for tag in snapshot["marks"]["tags"].as_array().unwrap() {
            by_tag.insert(
                format!("{}#{}", snapshot["job"].as_str().unwrap(), tag.as_str().unwrap()),
                snapshot.clone(),
            );
        }
    }
    by_tag
}

/// Each snapshot, but for the first, must have been taken by a run that took the one before it, or that started from it.
fn assert_lineage(shell: &Shell, store: &str, tags: &[&str]) {
    let snapshots = tagged(shell, store);
    for pair in tags.windows(2) {
        let of =
            |tag: &str| snapshots.get(tag).unwrap_or_else(|| panic!("no {tag}; there are {:?}", snapshots.keys()));
        let (from, to) = (of(pair[0]), of(pair[1]));
        if (&from["job"], &from["run"]) == (&to["job"], &to["run"]) && from["copied-from"].is_null() {
            assert!(from["sequence"].as_u64() < to["sequence"].as_u64(), "{} is older than {}", pair[0], pair[1]);
        } else {
            assert_eq!(restored_from(shell, store, to), from["snapshot"], "{} comes from {}", pair[1], pair[0]);
        }
    }
}

/// What the run started from that took a snapshot, as the log says.
fn restored_from(shell: &Shell, store: &str, snapshot: &Value) -> Value {
    let (job, run) = (snapshot["job"].as_str().unwrap(), snapshot["run"].as_u64().unwrap());
    let path = shell.path(store).join(format!("jobs/{job}/log/{run:020}.json"));
    let entry: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    entry["body"]["start"]["restored_from"].clone()
}

#[test]
fn every_page_is_in_the_index_and_run_here() {
    let index = std::fs::read_to_string(page::folder().join("README.md")).unwrap();
    let tests = include_str!("main.rs");
    let mut pages = 0;
    for entry in std::fs::read_dir(page::folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "README.md" {
            pages += 1;
            assert!(index.contains(&format!("({name})")), "the index does not link {name}");
            let name = name.strip_suffix(".md").expect("a page");
            assert!(tests.contains(&format!("follow(\"{name}\")")), "no test follows {name}.md");
        }
    }
    assert_eq!(pages, 6);
    // What the pages need is where the index says.
    let data =
        index.lines().find_map(|line| line.strip_prefix("export FLIGHTS=$PWD/")).expect("where the data is");
    assert!(Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("..").join(data).is_file(), "{data}");
}

/// Nothing: a run that counted from the beginning.
fn nothing() -> ByCarrier {
    ByCarrier::new()
}

#[test]
fn fix_a_bug() {
    let shell = follow("fix-a-bug");
    let week_1 = counted(&[(1..=7, first)]);
    let mended = counted(&[(1..=7, first), (8..=14, third)]);
    assert_ne!(mended, counted(&[(1..=7, first), (8..=14, second)]), "the bug must show");
    assert_results(&shell.path("mended-output"), &week_1, &mended);
    // In place: week 1 of the first version, and then of the third; nothing of the second.
    assert_results(&shell.path("delays-output"), &nothing(), &mended);
    assert_results(&shell.path("all-output"), &nothing(), &counted(&[(1..=14, third)]));
    for fork in ["delays#wrong", "delays-mended#week-2", "delays#week-2", "delays-all#week-2"] {
        assert_lineage(&shell, "millpond-store", &["delays#week-1", fork]);
    }
    assert_eq!(
        tagged(&shell, "millpond-store")["delays#week-1"]["marks"]["origin-of"],
        serde_json::json!(["delays-mended", "delays-all"]),
        "who came from it"
    );
}

#[test]
fn ab_test() {
    let shell = follow("ab-test");
    let late_30: oracle::Rule = |delay| (delay.is_some_and(|minutes| minutes >= 30), delay.is_none());
    let week_1 = counted(&[(1..=7, third)]);
    assert_results(&shell.path("a-output"), &nothing(), &counted(&[(1..=14, third)]));
    assert_results(&shell.path("b-output"), &week_1, &counted(&[(1..=7, third), (8..=14, late_30)]));
    assert_lineage(&shell, "millpond-store", &["delays#week-1", "delays#week-2"]);
    assert_lineage(&shell, "millpond-store", &["delays#week-1", "delays-b#week-2"]);
}

#[test]
fn rescale() {
    let shell = follow("rescale");
    assert_results(&shell.path("delays-output"), &nothing(), &counted(&[(1..=14, first)]));
    assert_lineage(&shell, "millpond-store", &["delays#narrow", "delays#wide", "delays#three"]);
}

#[test]
fn moving() {
    let shell = follow("move");
    let two_weeks = counted(&[(1..=14, first)]);
    assert_results(&shell.path("here/delays-output"), &nothing(), &two_weeks);
    assert_results(&shell.path("there/delays-output"), &two_weeks, &counted(&[(1..=21, first)]));
    assert_lineage(&shell, "there/millpond-store", &["delays#moved", "delays#week-3"]);
    // The first store has what it had.
    assert!(tagged(&shell, "here/millpond-store").contains_key("delays#week-1"));
}

#[test]
fn pause_and_resume() {
    let shell = follow("pause-and-resume");
    assert_results(&shell.path("delays-output"), &nothing(), &counted(&[(1..=21, first)]));
    assert_lineage(&shell, "millpond-store", &["delays#pause", "delays#week-2", "delays#week-3"]);
}

#[test]
fn go_back_in_time() {
    let shell = follow("go-back-in-time");
    // Week 2 once.
    assert_results(&shell.path("delays-output"), &nothing(), &counted(&[(1..=21, first)]));
    assert_lineage(&shell, "millpond-store", &["delays#monday", "delays#week-2", "delays#week-3"]);
    assert!(!tagged(&shell, "millpond-store").contains_key("delays#twice"));
}
