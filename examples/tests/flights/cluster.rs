//! One job as several processes over TCP.

use std::net::TcpListener;

use crate::support::oracle::expected;
use crate::support::run::Run;
use crate::support::scene::{Scene, bundled};

/// Addresses for so many processes, which are free now; nobody else asks for them in the moment until they are used.
fn addresses(processes: usize) -> String {
    let listeners: Vec<_> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    addresses.join(",")
}

/// The processes of a cluster. All must start before any of them runs.
fn cluster(scene: &Scene, processes: usize, options: &str) -> Vec<Run> {
    let hosts = addresses(processes);
    (0..processes).map(|process| scene.start(&format!("--hosts {hosts} --process {process} {options}"))).collect()
}

fn stop(mut processes: Vec<Run>, scene: &Scene) {
    let before = scene.history().newest_sequence();
    let control = processes[0].control();
    processes[0].wait_until("two checkpoints", || scene.history().newest_sequence() >= before + 3);
    control.savepoint(None);
    control.stop(false);
    processes.into_iter().for_each(|process| {
        process.wait().succeeded();
    });
    assert_eq!(scene.history().last().as_deref(), Some("stop"));
}

#[test]
fn two_processes_resume_as_one_two_and_three() {
    let expected = expected(&std::fs::read_to_string(bundled()).unwrap());
    let scene = Scene::new();
    let slow = "--rate 5000 --checkpoint-interval 200ms";
    stop(cluster(&scene, 2, &format!("-p 4 {slow}")), &scene);
    scene.assert_output_so_far(&expected);
    stop(cluster(&scene, 3, &format!("-p 3 {slow} -s flights@latest")), &scene);
    stop(vec![scene.start(&format!("-p 2 {slow} -s flights@latest"))], &scene);
    for process in cluster(&scene, 2, "-p 2 -s flights@latest") {
        process.wait().succeeded();
    }
    scene.assert_output(&expected);
    assert_eq!(scene.history().restores(), 3);
}

#[test]
fn two_processes_run_from_begin_to_end() {
    let scene = Scene::new();
    for process in cluster(&scene, 2, "-p 4") {
        process.wait().succeeded();
    }
    scene.assert_output(&expected(&std::fs::read_to_string(bundled()).unwrap()));
}

#[test]
fn a_process_with_a_store_of_its_own_is_refused() {
    let scene = Scene::new();
    scene.bare("run --store other --output elsewhere --listen off").wait().succeeded();
    for (store, reason) in [("missing", "there is no store at missing"), ("other", "is not the one of process 0")]
    {
        let common = format!("--output output --listen off -p 2 --hosts {}", addresses(2));
        let leader = scene.bare(&format!("run --store store --fresh {common} --process 0"));
        scene.bare(&format!("run --store {store} {common} --process 1")).wait().refused(&[reason]);
        leader.kill();
    }
    assert!(!scene.path("missing").exists());
}
