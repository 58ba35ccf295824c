//! The coordinator: begins epochs, collects acknowledgements, publishes snapshots in the job's log.
//!
//! It runs in process 0 and owns the log. An attempt is one set of workers; after a failure the restart strategy says
//! whether there is another, which starts from the newest snapshot.
//!
//! * [`assembly`]: what the next snapshot consists of (pure). * [`pending`]: the snapshot under way.
//! * [`history`]: the job's log, and what may be removed from it. * [`idle`]: idle sources.
//! * [`drive`]: one attempt, event by event, and what it is asked for meanwhile.
//! * [`compact`]: folding deltas together in the background.

pub(crate) mod assembly;
pub(crate) mod compact;
pub(crate) mod drive;
pub(crate) mod history;
pub(crate) mod idle;
pub(crate) mod pending;
pub(crate) mod publish;
