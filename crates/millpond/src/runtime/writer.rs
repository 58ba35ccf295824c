//! The thread of a worker that writes its part of snapshots.
//!
//! One thread a worker, and one queue: parts become durable in the order in which they were frozen, so that a later
//! delta never comes before an earlier one. What is small waits for the parts of the worker's other operators and shares an
//! object with them: the snapshot needs them all before it is one, and a snapshot each second must not be many objects.
//!
//! What is large is done by several threads: two gather rows, one their keys and one the rest, and for each of some chunks at once
//! one encodes them and puts the chunk into the store.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use millpond_snapshot::chunk::{ChunkEncoder, ChunkKind, ChunkRef, EncodedChunk, StateKind};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, StateName, Store};
use tokio::runtime::Handle;

use super::mailbox::Outbox;
use super::message::{Acknowledgement, StatePart, ToCoordinator};
use crate::error::Error;
use crate::state::order::Room;
use crate::state::rows::{KeyedRows, SortedRows};
use crate::state::spill::part::SpilledPart;

/// About how many rows a chunk has at most.
const CHUNK_ROWS: usize = 1 << 20;

/// Rows that are turned into columns together: what that takes is small, and used again for the next.
const BATCH_ROWS: usize = 1 << 16;

/// So many of them are ready before they are encoded.
const BATCHES_AHEAD: usize = 2;

/// So many chunks of a part are encoded at once.
const CHUNKS_AT_ONCE: usize = 4;

/// A part, or a chunk, of so many bytes is written at once and shares no object.
const LARGE: usize = 1 << 20;

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

/// Writes parts, in the order in which they come.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Part>>,
    thread: Option<JoinHandle<()>>,
    /// How many operators of the worker send a part in each epoch.
    operators: Arc<AtomicUsize>,
}

