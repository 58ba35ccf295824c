//! The rows of one state as chunks.
//!
//! What is large is done by several threads: two gather rows, one their keys and one the rest, and for each of some chunks at once
//! one encodes them and puts the chunk into the store.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc;

use millpond_snapshot::chunk::{ChunkEncoder, ChunkKind, ChunkRef, EncodedChunk, StateKind};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::{JobName, Store};
use tokio::runtime::Handle;

use crate::error::Error;
use crate::state::order::Room;
use crate::state::rows::{KeyedRows, SortedRows};

/// So many batches are ready before they are encoded.
const BATCHES_AHEAD: usize = 2;

/// So many chunks of a part are encoded at once.
const CHUNKS_AT_ONCE: usize = 4;

/// A part, or a chunk, of so many bytes is written at once and shares no object.
pub(super) const LARGE: usize = 1 << 20;

/// What rows are divided into.
#[derive(Clone, Copy)]
struct Sizes {
    /// About how many rows a chunk has at most.
    chunk_rows: usize,
    /// Rows that are turned into columns together: what that takes is small, and used again for the next.
    batch_rows: usize,
    /// A chunk of so many bytes is an object of its own.
    large: usize,
}

const SIZES: Sizes = Sizes { chunk_rows: 1 << 20, batch_rows: 1 << 16, large: LARGE };

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

/// What has become of a chunk that was encoded.
enum Encoding {
    Stored(ChunkRef),
    Waiting(EncodedChunk),
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
        let mut rows = rows.sorted(self.room.take())?;
        let chunks = rows.keys.chunks(range, self.sizes.chunk_rows)?;
        let schema = rows.batch(0..0)?.schema();
        let new_encoder = || ChunkEncoder::new(&schema, job.clone(), state, kind);
        if let [(range, places)] = &chunks[..]
            && places.len() <= self.sizes.batch_rows
        {
            let mut encoder = new_encoder()?;
            encoder.write(&rows.batch(places.clone())?)?;
            drop(rows.values);
            self.room.set(rows.keys.into_room());
            return Ok(Chunks { stored: Vec::new(), waiting: vec![encoder.finish(*range)?] });
        }
        let (store, handle, large) = (&self.store, &self.handle, self.sizes.large);
        let SortedRows { mut keys, mut values } = rows;
        let turns = turns(&chunks, self.sizes.batch_rows);
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
                        if chunk.bytes.len() < large {
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
}

/// Rows that are gathered together, and the number of their chunk.
struct Turn {
    chunk: usize,
    places: Range<usize>,
}

/// All rows of these chunks, so many at a time. Of [some chunks](CHUNKS_AT_ONCE) each has its turn, until they are done.
fn turns(chunks: &[(HashRange, Range<usize>)], rows: usize) -> Vec<Turn> {
    let mut turns: Vec<_> = chunks
        .iter()
        .enumerate()
        .flat_map(|(chunk, (_, Range { start, end }))| {
            let turn = move |from| Turn { chunk, places: from..(from + rows).min(*end) };
            (*start..*end).step_by(rows).map(turn).enumerate()
        })
        .collect();
    turns.sort_by_key(|(round, turn)| (turn.chunk / CHUNKS_AT_ONCE, *round));
    turns.into_iter().map(|(_, turn)| turn).collect()
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
        deleted: Slabs<bool>,
        /// Taking this row fails.
        bad: Option<u32>,
    }

    impl Numbers {
        fn of(rows: usize, bad: Option<u32>) -> Self {
            let hashes = (0..rows as u64).map(|row| key_hash(&row).unwrap()).collect();
            Numbers { hashes, deleted: (0..rows).map(|_| false).collect(), bad }
        }

        fn column(
            &self,
            name: &str,
            order: &[u32],
            number: impl Fn(u32) -> u64,
        ) -> Result<(FieldRef, ArrayRef), Error> {
            if order.iter().any(|row| Some(*row) == self.bad) {
                return Err(Error::job("a bad row"));
            }
            let column = UInt64Array::from_iter_values(order.iter().map(|row| number(*row)));
            Ok((Arc::new(Field::new(name, DataType::UInt64, name == "value")), Arc::new(column)))
        }
    }

    impl Keys for Numbers {
        fn hashes(&self) -> &Slabs<u64> {
            &self.hashes
        }
        fn take_column(&mut self, order: &[u32]) -> Result<(FieldRef, ArrayRef), Error> {
            self.column("key", order, |row| self.hashes[row as usize])
        }
    }

    impl Rows for Numbers {
        fn take_columns(&mut self, order: &[u32]) -> Result<Vec<(FieldRef, ArrayRef)>, Error> {
            Ok(vec![self.column("value", order, u64::from)?])
        }
        fn deleted(&self) -> &Slabs<bool> {
            &self.deleted
        }
    }

    /// Writes rows; gives those that can be read then, and how many objects there are.
    fn written(sizes: Sizes, keys: Numbers, rows: Numbers) -> (Result<Vec<(u64, u64)>, Error>, usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let store = Store::over(Arc::clone(&objects), "memory://chunks");
        let writer = ChunkWriter { sizes, ..ChunkWriter::new(store.clone(), runtime.handle().clone()) };
        let rows = KeyedRows { keys: Box::new(keys), rows: Box::new(rows), whole: true };
        let chunks = writer.encode(&"job".parse().unwrap(), StateKind::Value, rows, HashRange::FULL);
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
            rows in 0..400_usize,
            chunk_rows in 1..90_usize,
            batch_rows in 1..40_usize,
            large in prop::sample::select(vec![1, LARGE]),
            bad in prop::option::of((0..400_u32, any::<bool>())),
        ) {
            let sizes = Sizes { chunk_rows, batch_rows, large };
            let bad = bad.filter(|(row, _)| (*row as usize) < rows);
            let of = |keys| Numbers::of(rows, bad.filter(|(_, of_keys)| *of_keys == keys).map(|(row, _)| row));
            let (found, objects) = written(sizes, of(true), of(false));
            let mut expected: Vec<(u64, u64)> = (0..rows as u64).map(|row| (key_hash(&row).unwrap(), row)).collect();
            expected.sort_unstable();
            match (bad, found) {
                (None, found) => prop_assert_eq!(found.unwrap(), expected),
                (Some(_), found) => {
                    prop_assert!(found.unwrap_err().to_string().contains("a bad row"));
                    // Chunks that had all of their rows before.
                    prop_assert!(objects < rows.div_ceil(chunk_rows));
                }
            }
        }
    }
}
