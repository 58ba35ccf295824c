//! What a person types to name a snapshot: what is read is written back as it was, or there is an error for the user.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millpond_snapshot::Error;
use millpond_snapshot::repository::SnapshotAddress;

fuzz_target!(|text: &str| {
    match text.parse::<SnapshotAddress>() {
        Ok(address) => assert_eq!(address.to_string().parse::<SnapshotAddress>().unwrap(), address),
        Err(Error::InvalidInput(message)) => assert!(!message.is_empty() && message.len() < 2000),
        Err(other) => panic!("{other}"),
    }
});
