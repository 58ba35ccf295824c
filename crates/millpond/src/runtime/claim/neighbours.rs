//! The runs of this process, by store and job. It is all that can be known where a store has no locks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millpond_snapshot::Store;

use super::Holder;

/// A store and a job.
type Place = (String, String);

static RUNS: Mutex<BTreeMap<Place, Holder>> = Mutex::new(BTreeMap::new());

fn runs() -> MutexGuard<'static, BTreeMap<Place, Holder>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One name for a store, however its address is written.
pub(super) fn place(store: &Store) -> String {
    match store.directory() {
        Some(directory) => directory.display().to_string(),
        None => store.address().trim_end_matches('/').to_owned(),
    }
}

/// A run's line in the table, taken out when it is dropped.
pub(super) struct Neighbour {
    place: Place,
    id: String,
}

impl Neighbour {
    /// Enters a run. If there is one, it gives way only if it is taken over from.
    pub(super) fn take(place: Place, me: &Holder, take_over: bool) -> Result<Neighbour, Holder> {
        let mut runs = runs();
        if let Some(other) = runs.get(&place)
            && !take_over
        {
            return Err(other.clone());
        }
        runs.insert(place.clone(), me.clone());
        Ok(Neighbour { place, id: me.id.clone() })
    }

    pub(super) fn update(&self, me: &Holder) {
        if let Some(mine) = runs().get_mut(&self.place).filter(|run| run.id == self.id) {
            *mine = me.clone();
        }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let mut runs = runs();
        if runs.get(&self.place).is_some_and(|run| run.id == self.id) {
            runs.remove(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_a_place_and_who_was_taken_over_from_takes_nothing_away() {
        let place = || ("memory://neighbours".to_owned(), "j".to_owned());
        let run = |id: &str| Holder { id: id.to_owned(), ..Holder::default() };
        let first = Neighbour::take(place(), &run("a"), false).ok().unwrap();
        assert_eq!(Neighbour::take(place(), &run("b"), false).err(), Some(run("a")));
        let second = Neighbour::take(place(), &run("b"), true).ok().unwrap();
        drop(first);
        assert_eq!(Neighbour::take(place(), &run("c"), false).err(), Some(run("b")));
        drop(second);
        assert!(Neighbour::take(place(), &run("c"), false).is_ok());
    }
}
