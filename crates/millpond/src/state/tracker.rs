//! Which entries changed in which epoch.
//!
//! A freeze is a mark: the list of entries that changed since the last one is set aside, and copied out in slices
//! while the operator works on. An entry that is about to change before it was copied is copied just before. The
//! cost of a snapshot follows what changed, and no record waits for more than a slice.
//!
//! A snapshot that takes everything needs no list: entries are copied in the order of the hashes of their keys, and the
//! tracker remembers how far that has come.

use std::num::NonZero;

use super::slabs::Slabs;

/// What an entry remembers about itself: when it last changed, and whether a snapshot knows it. Never zero, so that a store can
/// tell by the same bytes that there is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(NonZero<u32>);

const PERSISTED: NonZero<u32> = NonZero::new(1 << 31).unwrap();
const STORED: NonZero<u32> = NonZero::new(1 << 30).unwrap();

impl Mark {
    /// The mark of an entry that came out of a snapshot and has not changed since.
    pub(crate) const RESTORED: Mark = Mark(PERSISTED);

    /// The mark of an entry that came out of a row on disk and has not changed since; a snapshot has it, or will.
    pub(crate) const STORED: Mark = Mark(NonZero::new(PERSISTED.get() | STORED.get()).unwrap());

    #[inline]
    fn version(self) -> u32 {
        self.0.get() & !(PERSISTED.get() | STORED.get())
    }

    /// Whether a row on disk has this entry as it is.
    pub(crate) fn is_stored(self) -> bool {
        self.0.get() & STORED.get() != 0
    }
}

/// The least length from which a list of changes is pruned, or given up.
const PRUNE_FROM: usize = 1024;

/// How much of a state a snapshot takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What changed since the last one.
    Changes,
    /// That, or everything if it comes to much the same.
    Cheaper,
    /// Everything.
    Everything,
}

/// The entries of one store that a snapshot must take, by id.
#[derive(Debug)]
pub(crate) struct Tracker<Id> {
    /// Counts freezes, from 1; entries changed since the last freeze carry this version.
    version: NonZero<u32>,
    changed: Slabs<Id>,
    removed: Slabs<Id>,
    /// Whether the lists were given up, so that the next freeze takes everything.
    unlisted: bool,
    frozen: Option<Frozen<Id>>,
}

type Listed<Id> = <Slabs<Id> as IntoIterator>::IntoIter;

/// What is still to be copied.
#[derive(Debug)]
enum Frozen<Id> {
    /// Tombstones, then what changed.
    Changes { removed: Listed<Id>, changed: Listed<Id> },
    /// Every entry that was there, but those up to and with this one.
    Everything { copied: Option<Placed<Id>> },
}

/// How far on the walk through everything a key lies.
pub(crate) type Spot = u64;

/// Where an entry's key is on the walk, and which entry it is: the order in which everything is copied.
pub(crate) type Placed<Id> = (Spot, Id);

/// The next thing that a list has for a snapshot.
pub(crate) enum Next<Id> {
    /// Look at this entry, and if [`Tracker::is_due`] copy it and make its mark [`Mark::RESTORED`]: it may be named once more.
    Changed(Id),
    /// Write a tombstone.
    Removed(Id),
    /// The copy is complete.
    Done,
}

impl<Id: Clone> Tracker<Id> {
    pub(crate) fn new() -> Self {
        Tracker {
            version: NonZero::<u32>::MIN,
            changed: Slabs::new(),
            removed: Slabs::new(),
            unlisted: false,
            frozen: None,
        }
    }

    /// Whether the entry with `mark` belongs to the snapshot being copied and has not been copied. `is_behind` says
    /// whether its place is behind a given one. Who copies it must change or remove it next, unless
    /// [`Tracker::next`] says otherwise, or go on to [`Tracker::came_to`] it.
    #[inline]
    pub(crate) fn is_due(&self, mark: Mark, is_behind: impl FnOnce(&Placed<Id>) -> bool) -> bool {
        match &self.frozen {
            None => false,
            Some(Frozen::Changes { .. }) => mark.version() + 1 == self.version.get() && mark.version() != 0,
            Some(Frozen::Everything { copied }) => {
                mark.version() != self.version.get() && copied.as_ref().is_none_or(is_behind)
            }
        }
    }

    /// Notes that an entry changes. The caller has copied it if it was due.
    #[inline]
    pub(crate) fn change(&mut self, mark: &mut Mark, id: impl FnOnce() -> Id) {
        if !self.is_changed(*mark) {
            *mark = Mark(self.version | PERSISTED.get());
            self.list(id);
        }
    }

