//! The thread of a worker that writes its part of snapshots.
//!
//! One thread a worker, and one queue: parts become durable in the order in which they were frozen, so that a later
//! delta never comes before an earlier one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, EncodedChunk, StateKind, encode_chunk};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, StateName, Store};
use tokio::runtime::Handle;

use super::mailbox::Outbox;
use super::message::{Acknowledgement, StatePart, ToCoordinator};
use crate::error::Error;
use crate::state::rows::KeyedRows;

/// About how many rows a chunk has at most.
const CHUNK_ROWS: usize = 1 << 20;

/// A subtask's part of a snapshot, copied and ready to be written.
pub(crate) struct Part {
    pub(crate) job: JobName,
    pub(crate) epoch: u64,
    pub(crate) operator: usize,
    /// For messages.
    pub(crate) uid: String,
    pub(crate) subtask: usize,
    pub(crate) range: HashRange,
    /// Whether the last part was lost, so that this one holds everything.
    pub(crate) whole: bool,
    pub(crate) keyed: Vec<(StateName, StateKind, KeyedRows)>,
    pub(crate) operator_states: Vec<(StateName, Vec<String>)>,
    /// Set if the part could not be written: the next one must then be whole.
    pub(crate) lost: Arc<AtomicBool>,
}

/// Writes parts, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Part>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `outbox` gets an acknowledgement for each part.
    pub(crate) fn start(worker: usize, store: Store, handle: Handle, outbox: Outbox) -> Result<Self, Error> {
        let (queue, parts) = mpsc::channel::<Part>();
        let thread = std::thread::Builder::new()
            .name(format!("snapshot-{worker}"))
            .spawn(move || {
                for part in parts {
                    let (epoch, operator, lost) = (part.epoch, part.uid.clone(), Arc::clone(&part.lost));
                    let written = catch_unwind(AssertUnwindSafe(|| write(part, &store, &handle)));
                    outbox.send(written.unwrap_or_else(|_| {
                        lost.store(true, Ordering::Relaxed);
                        ToCoordinator::Declined { epoch, operator, reason: "writing it panicked".to_owned() }
                    }));
                }
            })
            .map_err(|error| Error::failed(format!("no thread for snapshots could be started: {error}")))?;
        Ok(Writer { queue: Some(queue), thread: Some(thread) })
    }

    pub(crate) fn submit(&self, part: Part) {
        if let Some(queue) = &self.queue {
            // The thread lives as long as the queue.
            let _ = queue.send(part);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(part: Part, store: &Store, handle: &Handle) -> ToCoordinator {
    let Part { job, epoch, operator, uid, subtask, range, whole, keyed, operator_states, lost } = part;
    if !whole && lost.load(Ordering::Relaxed) {
        // It was frozen before the loss was known, as a change to a part that no snapshot has.
        let reason =
            "an earlier part was lost, so that this one is not enough; the next one will be whole".to_owned();
        return ToCoordinator::Declined { epoch, operator: uid, reason };
    }
    match write_keyed(&job, keyed, range, store, handle) {
        Ok(mut states) => {
            let rows = operator_states.into_iter();
            states.extend(rows.map(|(name, rows)| StatePart { name, chunks: Vec::new(), rows }));
            ToCoordinator::Acknowledged(Acknowledgement { epoch, operator, subtask, states })
        }
        Err(error) => {
            lost.store(true, Ordering::Relaxed);
            ToCoordinator::Declined { epoch, operator: uid, reason: error.to_string() }
        }
    }
}

/// Writes all states of a part in one go, so that small ones share an object.
fn write_keyed(
    job: &JobName,
    keyed: Vec<(StateName, StateKind, KeyedRows)>,
    range: HashRange,
    store: &Store,
    handle: &Handle,
) -> Result<Vec<StatePart>, Error> {
    let mut names = Vec::new();
    let mut chunks = Vec::new();
    for (name, state, rows) in keyed {
        let encoded = encode(job, state, rows, range)?;
        names.push((name, encoded.len()));
        chunks.extend(encoded);
    }
    let mut references = handle.block_on(store.put_chunks(chunks))?.into_iter();
    let part =
        |(name, count)| StatePart { name, chunks: references.by_ref().take(count).collect(), rows: Vec::new() };
    Ok(names.into_iter().map(part).collect())
}

/// Encodes the rows of one state: nothing if nothing changed, several chunks if there are many.
fn encode(job: &JobName, state: StateKind, rows: KeyedRows, range: HashRange) -> Result<Vec<EncodedChunk>, Error> {
    if rows.is_empty() && !rows.whole {
        return Ok(Vec::new());
    }
    let kind = if rows.whole { ChunkKind::Base } else { ChunkKind::Delta };
    let parts = rows.into_batches(range, CHUNK_ROWS)?;
    parts
        .into_iter()
        .map(|(range, batch)| {
            let meta = ChunkMeta { job: job.clone(), state, kind, range };
            Ok(encode_chunk(&batch.schema(), [batch], &meta)?)
        })
        .collect()
}
