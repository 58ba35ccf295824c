//! The thread of a worker that writes its part of snapshots.
//!
//! One thread a worker, and one queue: parts become durable in the order in which they were frozen, so that a later
//! delta never comes before an earlier one. What is small waits for the parts of the worker's other operators and shares an
//! object with them: the snapshot needs them all before it is one, and a snapshot each second must not be many objects.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use millpond_snapshot::chunk::{ChunkKind, ChunkRef, EncodedChunk, StateKind};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, StateName, Store};
use tokio::runtime::Handle;

use super::chunks::{ChunkStream, ChunkWriter, Chunks, LARGE};
use super::mailbox::Outbox;
use super::message::{Acknowledgement, StatePart, ToCoordinator};
use crate::error::Error;
use crate::state::rows::KeyedRows;
use crate::state::spill::part::SpilledPart;

/// So many bytes of one part are written before more of it are encoded.
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

/// A stretch of a subtask's part: rows of those of its states that are taken whole, which come before what the [`Part`] has.
pub(crate) struct Stretch {
    pub(crate) job: JobName,
    pub(crate) operator: usize,
    pub(crate) range: HashRange,
    /// Each with its number among the states of the operator.
    pub(crate) rows: Vec<(usize, StateKind, KeyedRows)>,
}

enum Work {
    Stretch(Stretch),
    Part(Box<Part>),
}

/// So many stretches wait at most before no more are copied: they are in memory a second time.
const STRETCHES_AHEAD: usize = 4;

/// Writes parts, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Work>>,
    /// Stretches that have not been encoded.
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
    /// How many operators of the worker send a part in each epoch.
    operators: Arc<AtomicUsize>,
}

impl Writer {
    /// Starts the thread. `outbox` gets an acknowledgement for each part.
    pub(crate) fn start(worker: usize, store: Store, handle: Handle, outbox: Outbox) -> Result<Self, Error> {
        let (queue, works) = mpsc::channel();
        let (operators, waiting) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let encoded = Arc::clone(&waiting);
        let mut desk = Desk {
            chunks: ChunkWriter::new(store, handle),
            outbox,
            operators: Arc::clone(&operators),
            begun: BTreeMap::new(),
            epoch: 0,
            seen: BTreeMap::new(),
            held: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("snapshot-{worker}"))
            .spawn(move || {
                for work in works {
                    match work {
                        Work::Stretch(stretch) => {
                            desk.take_stretch(stretch);
                            encoded.fetch_sub(1, Ordering::Relaxed);
                        }
                        Work::Part(part) => desk.take(*part),
                    }
                }
                desk.write_held();
            })
            .map_err(|error| Error::failed(format!("no thread for snapshots could be started: {error}")))?;
        Ok(Writer { queue: Some(queue), waiting, thread: Some(thread), operators })
    }

    /// Notes that one more operator will send a part in each epoch; before any does.
    pub(crate) fn expect_one_more(&self) {
        self.operators.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn submit(&self, part: Part) {
        self.send(Work::Part(Box::new(part)));
    }

    pub(crate) fn submit_stretch(&self, stretch: Stretch) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.send(Work::Stretch(stretch));
    }

