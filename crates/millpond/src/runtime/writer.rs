//! The thread of a worker that writes its part of snapshots.
//!
//! One thread a worker, and one queue: parts become durable in the order in which they were frozen, so that a later
//! delta never comes before an earlier one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use millpond_snapshot::chunk::{ChunkKind, ChunkMeta, ChunkRef, EncodedChunk, StateKind, encode_chunk};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, StateName, Store};
use tokio::runtime::Handle;

use super::mailbox::Outbox;
use super::message::{Acknowledgement, StatePart, ToCoordinator};
use crate::error::Error;
use crate::state::rows::KeyedRows;
use crate::state::spill::part::SpilledPart;

/// About how many rows a chunk has at most.
const CHUNK_ROWS: usize = 1 << 20;

/// So many bytes of chunks are written before more are encoded.
const WAITING_BYTES: usize = 64 << 20;

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
    /// What keys have that are not resident; it counts before what `keyed` has.
    pub(crate) spilled: Option<SpilledPart>,
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
    let Part { job, epoch, operator, uid, subtask, range, whole, spilled, keyed, operator_states, lost } = part;
    if !whole && lost.load(Ordering::Relaxed) {
        // It was frozen before the loss was known, as a change to a part that no snapshot has.
        let reason =
            "an earlier part was lost, so that this one is not enough; the next one will be whole".to_owned();
        return ToCoordinator::Declined { epoch, operator: uid, reason };
    }
    match write_keyed(&job, spilled, keyed, range, store, handle) {
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

/// Writes all states of a part in one go, so that small ones share an object; what is large goes before.
fn write_keyed(
    job: &JobName,
    spilled: Option<SpilledPart>,
    keyed: Vec<(StateName, StateKind, KeyedRows)>,
    range: HashRange,
    store: &Store,
    handle: &Handle,
) -> Result<Vec<StatePart>, Error> {
    let states: Vec<_> = keyed.iter().map(|(name, kind, _)| (name.clone(), *kind)).collect();
    let mut chunks = Chunks { written: vec![Vec::new(); states.len()], waiting: Vec::new(), bytes: 0 };
    if let Some(spilled) = spilled {
        spilled.for_each_group(range, |(part, rows)| {
            for (state, rows) in rows.into_iter().enumerate() {
                chunks.add(state, encode(job, states[state].1, rows, part)?);
            }
            if chunks.bytes >= WAITING_BYTES { chunks.write(store, handle) } else { Ok(()) }
        })?;
    }
    for (state, (_, kind, rows)) in keyed.into_iter().enumerate() {
        chunks.add(state, encode(job, kind, rows, range)?);
    }
    chunks.write(store, handle)?;
    let part = |((name, _), chunks)| StatePart { name, chunks, rows: Vec::new() };
    Ok(states.into_iter().zip(chunks.written).map(part).collect())
}

/// Chunks of a part.
struct Chunks {
    /// Of each state, in order, those that are in the store.
    written: Vec<Vec<ChunkRef>>,
    waiting: Vec<(usize, EncodedChunk)>,
    bytes: usize,
}

impl Chunks {
    fn add(&mut self, state: usize, chunks: Vec<EncodedChunk>) {
        self.bytes += chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        self.waiting.extend(chunks.into_iter().map(|chunk| (state, chunk)));
    }

    fn write(&mut self, store: &Store, handle: &Handle) -> Result<(), Error> {
        self.bytes = 0;
        let (states, chunks): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let references = handle.block_on(store.put_chunks(chunks))?;
        states.into_iter().zip(references).for_each(|(state, chunk)| self.written[state].push(chunk));
        Ok(())
    }
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
