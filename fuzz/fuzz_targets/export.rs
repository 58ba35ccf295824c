//! The `millpond.json` of an exported directory, beside a snapshot that is whole, and what is read through it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_fuzz::{SNAPSHOT, block_on, read_or_refused, store_marked, unmark};
use millpond_snapshot::Error;
use millpond_snapshot::repository::{resolve, verify};
use object_store::path::Path;

const ADDRESS: &str = "memory://export";

fuzz_target!(|bytes: &[u8]| {
    block_on(async {
        let store = store_marked(ADDRESS, bytes).await;
        store.put_if_absent(&Path::from("snapshot.json"), SNAPSHOT.into()).await.unwrap();
        match resolve(&store, ADDRESS).await {
            // It says that it is a store.
            Err(Error::InvalidInput(_)) => {}
            // The chunks are not there, wherever it says that they are.
            result => {
                if let Some(snapshot) = read_or_refused(result) {
                    let found = verify(&[snapshot], |_, _| {}).await.unwrap();
                    assert!(!found.problems.is_empty());
                }
            }
        }
        unmark(&store).await;
    });
});
