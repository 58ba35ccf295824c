//! A savepoint in the middle, a stop, and on with more or fewer workers.

use crate::support::binary;
use crate::support::oracle::expected;
use crate::support::scene::{Scene, bundled};

#[test]
fn a_stopped_job_goes_on_at_another_parallelism() {
    let expected = expected(&std::fs::read_to_string(bundled()).unwrap());
    for (before, after) in [(1, 3), (3, 2), (2, 4), (4, 1)] {
        let scene = Scene::new();
        let mut run = scene.start(&format!("-p {before} --rate 9000 --checkpoint-interval 200ms"));
        let control = run.control();
        run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
        let savepoint = control.savepoint(None);
        let last = control.stop(false);
        run.wait().succeeded();
        assert_eq!(scene.history().last().as_deref(), Some("stop"));
        assert_eq!(scene.history().snapshots("savepoint"), [savepoint.clone(), last]);
        scene.assert_output_so_far(&expected);

        scene.finish(&format!("-p {after} -s flights@latest"));
        scene.assert_output(&expected);
        assert_eq!(scene.history().restores(), 1);
        assert!(scene.history().snapshots("savepoint").contains(&savepoint), "{savepoint} has been deleted");
    }
}

#[test]
fn the_millpond_command_takes_the_savepoint_and_stops_the_job() {
    let expected = expected(&std::fs::read_to_string(bundled()).unwrap());
    // It may have to be built first; the job would not wait for that.
    binary::millpond();
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 3000");
    let control = run.control();
    let list = control.command("list").succeeded();
    assert!(list.stdout.contains("flights"), "{}", list.stdout);
    let taken = control.command("savepoint flights --tag half-way").succeeded();
    let savepoints = scene.history().snapshots("savepoint");
    assert_eq!(savepoints.len(), 1);
    assert!(taken.stdout.contains(&savepoints[0]), "it does not say {}: {}", savepoints[0], taken.stdout);
    control.command("stop flights").succeeded();
    run.wait().succeeded();

    let fits = scene.bare("check --store store -s flights@latest").wait();
    assert_eq!(fits.status.code(), Some(0), "{}\n{}", fits.stdout, fits.stderr);
    scene.finish("-p 3 -s flights@latest");
    scene.assert_output(&expected);
}

#[test]
fn going_back_to_a_savepoint_leaves_one_history() {
    let expected = expected(&std::fs::read_to_string(bundled()).unwrap());
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 100ms");
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    let savepoint = control.savepoint(None);
    let taken = scene.history().newest_sequence();
    // More is committed after the savepoint, and then the process dies.
    run.wait_until("three checkpoints", || scene.history().newest_sequence() >= taken + 3);
    assert!(run.kill(), "it had ended already");
    scene.finish(&format!("-p 3 -s {savepoint}"));
    scene.assert_output(&expected);
    // And once more from there, now that all has been put out.
    scene.finish(&format!("-p 1 -s {savepoint}"));
    scene.assert_output(&expected);
}
