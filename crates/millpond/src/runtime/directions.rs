//! What a run was told to do with the state that it starts with, and what the next one still has to hear of it.
//!
//! The flags of a run count until its first snapshot: from then on the snapshot says it all. If the run dies before, the
//! next one begins from where it began and must do the same, although its command line may not say so. And if the same
//! command is run again after that snapshot, as a supervisor does, sources must not be set back a second time.
//!
//! ```text
//!  start (told: a) ── died ──▶ start: a is in force still
//!  start (told: a) ── snapshot ── died ──▶ start (told: a, b): a is held by the snapshot, b is in force
//! ```
//!
//! Pure: a function of what is given now and of the log.

use std::collections::BTreeMap;

use millpond_snapshot::log::{Entry, EntryBody};

use crate::job::restore_plan::RestoreFlags;
use crate::source::SourcePosition;

/// Under which a start entry says which flags are in force until the run's first snapshot.
const IN_FORCE: &str = "restore";
/// Under which a start entry says which positions of sources a snapshot holds already.
const HELD: &str = "positions-held";

/// What a run is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directions {
    /// Until its first snapshot.
    pub(crate) flags: RestoreFlags,
    /// Positions that were in force in a run that this one goes on from: a snapshot holds what came of them.
    pub(crate) held: Vec<(String, SourcePosition)>,
}

impl Directions {
    /// Of a run that goes on where the last one, by the entries of the job's log, was cut off. `given` is what its own
    /// command line says.
    pub(crate) fn go_on(given: RestoreFlags, entries: &[Entry]) -> Self {
        let starts = entries.iter().rev().filter(|entry| entry.run == entry.sequence);
        let Some((start, options)) = starts.into_iter().find_map(|entry| match &entry.body {
            EntryBody::Start { options, .. } => Some((entry, options)),
            _ => None,
        }) else {
            return Directions { flags: given, held: Vec::new() };
        };
        let ended = entries.iter().any(|entry| entry.run == start.sequence && entry.ends_run());
        if ended {
            return Directions { flags: given, held: Vec::new() };
        }
        let last = Directions::read(options);
        let of_run = |entry: &&Entry| entry.run == start.sequence && entry.belongs_to_run();
        let has_snapshot = entries.iter().filter(of_run).any(|entry| entry.snapshot().is_some());
        last.followed_by(given, has_snapshot)
    }

    /// What the next run is told, if this one published a snapshot, or died before.
    fn followed_by(self, given: RestoreFlags, has_snapshot: bool) -> Self {
        let Directions { flags: last, mut held } = self;
        if has_snapshot {
            for position in &last.positions {
                held.retain(|(uid, _)| *uid != position.0);
                held.push(position.clone());
            }
        }
        let is_new = |position: &(String, SourcePosition)| !held.contains(position);
        let mut flags = RestoreFlags { positions: given.positions.into_iter().filter(is_new).collect(), ..given };
        if !has_snapshot {
            let said = |uid: &str, flags: &RestoreFlags| flags.positions.iter().any(|(of, _)| of == uid);
            let kept: Vec<_> = last.positions.into_iter().filter(|(uid, _)| !said(uid, &flags)).collect();
            flags.positions.extend(kept);
            flags.allow_non_restored |= last.allow_non_restored;
            let is_mapped = |(old, new): &(String, String), map: &[(String, String)]| {
                map.iter().any(|(a, b)| a == old || b == new)
            };
            let kept: Vec<_> = last.map.into_iter().filter(|pair| !is_mapped(pair, &flags.map)).collect();
            flags.map.extend(kept);
            flags.drop.extend(last.drop);
            flags.pending_output = flags.pending_output.or(last.pending_output);
        }
        Directions { flags, held }
    }

    /// As a start entry keeps it.
    pub(crate) fn write(&self, options: &mut BTreeMap<String, String>) {
        let mut put = |name: &str, text: serde_json::Result<String>| {
            // Flags are plain data; there is nothing in them that JSON could not hold.
            options.extend(text.ok().map(|text| (name.to_owned(), text)));
        };
        if self.flags != RestoreFlags::default() {
            put(IN_FORCE, serde_json::to_string(&self.flags));
        }
        if !self.held.is_empty() {
            put(HELD, serde_json::to_string(&self.held));
        }
    }

