//! Noticing that the connection to another process is lost.
//!
//! Timely reads and writes connections on threads of its own, and such a thread panics when its connection breaks; the
//! workers hear nothing of it and would wait for ever. The panic is the only sign there is, so it is taken as one.

use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use tokio::sync::Notify;

static WATCHERS: Mutex<Vec<Weak<Notify>>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

/// Is notified when a connection of this process is lost.
pub(crate) fn watch() -> Arc<Notify> {
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if is_connection(std::thread::current().name()) {
                notify();
            } else {
                before(panic);
            }
        }));
    });
    let watcher = Arc::new(Notify::new());
    let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
    watchers.retain(|watcher| watcher.strong_count() > 0);
    watchers.push(Arc::downgrade(&watcher));
    watcher
}

/// Whether a thread of this name is one of timely's that serve a connection.
fn is_connection(thread: Option<&str>) -> bool {
    thread.is_some_and(|name| name.starts_with("timely:recv-") || name.starts_with("timely:send-"))
}

fn notify() {
    let watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
    watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.notify_one());
}
