//! A log entry, and the manifest in it. What is read can be written, and reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_fuzz::read_or_refused;
use millpond_snapshot::log::Entry;

fuzz_target!(|bytes: &[u8]| {
    if let Some(entry) = read_or_refused(Entry::parse("entry", bytes)) {
        let written = serde_json::to_vec(&entry).unwrap();
        assert_eq!(Entry::parse("entry", &written).unwrap(), entry);
    }
});
