//! The ways in which a run ends before its input does.

use crate::support::oracle::{expected, head};
use crate::support::output;
use crate::support::run::Run;
use crate::support::scene::{Scene, bundled};

const SLOW: &str = "-p 2 --rate 9000 --checkpoint-interval 200ms";

fn csv() -> String {
    std::fs::read_to_string(bundled()).unwrap()
}

/// Starts a slow run, and comes back when it has taken a checkpoint.
fn under_way(scene: &Scene, options: &str) -> Run {
    let mut run = scene.start(&format!("{SLOW} {options}"));
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    run
}

#[test]
fn a_drained_job_has_fired_every_window_of_what_it_has_read() {
    let csv = csv();
    let scene = Scene::new();
    let mut run = under_way(&scene, "");
    run.control().stop(true);
    run.wait().succeeded();
    let rows: usize = output::carriers(&scene.path("output")).values().map(Vec::len).sum();
    assert!(rows > 0, "nothing was read");
    scene.assert_output(&expected(&head(&csv, rows)));
    assert_eq!(scene.history().all("stop")[0]["drained"], true);
}

#[test]
fn a_cancelled_job_just_ends_and_starts_afresh() {
    let expected = expected(&csv());
    let scene = Scene::new();
    let mut run = under_way(&scene, "");
    run.control().cancel();
    run.wait().succeeded();
    assert_eq!(scene.history().last().as_deref(), Some("cancel"));
    assert_eq!(scene.history().snapshots("checkpoint"), [""; 0], "its checkpoints are left behind");
    scene.finish("-p 2");
    scene.assert_output(&expected);
    assert_eq!(scene.history().restores(), 0);
}

#[test]
fn whoever_forgets_the_savepoint_of_a_stopped_job_is_reminded() {
    let scene = Scene::new();
    let mut run = under_way(&scene, "");
    let savepoint = run.control().stop(false);
    run.wait().succeeded();
    let reminder = format!("begins anew, although there is {savepoint}");
    let begin = |options: &str| {
        let mut run = under_way(&scene, options);
        run.control().cancel();
        run.wait().succeeded().stderr
    };
    assert!(begin("").contains(&reminder));
    assert!(!begin("--fresh").contains(&reminder), "who says so means it");
    assert!(!begin(&format!("-s {savepoint}")).contains(&reminder));
}

#[test]
fn a_retained_checkpoint_is_good_for_going_on() {
    let scene = Scene::new();
    let mut run = under_way(&scene, "--retain-on-cancel");
    run.control().cancel();
    run.wait().succeeded();
    let checkpoints = scene.history().snapshots("checkpoint");
    assert_eq!(checkpoints.len(), 1, "one is kept by default");
    scene.finish(&format!("-p 3 -s {}", checkpoints[0]));
    scene.assert_output(&expected(&csv()));
}

#[test]
fn as_many_checkpoints_are_kept_as_are_asked_for() {
    let scene = Scene::new();
    let mut run = scene.start(&format!("{SLOW} --retain 3"));
    let mut most = 0;
    run.wait_until("five checkpoints", || {
        let history = scene.history();
        most = most.max(history.snapshots("checkpoint").len());
        history.newest_sequence() > 6
    });
    assert!(run.kill());
    // The newest is published before the oldest is removed.
    assert!((3..=4).contains(&most), "there were {most} checkpoints at a time");
}

#[test]
fn ctrl_c_says_how_to_go_on() {
    let scene = Scene::new();
    let run = under_way(&scene, "");
    run.signal("INT");
    let ended = run.wait();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("continue"), "the last line does not say how to go on:\n{}", ended.stderr);
    scene.finish("-p 3");
    scene.assert_output(&expected(&csv()));
    assert_eq!(scene.history().restores(), 1);
}
