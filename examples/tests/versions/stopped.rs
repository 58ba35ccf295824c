//! The old program does not come to its end: it is stopped while it runs, as it is in life.

use crate::expected::{after_second, key, last, sum};
use crate::scene::{FIRST, SECOND, Scene};

#[test]
fn a_running_program_is_stopped_and_the_new_one_goes_on_in_the_middle() {
    let scene = Scene::new();
    let mut run = scene.start("run", "total", "-p 2 --follow --listen 127.0.0.1:0 --checkpoint-interval 0s");
    let control = run.control();
    let first = FIRST.count() as u64;
    run.wait_until("the first numbers", || control.records_read() == first);
    let savepoint = control.stop(false);
    run.wait().succeeded();
    assert_eq!(scene.history().last().as_deref(), Some("stop"));
    let before = scene.files();
    assert_eq!(scene.put_out_since(&Default::default()).len() as u64, first);

    scene.write_numbers("second", SECOND);
    let checked = scene.check("total-widened", &format!("-s {savepoint}"));
    assert_eq!(checked.status.code(), Some(0), "{}{}", checked.stdout, checked.stderr);
    scene.run("total-widened", &format!("-p 3 -s {savepoint}")).succeeded();
    let expected = after_second(key, |first, second| {
        serde_json::json!({
            "sum": sum(first) + (sum(second) << 32),
            "mean": (sum(first) + sum(second)) as f64 / 4.0,
            "label": format!("n{}", last(second)),
        })
    });
    let mut found: Vec<String> = scene.put_out_since(&before).iter().map(ToString::to_string).collect();
    let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
