//! Chunks that are written and not yet named, kept young.
//!
//! Collection takes what no log names once it is older than the grace period, an hour. An edit may take longer than
//! that. So what it wrote more than [`FRESH`] ago is written again, which makes it young.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::chunk::{ChunkRef, EncodedChunk, MAX_CHUNK_BYTES};
use crate::repository::deposit::FRESH;
use crate::store::Store;
use crate::{Error, Result};

/// Where an edit puts its chunks.
pub(super) struct Fresh {
    store: Store,
    /// What was written, and when, oldest first.
    chunks: VecDeque<(Timestamp, ChunkRef)>,
    /// Whether nothing is to be written.
    pub(super) dry_run: bool,
    age: SignedDuration,
}

impl Fresh {
    pub(super) fn new(store: &Store) -> Self {
        Fresh { store: store.clone(), chunks: VecDeque::new(), dry_run: false, age: FRESH }
    }

    /// Stores a chunk, durably.
    pub(super) async fn put(&mut self, chunk: EncodedChunk) -> Result<ChunkRef> {
        if self.dry_run {
            return Ok(chunk.reference());
        }
        let reference = self.store.put_chunk(chunk).await?;
        self.add(reference.clone());
        self.tend().await?;
        Ok(reference)
    }

    /// A chunk that is there, and was written just now.
    pub(super) fn add(&mut self, chunk: ChunkRef) {
        self.chunks.push_back((Timestamp::now(), chunk));
    }

    /// Writes again what is no longer young.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a chunk is gone: nobody tended to it for longer than the grace period.
    pub(super) async fn tend(&mut self) -> Result<()> {
        let now = Timestamp::now();
        while self.chunks.front().is_some_and(|(written, _)| now.duration_since(*written) >= self.age)
            && let Some((_, chunk)) = self.chunks.pop_front()
        {
            let path = chunk.path();
            let Some(bytes) = self.store.get(&path, MAX_CHUNK_BYTES).await? else {
                return Err(Error::Conflict(format!(
                    "{path}, which this edit wrote, was taken by garbage collection before it was published: edit again, and publish within the grace period of the collection"
                )));
            };
            self.store.replace(&path, bytes).await?;
            self.add(chunk);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{ChunkKind, ChunkMeta, StateKind, encode_chunk};
    use crate::hash::HashRange;
    use crate::repository::{CollectOptions, collect};
    use crate::store::OpenMode;

    fn chunk() -> EncodedChunk {
        use arrow_schema::{DataType, Field, Schema};
        let field = |name, t| Field::new(name, t, false);
        let fields = [("hash", DataType::UInt64), ("key", DataType::Utf8), ("timestamp", DataType::Int64)];
        let schema = Schema::new(fields.map(|(name, t)| field(name, t)).to_vec());
        let (job, state) = ("j".parse().unwrap(), StateKind::Timers);
        let meta = ChunkMeta { job, state, kind: ChunkKind::Base, range: HashRange::FULL };
        encode_chunk(&schema.into(), [], &meta).unwrap()
    }

    #[tokio::test]
    async fn what_is_no_longer_young_is_written_again() {
        let store = Store::open("memory://edit-fresh", OpenMode::CreateIfMissing).await.unwrap();
        let mut fresh = Fresh::new(&store);
        let written = fresh.put(chunk()).await.unwrap();
        let before = store.info(&written.path()).await.unwrap().unwrap().modified;
        fresh.tend().await.unwrap();
        assert_eq!(store.info(&written.path()).await.unwrap().unwrap().modified, before, "it was young");
        fresh.age = SignedDuration::ZERO;
        let (now, after) = (Timestamp::now(), fresh.chunks[0].0);
        while Timestamp::now() == now {}
        // One round: with an age of nothing, what was written again is due again.
        fresh.age = Timestamp::now().duration_since(after);
        fresh.tend().await.unwrap();
        assert!(store.info(&written.path()).await.unwrap().unwrap().modified > before);
    }

    #[tokio::test]
    async fn what_collection_has_taken_is_told() {
        let store = Store::open("memory://edit-taken", OpenMode::CreateIfMissing).await.unwrap();
        let mut fresh = Fresh::new(&store);
        fresh.put(chunk()).await.unwrap();
        let options = CollectOptions { grace: std::time::Duration::ZERO, dry_run: false };
        assert_eq!(collect(&store, options).await.unwrap().deleted.len(), 1);
        fresh.age = SignedDuration::ZERO;
        let error = fresh.tend().await.unwrap_err();
        assert!(matches!(error, Error::Conflict(_)), "{error}");
    }
}
