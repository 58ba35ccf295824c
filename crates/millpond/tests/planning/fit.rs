//! What is decided before anything runs: uids, names of states, and whether a snapshot fits.

use millpond::{Collect, Error, ErrorKind, IteratorSource, Job, RunOptions, WatermarkStrategy};

/// Counts by parity under one uid, and by remainder under another one, if that is given.
fn job(first: &'static str, second: Option<&'static str>, out: &Collect<(u64, u64)>) -> Job {
    let out = out.clone();
    Job::new("planned", move |env| {
        let numbers = env.source(IteratorSource::new(|| 0..12_u64), WatermarkStrategy::none()).uid("numbers");
        numbers.clone().key_by(|n| n % 2).count().uid(first).sink(out.sink()).uid("out");
        if let Some(uid) = second {
            numbers.key_by(|n| n % 3).count().uid(uid);
        }
        Ok(())
    })
}

fn options(store: &str) -> RunOptions {
    RunOptions { store: Some(format!("memory://planning-{store}")), ..RunOptions::default() }
}

fn refused(job: &Job, options: RunOptions, kind: ErrorKind, reasons: &[&str]) {
    let error: Error = job.run(options).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for reason in reasons {
        assert!(error.to_string().contains(reason), "expected '{reason}' in: {error}");
    }
}

/// A store with a finished run of a job with the operators `parity` and `thirds`; gives its last snapshot.
fn taken(store: &str) -> String {
    let report = job("parity", Some("thirds"), &Collect::new()).run(options(store)).unwrap();
    report.snapshot.unwrap()
}

#[test]
fn a_uid_is_given_once() {
    let twice = job("same", Some("same"), &Collect::new());
    refused(&twice, options("uid"), ErrorKind::Job, &["two operators have the uid 'same'"]);
}

#[test]
fn a_state_has_a_name_of_its_own() {
    let job = Job::new("planned", |env| {
        env.source(IteratorSource::new(|| 0..3_u64), WatermarkStrategy::none())
            .key_by(|n| *n)
            .process_fn(|setup| {
                let (a, b) = (setup.value::<u64>("total"), setup.value::<u64>("total"));
                move |n: &u64, context: &mut millpond::KeyedContext<'_, u64, u64, ()>| {
                    a.set(*n);
                    b.set(*n);
                    context.emit(*n);
                    Ok(())
                }
            })
            .uid("totals");
        Ok(())
    });
    refused(&job, options("state"), ErrorKind::Job, &["two states called 'total'", "totals"]);
}

#[test]
fn strict_uids_want_one_for_each_operator_with_state() {
    let job = Job::new("planned", |env| {
        env.source(IteratorSource::new(|| 0..3_u64), WatermarkStrategy::none())
            .uid("numbers")
            .key_by(|n| *n)
            .count();
        Ok(())
    });
    refused(
        &job,
        RunOptions { strict_uids: true, ..options("strict") },
        ErrorKind::Job,
        &["--strict-uids", ".uid("],
    );
}

#[test]
fn state_that_nobody_takes_refuses_the_start() {
    let from = || Some(taken("vanished"));
    let smaller = job("parity", None, &Collect::new());
    let start = || RunOptions { from: from(), ..options("vanished") };
    refused(&smaller, start(), ErrorKind::Snapshot, &["thirds/count", "--drop", "--allow-non-restored-state"]);
    smaller.run(RunOptions { allow_non_restored: true, ..start() }).unwrap();
    smaller.run(RunOptions { drop: vec![("thirds".to_owned(), None)], ..start() }).unwrap();
    let unknown = vec![("fifths".to_owned(), None)];
    refused(&smaller, RunOptions { drop: unknown, ..start() }, ErrorKind::Input, &["fifths", "parity"]);
}

#[test]
fn a_renamed_operator_takes_its_state_up_if_it_is_told_to() {
    let from = Some(taken("renamed"));
    let out = Collect::new();
    let renamed = job("odd-or-even", Some("thirds"), &out);
    let start = RunOptions { from, ..options("renamed") };
    refused(&renamed, start.clone(), ErrorKind::Snapshot, &["parity/count", "add: --map 'parity=odd-or-even'"]);
    assert!(out.items().is_empty(), "nothing has run");
    renamed.run(RunOptions { map: vec![("parity".to_owned(), "odd-or-even".to_owned())], ..start }).unwrap();
}
