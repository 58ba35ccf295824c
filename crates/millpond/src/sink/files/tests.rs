use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{FileSink, PreparedFile};
use crate::sink::{Sink, SinkContext};
use crate::time::EventTime;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    count: u64,
}

fn row(name: &str, count: u64) -> Row {
    Row { name: name.into(), count }
}

fn context(run: u64, subtask: usize, restored: bool) -> SinkContext {
    SinkContext { job: "job".into(), run, subtask, parallelism: 2, restored, past: Vec::new() }
}

fn opened(sink: FileSink, context: SinkContext) -> FileSink {
    let mut sink = sink;
    Sink::<Row>::open(&mut sink, context, &[]).unwrap();
    sink
}

fn json(directory: &TempDir, run: u64, subtask: usize) -> FileSink {
    opened(FileSink::json_lines(directory.path()), context(run, subtask, run > 1))
}

fn write(sink: &mut FileSink, row: Row) {
    sink.write(&row, EventTime::MIN).unwrap();
}

fn prepare(sink: &mut FileSink, epoch: u64) -> Option<PreparedFile> {
    Sink::<Row>::prepare(sink, epoch).unwrap()
}

fn commit(sink: &mut FileSink, prepared: &PreparedFile) {
    Sink::<Row>::commit(sink, prepared).unwrap();
}

fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap())).collect()
}

fn names(directory: &TempDir) -> Vec<String> {
    files(directory.path()).into_keys().collect()
}

fn visible(directory: &TempDir) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.ends_with(".jsonl") || name.ends_with(".csv")).collect()
}

#[test]
fn a_file_is_seen_once_it_is_committed() {
    let dir = TempDir::new().unwrap();
    let mut sink = json(&dir, 1, 0);
    assert!(names(&dir).is_empty(), "an epoch without records makes no file");
    assert!(prepare(&mut sink, 1).is_none());
    write(&mut sink, row("a", 1));
    write(&mut sink, row("b\n", 2));
    assert_eq!(names(&dir), [".part-job-000001-000.jsonl.writing"]);
    let prepared = prepare(&mut sink, 2).unwrap();
    assert_eq!(names(&dir), [".part-job-000001-00000002-000.jsonl.pending"]);
    write(&mut sink, row("later", 3));
    commit(&mut sink, &prepared);
    assert_eq!(visible(&dir), ["part-job-000001-00000002-000.jsonl"]);
    let content = &files(dir.path())["part-job-000001-00000002-000.jsonl"];
    assert_eq!(content, "{\"name\":\"a\",\"count\":1}\n{\"name\":\"b\\n\",\"count\":2}\n");
}

#[test]
fn csv_has_a_header_in_each_file() {
    let dir = TempDir::new().unwrap();
    let mut sink = opened(FileSink::csv(dir.path()), context(1, 1, false));
    for (epoch, text) in [(1, "a"), (2, "b,\"c\"")] {
        write(&mut sink, row(text, epoch));
        let prepared = prepare(&mut sink, epoch).unwrap();
        commit(&mut sink, &prepared);
    }
    let files = files(dir.path());
    assert_eq!(files["part-job-000001-00000001-001.csv"], "name,count\na,1\n");
    assert_eq!(files["part-job-000001-00000002-001.csv"], "name,count\n\"b,\"\"c\"\"\",2\n");
}

#[test]
fn a_crash_between_the_phases_loses_and_repeats_nothing() {
    let dir = TempDir::new().unwrap();
    let mut sink = json(&dir, 1, 0);
    write(&mut sink, row("first", 1));
    let first = prepare(&mut sink, 1).unwrap();
    write(&mut sink, row("in no snapshot", 2));
    prepare(&mut sink, 2).unwrap();
    write(&mut sink, row("not even prepared", 3));
    drop(sink);
    assert!(visible(&dir).is_empty());

    // The next run starts from the snapshot of epoch 1; its parallelism may differ.
    let kept: PreparedFile = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
    let mut second = json(&dir, 2, 1);
    commit(&mut second, &kept);
    commit(&mut second, &kept);
    write(&mut second, row("second", 2));
    let prepared = prepare(&mut second, 2).unwrap();
    drop(second);
    let mut third = json(&dir, 3, 0);
    commit(&mut third, &prepared);
    commit(&mut third, &kept);
    let all: String = visible(&dir).iter().map(|name| files(dir.path())[name].clone()).collect();
    assert_eq!(all, "{\"name\":\"first\",\"count\":1}\n{\"name\":\"second\",\"count\":2}\n");
}

#[test]
fn opening_removes_what_no_snapshot_can_know_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let left = [
        ".part-job-000001-000.jsonl.writing",
        ".part-job-000001-00000005-001.jsonl.pending",
        ".part-job-000009-000.jsonl.writing",
        ".part-other-000001-000.jsonl.writing",
        "part-job-000001-00000004-000.jsonl",
        "notes.txt",
    ];
    left.iter().for_each(|name| fs::write(dir.path().join(name), "x").unwrap());
    json(&dir, 2, 1);
    assert_eq!(names(&dir).len(), left.len(), "only one subtask tidies up");
    json(&dir, 2, 0);
    let mut expected = left[1..].to_vec();
    expected.sort_unstable();
    assert_eq!(names(&dir), expected);
}

