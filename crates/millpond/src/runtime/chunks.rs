//! The rows of one state as chunks.
//!
//! Rows come in the order of hashes, all at once or stretch by stretch, and are encoded before the next come. What that takes is small,
//! and used again for the next.

use std::cell::Cell;
use std::collections::VecDeque;

use millpond_snapshot::chunk::{ChunkEncoder, ChunkKind, ChunkRef, EncodedChunk, StateKind};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, Store};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::state::order::Room;
use crate::state::rows::KeyedRows;

/// A part, or a chunk, of so many bytes is written at once and shares no object.
pub(super) const LARGE: usize = 1 << 20;

/// What rows are divided into.
#[derive(Clone, Copy)]
struct Sizes {
    /// A chunk ends once it has so many rows, or so many bytes.
    chunk_rows: u64,
    chunk_bytes: u64,
    /// Rows that are turned into columns together.
    batch_rows: usize,
    /// A chunk of so many bytes is an object of its own.
    large: usize,
}

const SIZES: Sizes = Sizes { chunk_rows: 1 << 20, chunk_bytes: 64 << 20, batch_rows: 1 << 16, large: LARGE };

/// So many chunks of a state are being put into the store at once: one that is slow is waited for.
const PUTS_AT_ONCE: usize = 4;

/// Room for the bytes of the first chunk of a state that has more than one batch. What of it is not needed is never touched.
const FIRST_ROOM: usize = 32 << 20;

/// Makes chunks and puts them into the store.
pub(super) struct ChunkWriter {
    store: Store,
    handle: Handle,
    sizes: Sizes,
    room: Cell<Room>,
}

/// Chunks of one state.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    pub(super) stored: Vec<ChunkRef>,
    /// Those that are too small for an object of their own.
    pub(super) waiting: Vec<EncodedChunk>,
}

/// The chunks that are made of the rows of one state.
pub(super) struct ChunkStream {
    job: JobName,
    state: StateKind,
    kind: ChunkKind,
    /// What the chunk at hand, and those after it, are about.
    range: HashRange,
    /// The chunk at hand, and its greatest hash.
    encoder: Option<ChunkEncoder>,
    last: u64,
    /// Room for its bytes.
    room: usize,
    /// Those before it: in the store, and being put there.
    stored: Vec<ChunkRef>,
    putting: VecDeque<JoinHandle<millpond_snapshot::Result<ChunkRef>>>,
}

impl ChunkStream {
    /// Begins with what is about `range`.
    pub(super) fn new(job: JobName, state: StateKind, kind: ChunkKind, range: HashRange) -> Self {
        let (last, room) = (range.start(), FIRST_ROOM);
        ChunkStream {
            job,
            state,
            kind,
            range,
            encoder: None,
            last,
            room,
            stored: Vec::new(),
            putting: VecDeque::new(),
        }
    }

    /// What the chunk at hand is about, if it is the last one or ends with its greatest hash.
    fn range_of_chunk(&mut self, is_last: bool) -> Result<HashRange, Error> {
        let end = if is_last { self.range.end() } else { self.last };
        let range = HashRange::new(self.range.start(), end);
        self.range = HashRange::new(end.saturating_add(1), self.range.end()).unwrap_or(self.range);
        range.ok_or_else(|| Error::failed("rows of a snapshot are outside their hash range"))
    }
}

impl ChunkWriter {
    pub(super) fn new(store: Store, handle: Handle) -> Self {
        ChunkWriter { store, handle, sizes: SIZES, room: Cell::default() }
    }

    /// Puts chunks that wait into the store, in as few objects as they fit into.
    pub(super) fn put(&self, chunks: Vec<EncodedChunk>) -> Result<Vec<ChunkRef>, Error> {
        Ok(self.handle.block_on(self.store.put_chunks(chunks))?)
    }

    /// Encodes the rows of one state: nothing if nothing changed, several chunks if there are many.
    pub(super) fn encode(
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
        let mut stream = ChunkStream::new(job.clone(), state, kind, range);
        if rows.len() <= self.sizes.batch_rows {
            stream.room = 0;
        }
        self.add(&mut stream, rows)?;
        self.end(stream)
    }

