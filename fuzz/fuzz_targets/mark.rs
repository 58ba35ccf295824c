//! A tag, a pin or a fork record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_fuzz::{block_on, read_or_refused};
use millpond_snapshot::Store;
use millpond_snapshot::repository::tags;
use millpond_snapshot::store::{OpenMode, layout};

fuzz_target!(|bytes: &[u8]| {
    block_on(async {
        let store = Store::open("memory://mark", OpenMode::CreateIfMissing).await.unwrap();
        let (job, name) = ("flights".parse().unwrap(), "monday".parse().unwrap());
        let path = layout::tag(&job, &name);
        store.put_if_absent(&path, bytes.to_vec().into()).await.unwrap();
        if let Some(tags) = read_or_refused(tags(&store, &job).await) {
            assert!(tags.contains_key(&name));
        }
        store.delete(&path).await.unwrap();
    });
});