    /// Whether enough stretches wait to be encoded, so that no more should be copied.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= STRETCHES_AHEAD
    }

    fn send(&self, work: Work) {
        if let Some(queue) = &self.queue {
            // The thread lives as long as the queue.
            let _ = queue.send(work);
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

/// Whose part it is.
struct Sender {
    epoch: u64,
    operator: usize,
    uid: String,
    subtask: usize,
    lost: Arc<AtomicBool>,
}

impl Sender {
    fn declined(&self, reason: String) -> ToCoordinator {
        ToCoordinator::Declined { epoch: self.epoch, operator: self.uid.clone(), reason }
    }

    /// It could not be written: the next one must be whole.
    fn lost(&self, reason: String) -> ToCoordinator {
        self.lost.store(true, Ordering::Relaxed);
        self.declined(reason)
    }
}

/// An encoded part.
struct Encoded {
    sender: Sender,
    /// The keyed states, each with those of its chunks that are in the store.
    keyed: Vec<(StateName, Vec<ChunkRef>)>,
    /// Chunks that are not, each with the number of its state.
    chunks: Vec<(usize, EncodedChunk)>,
    operator_states: Vec<(StateName, Vec<String>)>,
}

impl Encoded {
    fn add(&mut self, state: usize, chunks: Chunks) {
        self.keyed[state].1.extend(chunks.stored);
        self.chunks.extend(chunks.waiting.into_iter().map(|chunk| (state, chunk)));
    }

    fn bytes(&self) -> usize {
        self.chunks.iter().map(|(_, chunk)| chunk.bytes.len()).sum()
    }
}

/// What has been encoded of a part that is still to come.
#[derive(Default)]
struct Begun {
    states: BTreeMap<usize, ChunkStream>,
    /// Why it cannot be written, if so.
    problem: Option<String>,
}

/// What the thread works with.
struct Desk {
    chunks: ChunkWriter,
    outbox: Outbox,
    operators: Arc<AtomicUsize>,
    /// Of each operator that has sent stretches and no part yet.
    begun: BTreeMap<usize, Begun>,
    /// The epoch of the parts that are held.
    epoch: u64,
    /// How many parts there were, of epochs that lack some.
    seen: BTreeMap<u64, usize>,
    held: Vec<Encoded>,
}

impl Desk {
    /// Encodes a part and writes it: at once if it is large or the last of its epoch, and with the others of its epoch
    /// otherwise.
    fn take(&mut self, part: Part) {
        // One epoch at a time: an operator may be ahead of the others if a snapshot took too long, and its parts must become
        // durable in order.
        if part.epoch != self.epoch {
            self.write_held();
            self.epoch = part.epoch;
        }
        let seen = self.seen.entry(part.epoch).or_default();
        *seen += 1;
        let last = *seen >= self.operators.load(Ordering::Relaxed);
        if last {
            self.seen.remove(&part.epoch);
        }
        if let Some(encoded) = self.encode(part) {
            if encoded.bytes() >= LARGE {
                self.write(vec![encoded]);
            } else {
                self.held.push(encoded);
            }
        }
        if last {
            self.write_held();
        }
    }

    /// Encodes a stretch of a part that is still to come.
    fn take_stretch(&mut self, Stretch { job, operator, range, rows }: Stretch) {
        let begun = self.begun.entry(operator).or_default();
        if begun.problem.is_some() {
            return;
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            rows.into_iter().try_for_each(|(state, kind, rows)| {
                let new = || ChunkStream::new(job.clone(), kind, ChunkKind::Base, range);
                self.chunks.add(begun.states.entry(state).or_insert_with(new), rows)
            })
        }));
        begun.problem = problem(done, "encoding it panicked");
    }

    fn encode(&mut self, part: Part) -> Option<Encoded> {
        let mut begun = self.begun.remove(&part.operator).unwrap_or_default();
        let Part { job, epoch, operator, uid, subtask, range, whole, spilled, keyed, operator_states, lost } =
            part;
        let sender = Sender { epoch, operator, uid, subtask, lost };
        if !whole && sender.lost.load(Ordering::Relaxed) {
            // It was frozen before the loss was known, as a change to a part that no snapshot has.
            let reason = "an earlier part was lost, so that this one is not enough; the next one will be whole";
            self.outbox.send(sender.declined(reason.to_owned()));
            return None;
        }
        let names = keyed.iter().map(|(name, ..)| (name.clone(), Vec::new())).collect();
        let mut encoded = Encoded { sender, keyed: names, chunks: Vec::new(), operator_states };
        if let Some(problem) = begun.problem {
            self.outbox.send(encoded.sender.lost(problem));
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            if let Some(spilled) = spilled {
                let kinds: Vec<_> = keyed.iter().map(|(_, kind, _)| *kind).collect();
                spilled.for_each_group(range, |(part, rows)| {
                    for (state, rows) in rows.into_iter().enumerate() {
                        encoded.add(state, self.chunks.encode(&job, kinds[state], rows, part)?);
                    }
                    // What is not resident may be more than memory holds.
                    if encoded.bytes() >= WAITING_BYTES { self.put(&mut [&mut encoded]) } else { Ok(()) }
                })?;
            }
            for (state, (_, kind, rows)) in keyed.into_iter().enumerate() {
                let chunks = match begun.states.remove(&state) {
                    Some(mut stream) => {
                        self.chunks.add(&mut stream, rows)?;
                        self.chunks.end(stream)?
                    }
                    None => self.chunks.encode(&job, kind, rows, range)?,
                };
                encoded.add(state, chunks);
            }
            Ok::<_, Error>(())
        }));
        match problem(done, "encoding it panicked") {
            None => Some(encoded),
            Some(problem) => {
                self.outbox.send(encoded.sender.lost(problem));
                None
            }
        }
    }

    fn write_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.write(held);
    }

    /// Writes parts in one go, so that small chunks share objects, and acknowledges them. They become durable together, or
    /// all are lost.
    fn write(&self, mut parts: Vec<Encoded>) {
        let put = || self.put(&mut parts.iter_mut().collect::<Vec<_>>());
        let Some(problem) = problem(catch_unwind(AssertUnwindSafe(put)), "writing it panicked") else {
            return parts.into_iter().for_each(|part| self.outbox.send(acknowledged(part)));
        };
        for part in &parts {
            self.outbox.send(part.sender.lost(problem.clone()));
        }
    }

    /// Puts the chunks of parts that wait into the store.
    fn put(&self, parts: &mut [&mut Encoded]) -> Result<(), Error> {
        let (mut places, mut chunks) = (Vec::new(), Vec::new());
        for (part, encoded) in parts.iter_mut().enumerate() {
            for (state, chunk) in encoded.chunks.drain(..) {
                places.push((part, state));
                chunks.push(chunk);
            }
        }
        let references = self.chunks.put(chunks)?;
        for ((part, state), reference) in places.into_iter().zip(references) {
            parts[part].keyed[state].1.push(reference);
        }
        Ok(())
    }
}

/// What went wrong, if something did.
fn problem(done: std::thread::Result<Result<(), Error>>, panicked: &str) -> Option<String> {
    match done {
        Ok(done) => done.err().map(|error| error.to_string()),
        Err(_) => Some(panicked.to_owned()),
    }
}

/// The acknowledgement of a part that has been written.
fn acknowledged(part: Encoded) -> ToCoordinator {
    let Encoded { sender, keyed, operator_states, .. } = part;
    let keyed = keyed.into_iter().map(|(name, chunks)| StatePart { name, chunks, rows: Vec::new() });
    let operator_states =
        operator_states.into_iter().map(|(name, rows)| StatePart { name, chunks: Vec::new(), rows });
    let states = keyed.chain(operator_states).collect();
    let Sender { epoch, operator, subtask, .. } = sender;
    ToCoordinator::Acknowledged(Acknowledgement { epoch, operator, subtask, states })
}
