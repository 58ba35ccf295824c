//! The entries that a run writes, and how it comes to write them.

use tokio::sync::oneshot;

use super::scene::Scene;
use crate::control::request::{Refusal, Request, RequestKind};
use crate::error::Error;
use crate::job::job::RunningJob;

/// An entry that trouble happens to.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Its kind; and that of the entry that is tried in its place.
    pub(super) kinds: &'static [&'static str],
    pub(super) interval_ms: u64,
    /// Lets a run come to write it, and says how that run ended.
    pub(super) run: fn(&Scene) -> Result<(), Error>,
}

impl Step {
    /// Whether the run comes to a good end if the store is away when it writes this entry, which is `there` nevertheless or
    /// is not.
    pub(super) fn survives(&self, there: bool) -> bool {
        match self.name {
            // Nothing has begun; and nothing is left to be done.
            "start" | "cancel" => false,
            // Whoever asked is told that it failed, and by that the test ends the run.
            "stop's savepoint" | "drained stop's savepoint" => there,
            _ => true,
        }
    }
}

pub(super) const STEPS: &[Step] = &[
    Step { name: "start", kinds: &["start"], interval_ms: 5, run: start },
    Step { name: "checkpoint", kinds: &["checkpoint"], interval_ms: 5, run: to_the_end },
    Step { name: "savepoint", kinds: &["savepoint"], interval_ms: 0, run: savepoint },
    Step {
        name: "savepoint and its failure",
        kinds: &["savepoint", "savepoint-failed"],
        interval_ms: 0,
        run: savepoint,
    },
    Step { name: "promoted savepoint", kinds: &["savepoint"], interval_ms: 0, run: promote },
    Step { name: "stop's savepoint", kinds: &["savepoint"], interval_ms: 0, run: stop },
    Step { name: "drained stop's savepoint", kinds: &["savepoint"], interval_ms: 0, run: drain },
    Step { name: "stop", kinds: &["stop"], interval_ms: 0, run: stop },
    Step { name: "drained stop", kinds: &["stop"], interval_ms: 0, run: drain },
    Step { name: "last checkpoint", kinds: &["checkpoint"], interval_ms: 0, run: to_the_end },
    Step { name: "finish", kinds: &["finish"], interval_ms: 0, run: to_the_end },
    Step { name: "cancel", kinds: &["cancel"], interval_ms: 0, run: cancel },
    Step { name: "failure", kinds: &["failure"], interval_ms: 0, run: fail },
];

fn start(scene: &Scene) -> Result<(), Error> {
    scene.arm();
    scene.to_the_end(scene.start()?)
}

fn to_the_end(scene: &Scene) -> Result<(), Error> {
    scene.to_the_end(scene.running())
}

fn savepoint(scene: &Scene) -> Result<(), Error> {
    let running = scene.running();
    scene.pass(&running, 200);
    scene.told(&running.savepoint());
    scene.to_the_end(running)
}

fn promote(scene: &Scene) -> Result<(), Error> {
    let running = scene.running();
    scene.told(&newest(&running));
    scene.to_the_end(running)
}

/// Makes a savepoint of the newest snapshot.
fn newest(running: &RunningJob) -> Result<String, Error> {
    let (reply, answer) = oneshot::channel();
    let kind = RequestKind::Savepoint { tag: None, latest: true, cancel: false };
    let request = Request { id: None, kind, requested_by: None, reply };
    let gone = || Error::failed("the job has ended");
    running.requests().blocking_send(request).map_err(|_| gone())?;
    let id = answer.blocking_recv().map_err(|_| gone())?.map_err(|Refusal(reason)| Error::failed(reason))?;
    running.outcome(&id)
}

fn stop(scene: &Scene) -> Result<(), Error> {
    end(scene, false)
}

fn drain(scene: &Scene) -> Result<(), Error> {
    end(scene, true)
}

fn end(scene: &Scene, drain: bool) -> Result<(), Error> {
    let running = scene.running();
    scene.pass(&running, 200);
    let id = running.begin_stop(drain)?;
    let savepoint = running.outcome(&id);
    scene.told(&savepoint);
    match savepoint {
        Ok(_) => running.wait().map(drop),
        // The job may go on. If it has a successor, it ends, and says so.
        Err(error) => match running.interrupt() {
            Ok(_) => Err(error),
            Err(ended) => Err(ended),
        },
    }
}

fn cancel(scene: &Scene) -> Result<(), Error> {
    let running = scene.running();
    scene.pass(&running, 200);
    running.cancel().map(drop)
}

fn fail(scene: &Scene) -> Result<(), Error> {
    let running = scene.running();
    scene.break_once();
    scene.to_the_end(running)
}