impl Writer {
    /// Starts the thread. `outbox` gets an acknowledgement for each part.
    pub(crate) fn start(worker: usize, store: Store, handle: Handle, outbox: Outbox) -> Result<Self, Error> {
        let (queue, parts) = mpsc::channel::<Part>();
        let operators = Arc::new(AtomicUsize::new(0));
        let mut desk = Desk {
            store,
            handle,
            outbox,
            operators: Arc::clone(&operators),
            epoch: 0,
            seen: BTreeMap::new(),
            held: Vec::new(),
            room: Cell::default(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("snapshot-{worker}"))
            .spawn(move || {
                for part in parts {
                    desk.take(part);
                }
                desk.write_held();
            })
            .map_err(|error| Error::failed(format!("no thread for snapshots could be started: {error}")))?;
        Ok(Writer { queue: Some(queue), thread: Some(thread), operators })
    }

    /// Notes that one more operator will send a part in each epoch; before any does.
    pub(crate) fn expect_one_more(&self) {
        self.operators.fetch_add(1, Ordering::Relaxed);
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

/// Chunks of one state.
#[derive(Default)]
struct Chunks {
    stored: Vec<ChunkRef>,
    waiting: Vec<EncodedChunk>,
}

/// What has become of one that was encoded.
enum Encoding {
    Stored(ChunkRef),
    Waiting(EncodedChunk),
}

/// What the thread works with.
struct Desk {
    store: Store,
    handle: Handle,
    outbox: Outbox,
    operators: Arc<AtomicUsize>,
    /// The epoch of the parts that are held.
    epoch: u64,
    /// How many parts there were, of epochs that lack some.
    seen: BTreeMap<u64, usize>,
    held: Vec<Encoded>,
    room: Cell<Room>,
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

    fn encode(&self, part: Part) -> Option<Encoded> {
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
        let done = catch_unwind(AssertUnwindSafe(|| {
            if let Some(spilled) = spilled {
                let kinds: Vec<_> = keyed.iter().map(|(_, kind, _)| *kind).collect();
                spilled.for_each_group(range, |(part, rows)| {
                    for (state, rows) in rows.into_iter().enumerate() {
                        encoded.add(state, self.encode_rows(&job, kinds[state], rows, part)?);
                    }
                    // What is not resident may be more than memory holds.
                    if encoded.bytes() >= WAITING_BYTES { self.put(&mut [&mut encoded]) } else { Ok(()) }
                })?;
            }
            for (state, (_, kind, rows)) in keyed.into_iter().enumerate() {
                encoded.add(state, self.encode_rows(&job, kind, rows, range)?);
            }
            Ok::<_, Error>(())
        }));
        let problem = match done {
            Ok(Ok(())) => return Some(encoded),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "encoding it panicked".to_owned(),
        };
        self.outbox.send(encoded.sender.lost(problem));
        None
    }

    /// Encodes the rows of one state: nothing if nothing changed, several chunks if there are many.
    fn encode_rows(
        &self,
        job: &JobName,
        state: StateKind,
        rows: KeyedRows,
        range: HashRange,
    ) -> Result<Chunks, Error> {
        if rows.is_empty() && !rows.whole {
            return Ok(Chunks::default());
        }
        let kind = if rows.whole { ChunkKind::Base } else { ChunkKind::Delta };
        let mut rows = rows.sorted(self.room.take())?;
        let chunks = rows.keys.chunks(range, CHUNK_ROWS)?;
        let schema = rows.batch(0..0)?.schema();
        let new_encoder = || ChunkEncoder::new(&schema, job.clone(), state, kind);
        if let [(range, places)] = &chunks[..]
            && places.len() <= BATCH_ROWS
        {
            let mut encoder = new_encoder()?;
            encoder.write(&rows.batch(places.clone())?)?;
            drop(rows.values);
            self.room.set(rows.keys.into_room());
            return Ok(Chunks { stored: Vec::new(), waiting: vec![encoder.finish(*range)?] });
        }
        let (store, handle) = (&self.store, &self.handle);
        let SortedRows { mut keys, mut values } = rows;
        let turns = turns(&chunks);
        std::thread::scope(|scope| {
            let (columns, gathered_columns) = mpsc::sync_channel(BATCHES_AHEAD);
            let all: Vec<_> = turns.iter().map(|turn| turn.places.clone()).collect();
            let gathering = scope.spawn(move || {
                // Nobody listens any more if something has failed.
                let _ = all.into_iter().try_for_each(|places| columns.send(values.columns(places)));
            });
            let mut encoding = Vec::new();
            let mut encoders = BTreeMap::new();
            for Turn { chunk, places } in turns {
                let (range, of_chunk) = &chunks[chunk];
                if places.start == of_chunk.start {
                    let (mut encoder, range, whole) = (new_encoder()?, *range, of_chunk.len() as u64);
                    let (rows, gathered) = mpsc::sync_channel(BATCHES_AHEAD);
                    encoders.insert(chunk, rows);
                    encoding.push(scope.spawn(move || {
                        gathered.into_iter().try_for_each(|batch| encoder.write(&batch))?;
                        // Something else has failed if not all have come.
                        if encoder.rows() < whole {
                            return Ok(None);
                        }
                        let chunk = encoder.finish(range)?;
                        if chunk.bytes.len() < LARGE {
                            return Ok(Some(Encoding::Waiting(chunk)));
                        }
                        Ok::<_, Error>(Some(Encoding::Stored(handle.block_on(store.put_chunk(chunk))?)))
                    }));
                }
                let is_last = places.end == of_chunk.end;
                let columns = gathered_columns.recv().map_err(Error::failed)??;
                let batch = keys.batch(places, columns)?;
                if encoders.get(&chunk).is_none_or(|rows| rows.send(batch).is_err()) {
                    // It has failed, and says below why.
                    break;
                }
                if is_last {
                    encoders.remove(&chunk);
                }
            }
            drop((encoders, gathered_columns));
            gathering.join().unwrap_or_else(|panic| resume_unwind(panic));
            self.room.set(keys.into_room());
            let ended =
                encoding.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            let mut chunks = Chunks::default();
            for encoding in ended.collect::<Result<Vec<_>, _>>()? {
                match encoding {
                    Some(Encoding::Stored(chunk)) => chunks.stored.push(chunk),
                    Some(Encoding::Waiting(chunk)) => chunks.waiting.push(chunk),
                    None => return Err(Error::failed("a chunk lacks rows")),
                }
            }
            Ok(chunks)
        })
    }

    fn write_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.write(held);
    }

    /// Writes parts in one go, so that small chunks share objects, and acknowledges them. They become durable together, or
    /// all are lost.
    fn write(&self, mut parts: Vec<Encoded>) {
        let put = || self.put(&mut parts.iter_mut().collect::<Vec<_>>());
        let problem = match catch_unwind(AssertUnwindSafe(put)) {
            Ok(Ok(())) => return parts.into_iter().for_each(|part| self.outbox.send(acknowledged(part))),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "writing it panicked".to_owned(),
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
        let references = self.handle.block_on(self.store.put_chunks(chunks))?;
        for ((part, state), reference) in places.into_iter().zip(references) {
            parts[part].keyed[state].1.push(reference);
        }
        Ok(())
    }
}

/// Rows that are gathered together, and the number of their chunk.
struct Turn {
    chunk: usize,
    places: Range<usize>,
}

/// All rows of these chunks. Of [some chunks](CHUNKS_AT_ONCE) each has its turn, until they are done.
fn turns(chunks: &[(HashRange, Range<usize>)]) -> Vec<Turn> {
    let mut turns: Vec<_> = chunks
        .iter()
        .enumerate()
        .flat_map(|(chunk, (_, Range { start, end }))| {
            let turn = move |from| Turn { chunk, places: from..(from + BATCH_ROWS).min(*end) };
            (*start..*end).step_by(BATCH_ROWS).map(turn).enumerate()
        })
        .collect();
    turns.sort_by_key(|(round, turn)| (turn.chunk / CHUNKS_AT_ONCE, *round));
    turns.into_iter().map(|(_, turn)| turn).collect()
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
