//! Two runs of one job in one process, by the library's API.

use std::time::Duration;

use millpond::{ErrorKind, Generator, Job, RunEnd, RunOptions, RunningJob, Stdout, WatermarkStrategy};

fn job() -> Job {
    Job::new("live", |env| {
        let ticks = Generator::new(None, 1, |index| index).rate(200.0);
        env.source(ticks, WatermarkStrategy::none()).uid("ticks").filter(|_| false).sink(Stdout::new()).uid("out");
        Ok(())
    })
}

fn options(store: &str) -> RunOptions {
    RunOptions {
        store: Some(store.to_owned()),
        checkpoint_interval: Duration::from_millis(20),
        ..RunOptions::default()
    }
}

fn refused(store: &str) {
    let error = job().start(options(store)).err().expect("a run is live");
    assert_eq!(error.kind(), ErrorKind::AlreadyRunning, "{error}");
    let message = error.to_string();
    for part in ["'live' is running already", "run 1, since", "--take-over", &std::process::id().to_string()] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

fn one_is_live(store: &str) {
    let first: RunningJob = job().start(options(store)).unwrap();
    refused(store);
    // Another job is another matter.
    let other = RunOptions { name: Some("other".into()), ..options(store) };
    job().start(other).unwrap().cancel().unwrap();
    assert!(!first.has_ended());
    first.interrupt().unwrap();

    // What was interrupted, as by a crash, goes on at once; and gives way to who takes over.
    let second = job().start(options(store)).unwrap();
    let third = job().start(RunOptions { take_over: true, ..options(store) }).unwrap();
    let error = second.wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(third.cancel().unwrap().end, RunEnd::Cancelled);
}

#[test]
fn in_memory() {
    one_is_live("memory://live");
}

#[test]
fn in_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    one_is_live(&directory.path().join("store").display().to_string());
}

#[test]
fn who_took_over_holds_the_lock_once_the_other_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store").display().to_string();
    let first = job().start(options(&store)).unwrap();
    let second = job().start(RunOptions { take_over: true, ..options(&store) }).unwrap();
    assert_eq!(first.wait().unwrap_err().kind(), ErrorKind::Fenced);
    let path = directory.path().join("store/jobs/live/run.lock");
    let held = || {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock))
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !held() {
        assert!(std::time::Instant::now() < deadline, "it never took the lock");
        std::thread::sleep(Duration::from_millis(50));
    }
    second.cancel().unwrap();
    assert!(!held(), "it gives the lock back");
}