    /// Adds the next rows of a state. Each chunk is put into the store once there are rows for another one.
    pub(super) fn add(&self, stream: &mut ChunkStream, rows: KeyedRows) -> Result<(), Error> {
        let mut rows = rows.sorted(self.room.take())?;
        let full = |encoder: &mut ChunkEncoder| {
            encoder.rows() >= self.sizes.chunk_rows || encoder.bytes() >= self.sizes.chunk_bytes
        };
        for places in rows.batches(self.sizes.batch_rows) {
            let last = rows.last_hash(&places);
            if last.is_some()
                && let Some(encoder) = stream.encoder.take_if(full)
            {
                let chunk = encoder.finish(stream.range_of_chunk(false)?)?;
                // A little more than this one has.
                stream.room = chunk.bytes.len() / 7 * 8;
                self.begin_put(stream, chunk)?;
            }
            let batch = rows.batch(places)?;
            let encoder = match &mut stream.encoder {
                Some(encoder) => encoder,
                none => none.insert(ChunkEncoder::with_room(
                    &batch.schema(),
                    stream.job.clone(),
                    stream.state,
                    stream.kind,
                    stream.room,
                )?),
            };
            encoder.write(&batch)?;
            stream.last = last.unwrap_or(stream.last);
        }
        self.room.set(rows.into_room());
        Ok(())
    }

    /// Ends a state whose rows have all been added.
    pub(super) fn end(&self, mut stream: ChunkStream) -> Result<Chunks, Error> {
        let mut waiting = Vec::new();
        if let Some(encoder) = stream.encoder.take() {
            let chunk = encoder.finish(stream.range_of_chunk(true)?)?;
            if chunk.bytes.len() < self.sizes.large {
                waiting.push(chunk);
            } else {
                self.begin_put(&mut stream, chunk)?;
            }
        }
        self.wait_for_puts(&mut stream, 0)?;
        Ok(Chunks { stored: stream.stored, waiting })
    }

    /// Begins to put a chunk into the store.
    fn begin_put(&self, stream: &mut ChunkStream, chunk: EncodedChunk) -> Result<(), Error> {
        self.wait_for_puts(stream, PUTS_AT_ONCE - 1)?;
        let store = self.store.clone();
        stream.putting.push_back(self.handle.spawn(async move { store.put_chunk(chunk).await }));
        Ok(())
    }

