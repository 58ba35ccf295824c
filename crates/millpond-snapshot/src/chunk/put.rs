//! Storing chunks: large ones as objects of their own, small ones together.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use super::{ChunkRef, EncodedChunk, PackSlice};
use crate::Result;
use crate::ids::ChunkHash;
use crate::store::Store;
use crate::store::layout::{self, ObjectKind};

/// Chunks below this many bytes share an object, so that a snapshot of many small states is few
/// objects.
const SMALL: usize = 128 * 1024;

/// A pack is closed when it has this many bytes.
const PACK_TARGET: usize = 8 * 1024 * 1024;

/// Objects that are on their way at a time.
const PARALLEL_PUTS: usize = 8;

impl Store {
    /// Stores a chunk as an object of its own, unless it is there. When this returns it is durable.
    pub async fn put_chunk(&self, chunk: EncodedChunk) -> Result<ChunkRef> {
        let reference = chunk.reference();
        self.put_object(chunk.hash, ObjectKind::Chunk, chunk.bytes).await?;
        Ok(reference)
    }

    /// Stores chunks, packing those that are small, and names each in the order given. When this
    /// returns they are durable.
    pub async fn put_chunks(&self, chunks: Vec<EncodedChunk>) -> Result<Vec<ChunkRef>> {
        let mut references: Vec<ChunkRef> = chunks.iter().map(EncodedChunk::reference).collect();
        let (small, large): (Vec<usize>, Vec<usize>) =
            (0..chunks.len()).partition(|&i| chunks[i].bytes.len() < SMALL);
        let alone = large.into_iter().map(|i| vec![i]);
        let mut objects = Vec::new();
        for members in alone.chain(packs(&chunks, small)) {
            if let [i] = members[..] {
                objects.push((chunks[i].hash, ObjectKind::Chunk, chunks[i].bytes.clone()));
                continue;
            }
            let mut pack = BytesMut::new();
            for &i in &members {
                pack.extend_from_slice(&chunks[i].bytes);
            }
            let hash = ChunkHash::of(&pack);
            objects.push((hash, ObjectKind::Pack, pack.freeze()));
            let mut offset = 0;
            for &i in &members {
                references[i].pack = Some(PackSlice { hash, offset });
                offset += references[i].bytes;
            }
        }
        let puts = objects.into_iter().map(|(hash, kind, bytes)| self.put_object(hash, kind, bytes));
        stream::iter(puts).buffer_unordered(PARALLEL_PUTS).try_collect::<()>().await?;
        Ok(references)
    }

    async fn put_object(&self, hash: ChunkHash, kind: ObjectKind, bytes: Bytes) -> Result<()> {
        self.put_if_absent(&layout::object(hash, kind), bytes).await?;
        Ok(())
    }
}

/// Divides small chunks into packs, in order.
fn packs(chunks: &[EncodedChunk], small: Vec<usize>) -> Vec<Vec<usize>> {
    let mut packs: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for i in small {
        let bytes = chunks[i].bytes.len();
        match packs.last_mut() {
            Some(pack) if bytes <= room => {
                pack.push(i);
                room -= bytes;
            }
            _ => {
                packs.push(vec![i]);
                room = PACK_TARGET - bytes;
            }
        }
    }
    packs
}
