//! The `bootstrap` example: a snapshot from a file, and a job that goes on from it.

#[allow(dead_code, reason = "shared with the tests of another example")]
#[path = "flights/support/binary.rs"]
mod binary;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(binary::bootstrap()).args(arguments).current_dir(directory).output().unwrap()
}

/// What each customer has in the end, added up without the engine.
fn expected() -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for file in ["points.csv", "purchases.csv"] {
        let path = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("data").join(file);
        for line in std::fs::read_to_string(path).unwrap().lines().skip(1) {
            let (customer, number) = line.split_once(',').unwrap();
            *sums.entry(customer.to_owned()).or_default() += number.parse::<u64>().unwrap();
        }
    }
    sums
}

#[test]
fn a_job_goes_on_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let filled = run(directory.path(), &["fill"]);
    assert!(filled.status.success(), "{filled:?}");
    assert!(String::from_utf8_lossy(&filled.stdout).contains("points@1"), "{filled:?}");
    let checked = run(directory.path(), &["check", "-s", "points@1"]);
    assert!(checked.status.success(), "{checked:?}");
    let ran = run(directory.path(), &["run", "-p", "2", "-s", "points@1", "--listen", "127.0.0.1:0"]);
    assert!(ran.status.success(), "{ran:?}");

    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for file in std::fs::read_dir(directory.path().join("points-output")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                let (customer, points) = (row["customer"].as_str().unwrap(), row["points"].as_u64().unwrap());
                let most = last.entry(customer.to_owned()).or_default();
                *most = points.max(*most);
            }
        }
    }
    // Everybody in the file of points buys something.
    assert_eq!(last, expected());
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_nothing_is_published() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bad.csv"), "customer,points\nada,1\ngrace,many\n").unwrap();
    let filled = run(directory.path(), &["fill", "bad.csv"]);
    assert!(!filled.status.success());
    assert!(String::from_utf8_lossy(&filled.stderr).contains("balances/points: row 2"), "{filled:?}");
    assert!(!directory.path().join("millpond-store/jobs").exists());
}
