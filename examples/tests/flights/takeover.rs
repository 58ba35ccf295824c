//! Two runs under one name: the second takes over, the first is fenced off.

use crate::support::oracle::expected;
use crate::support::scene::{Scene, bundled};

#[test]
fn the_older_run_ends_with_a_message_and_the_output_stays_right() {
    let scene = Scene::new();
    let mut zombie = scene.start("-p 2 --rate 4000 --checkpoint-interval 200ms");
    zombie.wait_until("a checkpoint", || !scene.history().snapshots("checkpoint").is_empty());
    let successor = scene.start("-p 3 --rate 9000 --checkpoint-interval 200ms");
    zombie.wait().refused(&["flights", "another run"]);
    successor.wait().succeeded();
    scene.assert_output(&expected(&std::fs::read_to_string(bundled()).unwrap()));
    assert_eq!(scene.history().restores(), 1);
}
