//! When folding chunks together pays, and which.
//!
//! Two rules bound the cost. When the changes since the last base have grown to half of it, all is
//! folded into a new base: each row that changes causes at most two others to be written again. In
//! between, whenever eight deltas of about one size stand at the end of the list they become one, so
//! that a row is written again once for each eightfold growth, and a reader opens few chunks.

use crate::chunk::{ChunkKind, ChunkRef, visible};
use crate::hash::HashRange;

/// Deltas of one size that are folded together.
const FAN_IN: usize = 8;

/// Rows of change that are worth a base by themselves, however few chunks they are in.
const SMALL: u64 = 64 * 1024;

/// Rows below which sizes are not told apart.
const SMALLEST: u64 = 1024;

/// A fold that pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactionPlan {
    /// What the result is: a base, or one larger delta.
    pub kind: ChunkKind,
    /// The hashes that it is about.
    pub range: HashRange,
    /// The chunks that are folded, as places in the list, rising.
    pub inputs: Vec<usize>,
}

impl CompactionPlan {
    /// The list with the result in the place of what was folded. `chunks` begins with the list that was
    /// planned for; chunks that were added behind it meanwhile stay as they are.
    pub fn apply(&self, chunks: &[ChunkRef], folded: Vec<ChunkRef>) -> Vec<ChunkRef> {
        let Some(&last) = self.inputs.last() else {
            return chunks.to_vec();
        };
        let mut result = Vec::with_capacity(chunks.len());
        for (place, chunk) in chunks.iter().enumerate() {
            // A base leaves its inputs to be pruned: they may count outside its range.
            if self.kind == ChunkKind::Base || !self.inputs.contains(&place) {
                result.push(chunk.clone());
            }
            if place == last {
                result.extend(folded.iter().cloned());
            }
        }
        crate::chunk::prune(result)
    }
}

/// Decides whether folding chunks of a state pays in a hash range: that of a worker, or the full one.
/// `chunks` is the state's list, oldest first. `None` if it does not.
pub fn plan_compaction(chunks: &[ChunkRef], range: HashRange) -> Option<CompactionPlan> {
    let seen = visible(chunks, range);
    let inputs: Vec<usize> = (0..chunks.len()).filter(|&i| !seen[i].is_empty()).collect();
    let (mut base_rows, mut delta_rows) = (0u64, 0u64);
    for &i in &inputs {
        let parts = seen[i].iter().map(|part| rows_in(&chunks[i], *part));
        let rows = parts.fold(0, u64::saturating_add);
        match chunks[i].kind {
            ChunkKind::Base => base_rows = base_rows.saturating_add(rows),
            ChunkKind::Delta => delta_rows = delta_rows.saturating_add(rows),
        }
    }
    let worth_it = inputs.len() >= FAN_IN || delta_rows >= SMALL;
    if inputs.len() > 1 && worth_it && delta_rows > 0 && delta_rows >= base_rows / 2 {
        return Some(CompactionPlan { kind: ChunkKind::Base, range, inputs });
    }
    // Only deltas that lie within the range can be taken away, and only if nothing stands between them.
    let within = |i: &usize| chunks[*i].kind == ChunkKind::Delta && range.covers(chunks[*i].range);
    let newest_first: Vec<usize> = inputs.into_iter().rev().take_while(within).collect();
    let tiers = newest_first.iter().map(|i| tier(chunks[*i].rows));
    let run = (0..=tiers.clone().max()?).find_map(|limit| {
        let run = tiers.clone().take_while(|tier| *tier <= limit).count();
        (run >= FAN_IN).then_some(run)
    })?;
    let inputs = newest_first.into_iter().take(run).rev().collect();
    Some(CompactionPlan { kind: ChunkKind::Delta, range, inputs })
}

/// How many of a chunk's rows lie in a part of its range, as far as hashes are spread evenly.
fn rows_in(chunk: &ChunkRef, part: HashRange) -> u64 {
    let width = |range: HashRange| u128::from(range.end() - range.start()) + 1;
    let rows = u128::from(chunk.rows) * (width(part) >> 32).max(1) / (width(chunk.range) >> 32).max(1);
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// Chunks of one tier are of about one size.
fn tier(rows: u64) -> u32 {
    (rows / SMALLEST).max(1).ilog(FAN_IN as u64)
}
