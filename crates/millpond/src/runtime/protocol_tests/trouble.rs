//! What happens to which write of a log.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use millpond_snapshot::log::{AppendOutcome, Entry, EntryBody, JobLog};
use millpond_snapshot::repository::SnapshotAddress;
use millpond_snapshot::{Sequence, Store};
use object_store::memory::InMemory;
use object_store::path::Path;

use super::faulty::{Fault, Operation};

/// Something that happens to entries of a kind, once it is armed.
#[derive(Clone)]
pub(super) struct Trouble {
    kinds: &'static [&'static str],
    what: What,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    /// The first write meets a fault; the store is well again at once.
    Once(Fault),
    /// The first write of an entry meets a fault, and until another entry is written nothing can be found out.
    Away(Fault),
    /// Another run begins at the number, a moment before.
    Rival,
}

#[derive(Default)]
struct State {
    armed: bool,
    /// The entries that trouble happened to.
    victims: Vec<Vec<u8>>,
    /// Where the store does not answer.
    away: Option<Path>,
}

impl Trouble {
    fn new(kinds: &'static [&'static str], what: What) -> Trouble {
        Trouble { kinds, what, state: Arc::default() }
    }

    /// To the first entry of the first of these kinds.
    pub(super) fn once(kinds: &'static [&'static str], fault: Fault) -> Trouble {
        Trouble::new(&kinds[..1], What::Once(fault))
    }

    /// To the first entry of each kind, in this order.
    pub(super) fn away(kinds: &'static [&'static str], fault: Fault) -> Trouble {
        Trouble::new(kinds, What::Away(fault))
    }

    /// To the first entry of the first of these kinds.
    pub(super) fn rival(kinds: &'static [&'static str]) -> Trouble {
        Trouble::new(&kinds[..1], What::Rival)
    }

    pub(super) fn arm(&self) {
        self.state().armed = true;
    }

    pub(super) fn happened(&self) -> bool {
        !self.state().victims.is_empty()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to an operation on the store of `objects`.
    pub(super) fn meet(&self, objects: &Arc<InMemory>, operation: Operation<'_>) -> Fault {
        let Operation { what, path: Some(path), bytes } = operation else { return Fault::None };
        let mut state = self.state();
        if what == "get" && state.away.as_ref() == Some(path) {
            return Fault::Before;
        }
        let (true, true, Some(bytes)) = (state.armed, path.as_ref().contains("/log/"), bytes) else {
            return Fault::None;
        };
        let bytes: Vec<u8> = bytes.iter().flat_map(|part| part.to_vec()).collect();
        let again = state.victims.contains(&bytes);
        let entry = Entry::parse("put", &bytes).expect("a run writes entries");
        let new = !again && self.kinds.get(state.victims.len()) == Some(&entry.body.kind());
        if new {
            state.victims.push(bytes);
        }
        match self.what {
            What::Once(fault) if new => fault,
            What::Rival if new => {
                rival(objects, &entry);
                Fault::None
            }
            What::Away(fault) if new => {
                state.away = Some(path.clone());
                fault
            }
            What::Away(_) if again => Fault::Before,
            _ => {
                state.away = None;
                Fault::None
            }
        }
    }
}

/// Another run begins where `entry` was to stand, from the newest snapshot.
fn rival(objects: &Arc<InMemory>, entry: &Entry) {
    let log = JobLog::open(&Store::over(objects.clone(), "calm://"), &entry.job);
    let newest = log.newest_snapshot().now_or_never().expect("memory never waits").unwrap();
    let restored_from = newest.map(|newest| SnapshotAddress::Entry(newest.id()));
    let Sequence(number) = entry.sequence;
    let start = EntryBody::Start { parallelism: 1, restored_from, options: Default::default() };
    let start = Entry::new(entry.job.clone(), Sequence(number), Sequence(number), start).unwrap();
    let appended = log.append(&start).now_or_never().expect("memory never waits").unwrap();
    assert_eq!(appended, AppendOutcome::Appended);
}