#[test]
fn readers_see_one_history_if_the_sink_follows_it() {
    let dir = TempDir::new().unwrap();
    let (old, later, of_other) = (
        "part-job-000001-00000004-000.jsonl",
        "part-job-000001-00000005-000.jsonl",
        "part-job-b-000001-00000004-000.jsonl",
    );
    [old, later, of_other].iter().for_each(|name| fs::write(dir.path().join(name), "x").unwrap());
    let starts = |follow: bool, run: u64, past: &[(u64, u64)]| {
        let sink = FileSink::json_lines(dir.path()).follow_history(follow);
        opened(sink, SinkContext { past: past.to_vec(), ..context(run, 0, !past.is_empty()) });
        visible(&dir)
    };
    assert_eq!(starts(false, 2, &[]), [old, later, of_other], "it does not follow");
    assert_eq!(starts(true, 3, &[(1, 4)]), [old, of_other], "somebody went back to epoch 4");
    assert_eq!(starts(true, 4, &[]), [of_other], "a run from nothing");
    assert_eq!(starts(true, 5, &[(3, 9), (1, 5)]), [old, later, of_other], "and on from where it was");
    assert_eq!(starts(true, 1, &[]), [of_other], "a new store numbers its runs anew");
}

#[test]
fn a_file_of_another_job_is_never_overwritten() {
    let dir = TempDir::new().unwrap();
    let mut sink = json(&dir, 1, 0);
    write(&mut sink, row("mine", 1));
    let prepared = prepare(&mut sink, 1).unwrap();
    let path = dir.path().join(&prepared.name);
    fs::write(&path, "theirs").unwrap();
    let error = Sink::<Row>::commit(&mut sink, &prepared).unwrap_err().to_string();
    assert!(error.contains("exists already") && error.contains(&prepared.name), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    fs::remove_file(&path).unwrap();
    commit(&mut sink, &prepared);
    assert!(fs::read_to_string(&path).unwrap().contains("mine"));

    // The same for a prepared one.
    write(&mut sink, row("mine", 2));
    let pending = dir.path().join(".part-job-000001-00000002-000.jsonl.pending");
    fs::write(&pending, "theirs").unwrap();
    assert!(Sink::<Row>::prepare(&mut sink, 2).is_err());
    assert_eq!(fs::read_to_string(&pending).unwrap(), "theirs");
}

#[test]
fn a_committed_file_that_was_taken_away_does_not_come_back() {
    let dir = TempDir::new().unwrap();
    let mut sink = json(&dir, 1, 0);
    write(&mut sink, row("a", 1));
    let prepared = prepare(&mut sink, 1).unwrap();
    commit(&mut sink, &prepared);
    fs::remove_file(dir.path().join(&prepared.name)).unwrap();
    commit(&mut sink, &prepared);
    assert!(names(&dir).is_empty());
}

#[test]
fn the_directory_may_be_moved_before_the_commit() {
    let dir = TempDir::new().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let mut sink = opened(FileSink::json_lines(&old), context(1, 0, false));
    write(&mut sink, row("a", 1));
    let prepared = prepare(&mut sink, 1).unwrap();
    drop(sink);
    fs::rename(&old, &new).unwrap();
    let mut sink = opened(FileSink::json_lines(&new), context(2, 0, true));
    commit(&mut sink, &prepared);
    assert!(new.join(&prepared.name).exists());
}

#[test]
fn a_name_that_leads_out_of_the_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let mut sink = json(&dir, 1, 0);
    for name in ["../x.jsonl", "/etc/x.jsonl", "a/b.jsonl", "..", "", "a/"] {
        let error = Sink::<Row>::commit(&mut sink, &PreparedFile { name: name.into() }).unwrap_err();
        assert!(error.to_string().contains("not a plain file name"), "{name}: {error}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named_at_once() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    for path in [path.clone(), path.join("below")] {
        let mut sink = FileSink::json_lines(&path);
        let error = Sink::<Row>::open(&mut sink, context(1, 0, false), &[]).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("cannot be used"), "{error}");
    }
}

#[test]
fn a_record_that_the_format_cannot_hold_is_an_error() {
    let dir = TempDir::new().unwrap();
    let mut sink = FileSink::csv(dir.path());
    type Nested = BTreeMap<String, u64>;
    Sink::<Nested>::open(&mut sink, context(1, 0, false), &[]).unwrap();
    let error = sink.write(&Nested::from([("a".into(), 1)]), EventTime::MIN).unwrap_err().to_string();
    assert!(error.contains("cannot be written to"), "{error}");
}
