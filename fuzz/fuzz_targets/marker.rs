//! The `millpond.json` of a store.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_fuzz::{block_on, read_or_refused, store_marked, unmark};
use millpond_snapshot::store::OpenMode;

fuzz_target!(|bytes: &[u8]| {
    block_on(async {
        let store = store_marked("memory://marker", bytes).await;
        read_or_refused(store.check_marker(OpenMode::Existing).await);
        unmark(&store).await;
    });
});