    /// What a start entry says. One that cannot be read says nothing: it is another version's.
    fn read(options: &BTreeMap<String, String>) -> Self {
        fn option<T: serde::de::DeserializeOwned + Default>(options: &BTreeMap<String, String>, name: &str) -> T {
            options.get(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
        }
        Directions { flags: option(options, IN_FORCE), held: option(options, HELD) }
    }
}

#[cfg(test)]
mod tests {
    use millpond_snapshot::manifest::Manifest;
    use millpond_snapshot::{Epoch, JobName, Sequence};

    use super::*;
    use crate::job::options::PendingOutput;
    use crate::runtime::past::test_record;

    fn job() -> JobName {
        "j".parse().unwrap()
    }

    fn at(uid: &str, position: &str) -> (String, SourcePosition) {
        (uid.to_owned(), position.parse().unwrap())
    }

    fn told(positions: &[(String, SourcePosition)]) -> RestoreFlags {
        RestoreFlags { positions: positions.to_vec(), ..RestoreFlags::default() }
    }

    fn entry(sequence: u64, run: u64, body: EntryBody) -> Entry {
        Entry::new(job(), Sequence(sequence), Sequence(run), body).unwrap()
    }

    fn start(sequence: u64, directions: &Directions) -> Entry {
        let mut options = BTreeMap::new();
        directions.write(&mut options);
        entry(sequence, sequence, EntryBody::Start { parallelism: 1, restored_from: None, options })
    }

    fn checkpoint(sequence: u64, run: u64) -> Entry {
        let record = test_record(Manifest::new(job(), Epoch(1)));
        entry(sequence, run, EntryBody::Checkpoint(record))
    }

    #[test]
    fn a_first_run_does_what_it_is_told() {
        let given = told(&[at("a", "end")]);
        assert_eq!(Directions::go_on(given.clone(), &[]), Directions { flags: given, held: vec![] });
    }

    #[test]
    fn what_no_snapshot_holds_is_told_again() {
        let all = RestoreFlags {
            allow_non_restored: true,
            map: vec![("x".into(), "y".into())],
            drop: vec![("z".into(), None)],
            positions: vec![at("a", "end"), at("b", "7")],
            pending_output: Some(PendingOutput::Commit),
        };
        let first = Directions { flags: all.clone(), held: vec![] };
        let next = Directions::go_on(RestoreFlags::default(), &[start(1, &first)]);
        assert_eq!(next, first);
        let again = Directions::go_on(RestoreFlags::default(), &[start(1, &first), start(2, &next)]);
        assert_eq!(again, first);
        // What is said now counts.
        let next = Directions::go_on(told(&[at("b", "9")]), &[start(1, &first)]);
        assert_eq!(next.flags.positions, [at("b", "9"), at("a", "end")]);
    }

    #[test]
    fn what_a_snapshot_holds_is_not_done_a_second_time() {
        let first = Directions { flags: told(&[at("a", "end")]), held: vec![] };
        let log = [start(1, &first), checkpoint(2, 1)];
        let held = Directions { flags: told(&[]), held: vec![at("a", "end")] };
        assert_eq!(Directions::go_on(told(&[]), &log), held);
        assert_eq!(Directions::go_on(told(&[at("a", "end")]), &log), held);
        // The next run dies before it has a snapshot; the command is run once more.
        let log = [start(1, &first), checkpoint(2, 1), start(3, &held)];
        assert_eq!(Directions::go_on(told(&[at("a", "end")]), &log), held);
        // Another position is another wish.
        let next = Directions::go_on(told(&[at("a", "beginning")]), &log);
        assert_eq!(next, Directions { flags: told(&[at("a", "beginning")]), held: vec![at("a", "end")] });
        let log = [start(3, &next), checkpoint(4, 3)];
        assert_eq!(Directions::go_on(told(&[]), &log).held, [at("a", "beginning")]);
    }

    #[test]
    fn a_run_that_ended_on_purpose_tells_the_next_one_nothing() {
        let first = Directions { flags: told(&[at("a", "end")]), held: vec![] };
        let log = [start(1, &first), entry(2, 1, EntryBody::Cancel { retained: false })];
        assert_eq!(Directions::go_on(told(&[]), &log), Directions::default());
    }

    #[test]
    fn a_start_entry_of_another_version_says_nothing() {
        let options = [("restore", "{"), ("positions-held", "7")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let body = EntryBody::Start { parallelism: 1, restored_from: None, options: options.into() };
        assert_eq!(Directions::go_on(told(&[]), &[entry(1, 1, body)]), Directions::default());
    }
}
