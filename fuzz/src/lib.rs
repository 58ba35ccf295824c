//! What the targets share: what a decoder may do with hostile bytes, and the golden files that they begin from.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once};

use millpond_snapshot::store::{OpenMode, layout};
use millpond_snapshot::{Error, Result, Store};

/// The log entry of the golden snapshot, as it was exported.
pub const SNAPSHOT: &[u8] = include_bytes!("../../crates/millpond-snapshot/tests/golden/v1/export/snapshot.json");

/// What was read, or `None` if it was refused by an error that says which file it is about and what is wrong with it.
pub fn read_or_refused<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(read) => return Some(read),
        Err(Error::Corrupt { file, field, problem }) => {
            assert!(!file.is_empty() && !field.is_empty() && !problem.is_empty());
        }
        Err(Error::Unsupported { found, newest, .. }) => assert_ne!(found, newest),
        Err(other) => panic!("not an error about bytes: {other}"),
    }
    None
}

/// Runs `body`, in which panics may be caught. libFuzzer's own hook ends the process at the first panic, whether
/// anybody would have caught it or not; here it does at one that nobody catches.
pub fn uncaught_panics_only(body: impl FnOnce()) {
    static HOOK: Once = Once::new();
    static LAST: Mutex<String> = Mutex::new(String::new());
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            if let Ok(mut last) = LAST.lock() {
                *last = panic.to_string();
            }
        }));
    });
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        eprintln!("{}", LAST.lock().map(|last| last.clone()).unwrap_or_default());
        std::process::abort();
    }
}

/// A runtime for what is asynchronous.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A store in memory whose `millpond.json` says this. It is the same one at each call.
pub async fn store_marked(address: &str, marker: &[u8]) -> Store {
    let store =
        Store::open(address, OpenMode::CreateIfMissing).await.expect("the last input's marker was taken away");
    store.delete(&layout::marker()).await.unwrap();
    store.put_if_absent(&layout::marker(), marker.to_vec().into()).await.unwrap();
    store
}

/// Takes that marker away again.
pub async fn unmark(store: &Store) {
    store.delete(&layout::marker()).await.unwrap();
}
