//! A job that has ended leaves no thread behind. Alone in its file, because it counts the threads of the process.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use millpond::{Generator, Job, RunEnd, RunOptions, StateBackend, Stdout, WatermarkStrategy};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn no_thread_is_left_behind() {
    let before = threads();
    let job = Job::new("endless", |env| {
        env.source(Generator::new(None, 2, |n| n).rate(1000.0), WatermarkStrategy::none())
            .uid("numbers")
            .key_by(|n| n % 10)
            .count()
            .uid("count")
            .filter(|_| false)
            .sink(Stdout::new())
            .uid("out");
        Ok(())
    });
    let options = |store: &str| RunOptions {
        parallelism: Some(3),
        store: Some(format!("memory://threads-{store}")),
        checkpoint_interval: Duration::from_millis(20),
        // Which has threads of its own.
        state_backend: StateBackend::Disk,
        state_cache: 1,
        ..RunOptions::default()
    };
    let stopped = job.start(options("stopped")).unwrap();
    assert!(threads() > before, "a running job has threads");
    assert!(matches!(stopped.stop(false).unwrap().end, RunEnd::Stopped(_)));
    job.start(options("cancelled")).unwrap().cancel().unwrap();
    job.start(options("interrupted")).unwrap().interrupt().unwrap();

    // The system takes a moment to forget a thread that has ended.
    let until = Instant::now() + Duration::from_secs(10);
    while threads() > before {
        assert!(Instant::now() < until, "{} threads before, {} after", before, threads());
        std::thread::sleep(Duration::from_millis(5));
    }
}