    /// The mark of an entry that is new.
    #[inline]
    pub(crate) fn added(&mut self, id: impl FnOnce() -> Id) -> Mark {
        self.list(id);
        Mark(self.version)
    }

    #[inline]
    fn list(&mut self, id: impl FnOnce() -> Id) {
        if !self.unlisted {
            self.changed.push(id());
        }
    }

    /// Notes that an entry is removed. The caller has copied it if it was due. Says whether a tombstone is needed.
    pub(crate) fn remove(&mut self, mark: Mark, id: impl FnOnce() -> Id) -> bool {
        let persisted = self.is_persisted(mark);
        if persisted && !self.unlisted {
            self.removed.push(id());
        }
        persisted
    }

    /// Whether the entry with `mark` changed since the last freeze.
    #[inline]
    pub(crate) fn is_changed(&self, mark: Mark) -> bool {
        mark.version() == self.version.get()
    }

    /// Whether a snapshot has the entry with `mark`: one of before, or, as it was there at the last freeze, that one.
    fn is_persisted(&self, mark: Mark) -> bool {
        mark.0.get() & PERSISTED.get() != 0 || !self.is_changed(mark)
    }

    /// The mark of an entry that comes out of a row on disk: a snapshot has it, or (`changed`) the next one will.
    pub(crate) fn faulted_in(&mut self, changed: bool, id: impl FnOnce() -> Id) -> Mark {
        let mut mark = if changed { Mark::RESTORED } else { Mark::STORED };
        if changed {
            self.change(&mut mark, id);
        }
        mark
    }

    /// Takes out the removals of the entries that `leaves` names: their tombstones are written elsewhere.
    pub(crate) fn take_removed(&mut self, leaves: impl Fn(&Id) -> bool) -> Vec<Id> {
        if self.removed.is_empty() {
            return Vec::new();
        }
        let (left, stay): (Vec<Id>, Vec<Id>) = std::mem::take(&mut self.removed).into_iter().partition(leaves);
        self.removed = stay.into_iter().collect();
        left
    }

