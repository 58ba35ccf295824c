//! A savepoint as the beginning of another job, while the first one goes on.

use crate::support::oracle::expected;
use crate::support::output;
use crate::support::scene::{Scene, bundled};

#[test]
fn a_fork_counts_on_from_its_savepoint_and_leaves_the_original_alone() {
    let expected = expected(&std::fs::read_to_string(bundled()).unwrap());
    let scene = Scene::new();
    let mut run = scene.start("-p 2 --rate 9000 --checkpoint-interval 200ms");
    let control = run.control();
    run.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    control.savepoint(Some("branch"));
    run.wait().succeeded();

    scene
        .bare("run --store store --output fork --name fork --listen 127.0.0.1:0 -p 3 -s flights#branch")
        .wait()
        .succeeded();
    scene.assert_output(&expected);
    let carriers = output::carriers(&scene.path("fork"));
    assert!(!carriers.is_empty());
    for (carrier, running) in carriers {
        let (first, last) = (running[0], running[running.len() - 1]);
        assert_eq!(last, expected.carriers[&carrier], "carrier {carrier}");
        assert_eq!(last.0 - first.0 + 1, running.len() as u64, "carrier {carrier} has gaps");
    }
    let hourly = output::hourly(&scene.path("fork"));
    assert!(!hourly.is_empty());
    output::assert_part_of(&scene.path("fork"), &expected);
}
