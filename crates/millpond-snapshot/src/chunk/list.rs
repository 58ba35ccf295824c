//! What a list of chunks means: which part of each is still to be seen.

use super::{ChunkKind, ChunkRef};
use crate::hash::HashRange;

/// For each chunk of a state, oldest first, the parts of `wanted` in which its rows count: those that
/// no later base hides. A chunk with no parts need not be read.
pub fn visible(chunks: &[ChunkRef], wanted: HashRange) -> Vec<Vec<HashRange>> {
    let mut open = vec![wanted];
    let mut parts: Vec<Vec<HashRange>> = Vec::with_capacity(chunks.len());
    for chunk in chunks.iter().rev() {
        parts.push(open.iter().filter_map(|part| part.intersection(chunk.range)).collect());
        if chunk.kind == ChunkKind::Base {
            open = open.into_iter().flat_map(|part| part.without(chunk.range)).collect();
        }
    }
    parts.reverse();
    parts
}

/// The chunks that still count, oldest first: all but those that later bases hide entirely.
pub fn prune(chunks: Vec<ChunkRef>) -> Vec<ChunkRef> {
    let seen = visible(&chunks, HashRange::FULL);
    chunks.into_iter().zip(seen).filter(|(_, parts)| !parts.is_empty()).map(|(chunk, _)| chunk).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::ChunkHash;

    fn chunk(kind: ChunkKind, start: u64, end: u64) -> ChunkRef {
        let range = HashRange::new(start, end).unwrap();
        let job = "j".parse().unwrap();
        ChunkRef { hash: ChunkHash([0; 32]), job, kind, range, rows: 1, bytes: 1, pack: None }
    }

    fn any_chunk() -> impl Strategy<Value = ChunkRef> {
        (any::<bool>(), 0u64..20, 0u64..20).prop_map(|(base, a, b)| {
            chunk(if base { ChunkKind::Base } else { ChunkKind::Delta }, a.min(b), a.max(b))
        })
    }

    proptest! {
        #[test]
        fn a_row_counts_unless_a_later_base_covers_its_hash(
            chunks in prop::collection::vec(any_chunk(), 0..8),
            start in 0u64..20, length in 0u64..20,
        ) {
            let wanted = HashRange::new(start, start + length).unwrap();
            let seen = visible(&chunks, wanted);
            for hash in 0..45 {
                for (i, chunk) in chunks.iter().enumerate() {
                    let hidden = chunks[i + 1..]
                        .iter()
                        .any(|later| later.kind == ChunkKind::Base && later.range.contains(hash));
                    let counts = wanted.contains(hash) && chunk.range.contains(hash) && !hidden;
                    let parts = seen[i].iter().filter(|part| part.contains(hash)).count();
                    prop_assert_eq!(parts, usize::from(counts));
                }
            }
        }

        #[test]
        fn pruning_changes_nothing_that_is_seen(chunks in prop::collection::vec(any_chunk(), 0..8)) {
            let before: Vec<_> = visible(&chunks, HashRange::FULL)
                .into_iter()
                .filter(|parts| !parts.is_empty())
                .collect();
            let after = visible(&prune(chunks), HashRange::FULL);
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn a_full_base_hides_all_before_it() {
        let chunks = vec![
            chunk(ChunkKind::Base, 0, 9),
            chunk(ChunkKind::Delta, 0, 9),
            chunk(ChunkKind::Base, 0, u64::MAX),
            chunk(ChunkKind::Delta, 3, 4),
        ];
        assert_eq!(prune(chunks.clone()), chunks[2..]);
    }
}