    /// Forgets entries that are listed twice, or that have left, once the list has outgrown the `live` entries.
    pub(crate) fn prune(&mut self, live: usize, is_changed: impl Fn(&Self, &Id) -> bool)
    where
        Id: Ord,
    {
        if self.changed.len() < 4 * live + PRUNE_FROM {
            return;
        }
        let mut changed: Vec<Id> = std::mem::take(&mut self.changed).into_iter().collect();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|id| is_changed(self, id));
        self.changed = changed.into_iter().collect();
    }

    /// Gives up the lists once so much of the `live` entries has changed that the next snapshot takes everything: whatever happens
    /// until then, it stays as much. Only where a snapshot may take everything.
    pub(crate) fn shorten(&mut self, live: usize) {
        if self.changed.len() + self.removed.len() >= PRUNE_FROM && self.is_mostly_changed(live) {
            (self.changed, self.removed, self.unlisted) = (Slabs::new(), Slabs::new(), true);
        }
    }

    /// Whether so much has changed that writing all `live` entries costs no more than twice as much as writing what
    /// changed: then there will be nothing to fold together later.
    fn is_mostly_changed(&self, live: usize) -> bool {
        let changed = self.changed.len() + self.removed.len();
        changed > 0 && changed.saturating_mul(2) >= live
    }

    /// Whether a snapshot of this `extent` takes all `live` entries.
    pub(crate) fn takes_all(&self, extent: Extent, live: usize) -> bool {
        match extent {
            _ if self.unlisted => true,
            Extent::Changes => false,
            Extent::Cheaper => self.is_mostly_changed(live),
            Extent::Everything => true,
        }
    }

    /// Sets aside what changed since the last freeze, or all that there is. The last copy is complete by then.
    pub(crate) fn freeze(&mut self, everything: bool) {
        debug_assert!(self.frozen.is_none(), "one snapshot at a time");
        let (removed, changed) = (std::mem::take(&mut self.removed), std::mem::take(&mut self.changed));
        self.frozen = Some(match everything {
            true => Frozen::Everything { copied: None },
            false => Frozen::Changes { removed: removed.into_iter(), changed: changed.into_iter() },
        });
        self.unlisted = false;
        // In thirty years of a snapshot each second.
        self.version =
            self.version.checked_add(1).filter(|version| *version < STORED).expect("fewer than 2^30 snapshots");
    }

    /// The next entry to copy of a list, if there is one. Tombstones come first: a key that was removed and came back is written
    /// as both, and the later row counts.
    pub(crate) fn next(&mut self) -> Next<Id> {
        let next = match &mut self.frozen {
            Some(Frozen::Changes { removed, changed }) => {
                removed.next().map(Next::Removed).or_else(|| changed.next().map(Next::Changed))
            }
            None | Some(Frozen::Everything { .. }) => return Next::Done,
        };
        next.unwrap_or_else(|| {
            self.frozen = None;
            Next::Done
        })
    }

    /// The last entry that was looked at of everything.
    pub(crate) fn copied(&self) -> Option<&Placed<Id>> {
        match &self.frozen {
            Some(Frozen::Everything { copied }) => copied.as_ref(),
            _ => None,
        }
    }

    /// All entries up to and with this one have been looked at, and copied if they were due.
    pub(crate) fn came_to(&mut self, place: Placed<Id>) {
        if let Some(Frozen::Everything { copied }) = &mut self.frozen {
            *copied = Some(place);
        }
    }

    /// All entries have been.
    pub(crate) fn came_to_the_end(&mut self) {
        self.frozen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_listed_once_an_epoch_and_due_until_copied() {
        let mut tracker = Tracker::new();
        let mut mark = tracker.added(|| 7);
        tracker.change(&mut mark, || 7);
        assert!(!tracker.is_due(mark, |copied| (1, 7) > *copied), "nothing is frozen");
        tracker.freeze(false);
        assert!(tracker.is_due(mark, |copied| (1, 7) > *copied));
        assert!(matches!(tracker.next(), Next::Changed(7)));
        mark = Mark::RESTORED;
        assert!(!tracker.is_due(mark, |copied| (1, 7) > *copied) && tracker.is_persisted(mark));
        assert!(matches!(tracker.next(), Next::Done));
        tracker.change(&mut mark, || 7);
        tracker.freeze(false);
        assert!(tracker.is_due(mark, |copied| (1, 7) > *copied) && tracker.is_persisted(mark));
    }

    #[test]
    fn of_everything_an_entry_is_due_until_it_was_passed_unless_it_came_later() {
        let mut tracker = Tracker::new();
        let (changed, kept) = (tracker.added(|| 7), Mark::RESTORED);
        tracker.freeze(true);
        assert!(
            tracker.is_due(changed, |copied| (5, 7) > *copied) && tracker.is_due(kept, |copied| (5, 7) > *copied)
        );
        let new = tracker.added(|| 9);
        assert!(!tracker.is_due(new, |copied| (6, 9) > *copied), "it was not there at the freeze");
        assert!(tracker.copied().is_none() && matches!(tracker.next(), Next::Done));
        tracker.came_to((5, 7));
        assert!(
            !tracker.is_due(kept, |copied| (5, 7) > *copied) && tracker.is_due(kept, |copied| (6, 1) > *copied)
        );
        assert_eq!(tracker.copied(), Some(&(5, 7)));
        tracker.came_to_the_end();
        assert!(!tracker.is_due(kept, |copied| (6, 1) > *copied));
    }

    #[test]
    fn lists_of_most_of_what_there_is_are_given_up_until_the_next_freeze() {
        let mut tracker = Tracker::new();
        let add = |tracker: &mut Tracker<usize>, times, live| {
            for id in 0..times {
                tracker.added(|| id);
                tracker.shorten(live);
            }
        };
        add(&mut tracker, PRUNE_FROM - 1, 1);
        assert!(!tracker.takes_all(Extent::Changes, 1) && tracker.changed.len() == PRUNE_FROM - 1);
        add(&mut tracker, PRUNE_FROM, 4 * PRUNE_FROM);
        assert!(!tracker.takes_all(Extent::Changes, 1) && tracker.changed.len() == 2 * PRUNE_FROM - 1);
        add(&mut tracker, 1, 4 * PRUNE_FROM);
        assert!(tracker.takes_all(Extent::Changes, 4 * PRUNE_FROM) && tracker.changed.is_empty());
        assert!(tracker.remove(Mark::RESTORED, || 1) && tracker.removed.is_empty());
        tracker.freeze(true);
        assert!(!tracker.takes_all(Extent::Changes, 1));
        add(&mut tracker, 3, 1);
        assert_eq!(tracker.changed.len(), 3);
    }

    #[test]
    fn only_what_a_snapshot_knows_needs_a_tombstone() {
        let mut tracker = Tracker::new();
        let mut mark = tracker.added(|| 1);
        assert!(!tracker.remove(mark, || 1));
        assert!(tracker.remove(Mark::RESTORED, || 2));
        tracker.freeze(false);
        assert!(matches!(tracker.next(), Next::Removed(2)));
        assert!(tracker.remove(mark, || 1), "the last freeze has it");
        tracker.change(&mut mark, || 1);
        assert!(tracker.remove(mark, || 1), "also when it has changed since");
        let new = tracker.added(|| 3);
        assert!(!tracker.remove(new, || 3));
    }
}
