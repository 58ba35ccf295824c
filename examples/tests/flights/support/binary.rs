//! Where the built programs stand.
//!
//! Cargo builds the examples and commands of a workspace along with its tests, but not when a single test is asked
//! for. So a program that is missing, or older than what it is made of, is built here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::SystemTime;

/// The `flights` example.
#[allow(dead_code, reason = "each test program uses some of these")]
pub(crate) fn flights() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| example("flights"));
    &PATH
}

/// The `bootstrap` example.
#[allow(dead_code, reason = "each test program uses some of these")]
pub(crate) fn bootstrap() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| example("bootstrap"));
    &PATH
}

/// An example, by its name. Each call looks whether it is to be built.
pub(crate) fn example(name: &str) -> PathBuf {
    built(&format!("examples/{name}"))
}

/// The `millpond` command.
#[allow(dead_code, reason = "each test program uses some of these")]
pub(crate) fn millpond() -> &'static Path {
    static PATH: LazyLock<PathBuf> = LazyLock::new(|| built("millpond"));
    &PATH
}

/// The program at `path` in the folder of the build profile that this test was built with.
fn built(path: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests stand in PROFILE/deps");
    let program = profile.join(path).with_extension(std::env::consts::EXE_EXTENSION);
    if !is_fresh(&program) {
        let release = profile.file_name().is_some_and(|name| name == "release");
        let mut build = Command::new(env!("CARGO"));
        // Of a package alone the dependencies may have other features, and all would be built once more. So they would
        // with what cargo tells this test of itself: there are build scripts that look at it.
        build.args(["build", "--workspace", "--bins", "--examples"]).args(release.then_some("--release"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
                build.env_remove(&name);
            }
        }
        let status = build.current_dir(std::env::var("CARGO_MANIFEST_DIR").unwrap()).status().unwrap();
        assert!(status.success(), "{} could not be built", program.display());
    }
    assert!(
        program.is_file(),
        "{} was not built: set CARGO_TARGET_DIR as it was for this test",
        program.display()
    );
    program
}

/// Whether the program is no older than the source files that cargo notes beside it.
fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let Some(built) = changed(program) else { return false };
    let Ok(notes) = std::fs::read_to_string(program.with_extension("d")) else { return false };
    let Some((_, sources)) = notes.trim_end().split_once(": ") else { return false };
    sources
        .split(' ')
        .map(|path| changed(Path::new(path)))
        .all(|time: Option<SystemTime>| time.is_some_and(|t| t <= built))
}