    /// Waits until no more than `most` chunks are being put into the store.
    fn wait_for_puts(&self, stream: &mut ChunkStream, most: usize) -> Result<(), Error> {
        while stream.putting.len() > most {
            let put = stream.putting.pop_front().map(|put| self.handle.block_on(put));
            stream.stored.extend(put.transpose().map_err(Error::failed)?.transpose()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt64Type;
    use arrow_array::{ArrayRef, UInt64Array};
    use arrow_schema::{DataType, Field, FieldRef};
    use futures::TryStreamExt;
    use millpond_snapshot::chunk::read_chunk;
    use millpond_snapshot::hash::key_hash;
    use object_store::ObjectStore;
    use object_store::memory::InMemory;
    use proptest::prelude::*;

    use super::*;
    use crate::state::rows::{Keys, Rows};
    use crate::state::slabs::Slabs;

    /// Rows whose keys are their hashes and whose values their numbers.
    struct Numbers {
        hashes: Slabs<u64>,
        numbers: Vec<u64>,
        deleted: Slabs<bool>,
        /// Taking the row of this number fails.
        bad: Option<u64>,
    }

    fn hash(number: u64) -> u64 {
        key_hash(&number).unwrap()
    }

    impl Numbers {
        /// Of so many rows those of a stretch of so many.
        fn of(rows: u64, (stretch, stretches): (usize, usize), bad: Option<u64>) -> Self {
            let range = HashRange::of_worker(stretch, stretches);
            let numbers: Vec<u64> = (0..rows).filter(|number| range.contains(hash(*number))).collect();
            let hashes = numbers.iter().map(|number| hash(*number)).collect();
            Numbers { hashes, deleted: numbers.iter().map(|_| false).collect(), numbers, bad }
        }

        fn column(
            &self,
            name: &str,
            order: &[u32],
            column: impl Fn(u64) -> u64,
        ) -> Result<(FieldRef, ArrayRef), Error> {
            let numbers = order.iter().map(|row| self.numbers[*row as usize]);
            if numbers.clone().any(|number| Some(number) == self.bad) {
                return Err(Error::job("a bad row"));
            }
            let column = UInt64Array::from_iter_values(numbers.map(column));
            Ok((Arc::new(Field::new(name, DataType::UInt64, name == "value")), Arc::new(column)))
        }
    }

    impl Keys for Numbers {
        fn hashes(&self) -> &Slabs<u64> {
            &self.hashes
        }
        fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error> {
            self.column("key", order, hash)
        }
    }

    impl Rows for Numbers {
        fn take_columns(&mut self, order: &[u32]) -> Result<Vec<(FieldRef, ArrayRef)>, Error> {
            Ok(vec![self.column("value", order, |number| number)?])
        }
        fn deleted(&self) -> &Slabs<bool> {
            &self.deleted
        }
    }

    /// Writes rows, stretch by stretch if there are several; gives those that can be read then, and how many objects there are.
    fn written(sizes: Sizes, stretches: Vec<(Numbers, Numbers)>) -> (Result<Vec<(u64, u64)>, Error>, usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let store = Store::over(Arc::clone(&objects), "memory://chunks");
        let writer = ChunkWriter { sizes, ..ChunkWriter::new(store.clone(), runtime.handle().clone()) };
        let (job, state) = ("job".parse().unwrap(), StateKind::Value);
        let keyed = |(keys, rows)| KeyedRows { keys: Box::new(keys), rows: Box::new(rows), whole: true };
        let mut rows: Vec<_> = stretches.into_iter().map(keyed).collect();
        let chunks = if rows.len() == 1 {
            writer.encode(&job, state, rows.remove(0), HashRange::FULL)
        } else {
            let mut stream = ChunkStream::new(job, state, ChunkKind::Base, HashRange::FULL);
            let added = rows.into_iter().try_for_each(|rows| writer.add(&mut stream, rows));
            added.and_then(|()| writer.end(stream))
        };
        let read = chunks.and_then(|mut chunks| {
            chunks.stored.extend(writer.put(chunks.waiting)?);
            let mut found = Vec::new();
            let mut start = 0;
            for chunk in &chunks.stored {
                assert_eq!(chunk.range.start(), start, "chunks divide the range among them, in order");
                start = chunk.range.end().wrapping_add(1);
                let reading = read_chunk(&store, chunk, StateKind::Value, chunk.range);
                for batch in runtime.block_on(reading)? {
                    let batch = batch?;
                    let [key, value] =
                        [1, 2].map(|column| batch.column(column).as_primitive::<UInt64Type>().values());
                    found.extend(key.iter().copied().zip(value.iter().copied()));
                }
            }
            assert_eq!(start, 0, "and leave nothing of it");
            Ok(found)
        });
        let listed = runtime.block_on(objects.list(None).try_collect::<Vec<_>>()).unwrap();
        (read, listed.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn chunks_have_each_row_once_in_order_or_the_part_fails(
            rows in 0..400_u64,
            chunk_rows in 1..90_u64,
            chunk_bytes in prop::sample::select(vec![1, 64 << 20]),
            batch_rows in 1..40_usize,
            large in prop::sample::select(vec![1, LARGE]),
            stretches in 1..9_usize,
            bad in prop::option::of((0..400_u64, any::<bool>())),
        ) {
            let sizes = Sizes { chunk_rows, chunk_bytes, batch_rows, large };
            let bad = bad.filter(|(number, _)| *number < rows);
            let of = |stretch, keys| {
                let bad = bad.filter(|(_, of_keys)| *of_keys == keys).map(|(number, _)| number);
                Numbers::of(rows, (stretch, stretches), bad)
            };
            let stretches = (0..stretches).map(|stretch| (of(stretch, true), of(stretch, false)));
            let (found, objects) = written(sizes, stretches.collect());
            let mut expected: Vec<(u64, u64)> = (0..rows).map(|number| (hash(number), number)).collect();
            expected.sort_unstable();
            match (bad, found) {
                (None, found) => prop_assert_eq!(found.unwrap(), expected),
                (Some((bad, _)), found) => {
                    prop_assert!(found.unwrap_err().to_string().contains("a bad row"));
                    // Chunks that had all of their rows before.
                    prop_assert!(objects <= expected.iter().filter(|(before, _)| *before < hash(bad)).count());
                }
            }
        }
    }
}
