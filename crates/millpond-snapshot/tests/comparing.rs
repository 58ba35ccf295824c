//! States of every kind are compared, also those whose rows have nothing beside their key.

use millpond_snapshot::Store;
use millpond_snapshot::repository::{StateDiff, diff, resolve};
use millpond_snapshot::state::DiffCounts;
use millpond_snapshot::store::OpenMode;

#[tokio::test]
async fn timers_have_no_values_and_are_compared_all_the_same() {
    let golden = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/tests/golden/v1/store";
    let store = Store::open(&golden, OpenMode::Existing).await.unwrap();
    let [before, after] = ["flights@2", "flights@3"].map(|address| resolve(&store, address));
    let (before, after) = (before.await.unwrap(), after.await.unwrap());
    let mut told = 0;
    let found = diff(&before, &after, |state, _| told += u64::from(state.state.as_str() == "timers"));
    let found = found.await.unwrap();
    let timers = found.common.iter().find(|(state, _)| state.state.as_str() == "timers");
    let counts = DiffCounts { added: 1, removed: 2, changed: 0, same: 3 };
    assert_eq!(timers.map(|(_, diff)| diff), Some(&StateDiff::Rows(counts)));
    assert_eq!(told, 3);
}
