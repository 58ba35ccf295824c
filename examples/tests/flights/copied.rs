//! A savepoint that was copied to another store by a command that was killed on the way: a job starts from the copy.

use std::process::Command;
use std::time::Duration;

use crate::fork::assert_counts_on;
use crate::support::binary;
use crate::support::scene::Scene;

#[test]
fn a_job_starts_from_a_copy_whose_making_was_killed() {
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 200ms");
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    let savepoint = run.control().stop(false);
    run.wait().succeeded();

    let copy = || {
        let mut command = Command::new(binary::millpond());
        command.args(["snapshots", "copy", "--store", "store", &savepoint, "./elsewhere"]);
        command.current_dir(scene.path("."));
        command
    };
    // From before it has begun to after it has come to its end.
    let mut killed = 0;
    for moment in 0..12 {
        let mut child = copy().spawn().unwrap();
        std::thread::sleep(Duration::from_millis(25 * moment));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
    }
    assert!(killed > 0, "it was always too fast");
    assert!(copy().status().unwrap().success());
    assert_eq!(std::fs::read_dir(scene.path("elsewhere/jobs/flights/log")).unwrap().count(), 1);

    let from_copy = "run --store elsewhere --output counted-on --listen 127.0.0.1:0 -p 3 -s flights@1";
    scene.bare(from_copy).wait().succeeded();
    assert_counts_on(&scene.path("counted-on"));
}
