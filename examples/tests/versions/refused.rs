//! What a run that is refused leaves behind, where it would begin under another name or from elsewhere: nothing.

use std::collections::BTreeMap;

use millpond_snapshot::Store;
use millpond_snapshot::repository::{export, resolve};
use millpond_snapshot::store::OpenMode;

use crate::scene::Scene;

fn refused(scene: &Scene, options: &str) {
    let before = scene.files();
    scene.run("total-narrowed", options).refused(&["value.sum was i32 and is now i16"]);
    let new: BTreeMap<_, _> = scene.files().into_iter().filter(|(path, _)| !before.contains_key(path)).collect();
    assert_eq!(new.keys().collect::<Vec<_>>(), [""; 0]);
    assert!(scene.files() == before, "something was changed");
}

#[test]
fn a_fork_that_does_not_fit_is_not_noted_with_the_first_job() {
    let scene = Scene::new();
    scene.run("total", "-p 2").succeeded();
    refused(&scene, "-s versions@latest --name another");
    refused(&scene, "-s versions@latest");
}

#[test]
fn a_directory_that_does_not_fit_is_not_copied_into_the_store() {
    let scene = Scene::new();
    scene.run("total", "-p 2").succeeded();
    let (store, exported) = (scene.path("store"), scene.path("exported"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(store.to_str().unwrap(), OpenMode::Existing).await.unwrap();
        let snapshot = resolve(&store, "versions@latest").await.unwrap();
        export(&snapshot, exported.to_str().unwrap(), |_, _| {}).await.unwrap();
    });
    refused(&scene, "-s ./exported --name another");
    scene.run("total", "-s ./exported --name another").succeeded();
}
