//! What the end-to-end tests share. They know the job as its user does: a program, its output, its store, its REST
//! address; nothing of the engine is called.
//!
//! * [`binary`]: where the built programs stand.
//! * [`scene`]: a directory of its own for each test, with a store and an output in it.
//! * [`run`]: a running program: what it says, how it ends.
//! * [`control`]: its control server.
//! * [`history`]: its log, read as the JSON files that it is.
//! * [`output`]: what it committed, and a watch on the folders while it works.
//! * [`oracle`]: what it should have committed, computed without it.

pub(crate) mod binary;
pub(crate) mod control;
pub(crate) mod history;
pub(crate) mod oracle;
pub(crate) mod output;
pub(crate) mod run;
pub(crate) mod scene;

use std::time::{Duration, Instant};

/// How long a test waits for what must come. Far longer than it takes: a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
