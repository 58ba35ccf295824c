//! Input that grows while it is read.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use crate::support::oracle::{expected, head};
use crate::support::output;
use crate::support::scene::{Scene, bundled};

#[test]
fn what_is_appended_is_read_once_its_line_is_whole() {
    let csv = head(&std::fs::read_to_string(bundled()).unwrap(), 600);
    let (early, late) = csv.split_at(csv.len() / 2);
    assert!(!early.ends_with('\n'), "the first part must end in the middle of a line");
    let scene = Scene::new();
    std::fs::create_dir(scene.path("in")).unwrap();
    scene.write("in/a.csv", early);
    let mut run = scene.start("-p 2 --input in --follow --checkpoint-interval 100ms");
    let control = run.control();
    let whole_lines = early.lines().count() - 2;
    let read = || output::carriers(&scene.path("output")).values().map(Vec::len).sum::<usize>();
    run.wait_until("the whole lines", || read() == whole_lines);
    // Another file, and the rest of the first one.
    scene.write("in/b.csv", &csv);
    OpenOptions::new().append(true).open(scene.path("in/a.csv")).unwrap().write_all(late.as_bytes()).unwrap();
    run.wait_until("both files", || read() == 1200);
    control.stop(true);
    run.wait().succeeded();
    let twice = csv.clone() + csv.split_once('\n').unwrap().1;
    scene.assert_output(&expected(&twice));
}

#[test]
#[cfg(target_os = "linux")]
fn an_idle_job_leaves_the_processor_alone() {
    let scene = Scene::new();
    scene.write("in.csv", head(&std::fs::read_to_string(bundled()).unwrap(), 500));
    let mut run = scene.start("-p 4 --input in.csv --follow");
    run.wait_until("the rows that there are", || {
        output::carriers(&scene.path("output")).values().map(Vec::len).sum::<usize>() == 500
    });
    let ticks = |run: &crate::support::run::Run| -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", run.id())).unwrap();
        // The fields after the name, which stands in parentheses: user and system time are the 12th and 13th.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks(&run);
    std::thread::sleep(Duration::from_secs(2));
    let used = ticks(&run) - before;
    // A hundred ticks a second: one busy worker would use two hundred.
    assert!(used < 60, "an idle job used {used} ticks in two seconds");
}
