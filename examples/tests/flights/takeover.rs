//! Two runs under one name: the second is refused, unless it is told to take over; then the first is fenced off.

use crate::support::oracle::expected;
use crate::support::run::Run;
use crate::support::scene::{Scene, bundled};

const SLOW: &str = "-p 2 --rate 1500 --checkpoint-interval 200ms";

fn csv() -> String {
    std::fs::read_to_string(bundled()).unwrap()
}

/// A run that has taken a checkpoint.
fn under_way(scene: &Scene, options: &str) -> Run {
    let mut run = scene.start(options);
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    run
}

#[test]
fn a_second_run_is_refused_and_the_first_goes_on_undisturbed() {
    let scene = Scene::new();
    let mut first = under_way(&scene, SLOW);
    let address = first.control();
    let pid = format!("process {}", first.id());
    let second = scene.start("-p 3").wait();
    assert_eq!(scene.history().all("start").len(), 1, "the log knows nothing of it");
    second.refused(&[
        "'flights' is running already",
        "run 1, since 20",
        &pid,
        "control server at http://127.0.0.1:",
        "millpond stop flights --address http://127.0.0.1:",
        "--name",
        "--take-over",
    ]);
    // Another name is another job.
    scene.bare("run --store store --output other --name other --listen off -p 1 --rate 100000").wait().succeeded();
    assert!(first.is_running());
    address.stop(false);
    first.wait().succeeded();
    scene.finish("-p 1 -s flights@latest");
    scene.assert_output(&expected(&csv()));
}

#[test]
fn without_its_lock_a_run_is_known_by_its_control_server() {
    let scene = Scene::new();
    let mut first = under_way(&scene, SLOW);
    // As on a file system without locks: the second finds none.
    std::fs::remove_file(scene.path("store/jobs/flights/run.lock")).unwrap();
    let pid = format!("process {}", first.id());
    scene.start("-p 3").wait().refused(&["'flights' is running already", "run 1, since 20", &pid]);
    first.control().stop(false);
    first.wait().succeeded();
    scene.finish("-p 3 -s flights@latest");
    scene.assert_output(&expected(&csv()));
}

#[test]
fn a_run_that_was_killed_is_followed_by_the_next_without_a_flag() {
    let scene = Scene::new();
    let first = under_way(&scene, SLOW);
    assert!(first.kill());
    scene.finish("-p 3");
    scene.assert_output(&expected(&csv()));
    assert_eq!(scene.history().restores(), 1);
}

#[test]
fn the_older_run_ends_with_a_message_and_the_output_stays_right() {
    let scene = Scene::new();
    let zombie = under_way(&scene, "-p 2 --rate 4000 --checkpoint-interval 200ms");
    let successor = scene.start("-p 3 --rate 9000 --checkpoint-interval 200ms --take-over");
    zombie.wait().refused(&["flights", "another run"]);
    successor.wait().succeeded();
    scene.assert_output(&expected(&csv()));
    assert_eq!(scene.history().restores(), 1);
}

#[test]
#[cfg(unix)]
fn a_run_that_slept_is_taken_over_from_and_ends_when_it_wakes() {
    let scene = Scene::new();
    let zombie = under_way(&scene, SLOW);
    zombie.signal("STOP");
    // It holds its lock, although it answers nobody.
    scene.start("-p 3").wait().refused(&["'flights' is running already", "run 1", "--take-over"]);
    scene.finish("-p 3 --take-over");
    scene.assert_output(&expected(&csv()));
    zombie.signal("CONT");
    zombie.wait().refused(&["another run of job 'flights' has taken over", "--name"]);
    scene.assert_output(&expected(&csv()));
}

#[test]
fn a_job_begins_anew_if_it_is_told_to() {
    let scene = Scene::new();
    let mut first = under_way(&scene, SLOW);
    let kept = first.control().savepoint(None);
    assert!(first.kill());
    let anew = scene.finish("-p 3 --fresh");
    assert!(anew.stderr.contains("from the beginning"), "{}", anew.stderr);
    scene.assert_output(&expected(&csv()));
    assert_eq!(scene.history().restores(), 0);
    assert!(scene.history().snapshots("savepoint").contains(&kept), "{kept} has been deleted");
}
