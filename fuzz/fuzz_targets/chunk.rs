//! A chunk behind its hash, as somebody forges it who also forges the manifest that names it. A chunk in a pack is the
//! same bytes, read from elsewhere.
//!
//! The input is eight hexadecimal digits, by which a golden chunk's name begins, and the bytes that stand in for it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use millpond_fuzz::{SNAPSHOT, read_or_refused, uncaught_panics_only};
use millpond_snapshot::ChunkHash;
use millpond_snapshot::chunk::{ChunkReader, ChunkRef, StateKind};
use millpond_snapshot::hash::HashRange;
use millpond_snapshot::log::Entry;

static GOLDEN: LazyLock<Vec<(StateKind, ChunkRef)>> = LazyLock::new(|| {
    let entry = Entry::parse("snapshot.json", SNAPSHOT).unwrap();
    let operators = &entry.snapshot().unwrap().manifest.operators;
    let states = operators.iter().flat_map(|operator| &operator.states);
    states.flat_map(|state| state.chunks.iter().map(|chunk| (state.kind, chunk.clone()))).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((name, bytes)) = input.split_at_checked(8) else { return };
    let named = |(_, chunk): &&(StateKind, ChunkRef)| chunk.hash.to_string().as_bytes().starts_with(name);
    let Some((state, golden)) = GOLDEN.iter().find(named) else { return };
    let forged = ChunkRef { hash: ChunkHash::of(bytes), bytes: bytes.len() as u64, ..golden.clone() };
    uncaught_panics_only(|| {
        for range in [HashRange::FULL, HashRange::of_worker(1, 3)] {
            let reader = ChunkReader::new(bytes.to_vec().into(), &forged, *state, range);
            for batch in read_or_refused(reader).into_iter().flatten() {
                read_or_refused(batch);
            }
        }
    });
});
