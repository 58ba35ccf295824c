//! Runs of one job that fight over its log, on a store that fails, delays, and lies.

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{entry, job, record, start};
use faulty::{Fault, Faulty};
use millpond_snapshot::log::{AppendOutcome, ContinueDecision, Entry, EntryBody, JobLog};
use millpond_snapshot::repository::SnapshotAddress;
use millpond_snapshot::{Sequence, Store};
use object_store::memory::InMemory;
use proptest::prelude::*;

fn log_over(
    objects: &Arc<InMemory>,
    next: impl Fn(&str) -> Fault + Send + Sync + 'static,
) -> (Arc<Faulty>, JobLog) {
    let faulty = Arc::new(Faulty::new(objects.clone(), next));
    let store = Store::over(faulty.clone(), "faulty://");
    (faulty, JobLog::open(&store, &job("flights")))
}

fn calm(objects: &Arc<InMemory>) -> JobLog {
    log_over(objects, |_| Fault::None).1
}

/// Fails the operations of these numbers, counted from 0.
fn failing(faults: &[(usize, Fault)]) -> impl Fn(&str) -> Fault + Send + Sync + 'static {
    let (faults, count): (BTreeMap<_, _>, _) = (faults.iter().copied().collect(), AtomicUsize::new(0));
    move |_| faults.get(&count.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(Fault::None)
}

fn checkpoint(sequence: u64, run: u64) -> Entry {
    entry(sequence, run, EntryBody::Checkpoint(record(vec![])))
}

#[tokio::test]
async fn an_append_that_is_reported_as_failed_finds_out_that_it_happened() {
    for fault in [Fault::After, Fault::Before, Fault::Late] {
        let objects = Arc::new(InMemory::new());
        let (_, log) = log_over(&objects, failing(&[(0, fault)]));
        assert_eq!(log.append(&start(1)).await.unwrap(), AppendOutcome::Appended, "{fault:?}");
        assert!(calm(&objects).read(Sequence(1)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_append_that_cannot_be_asked_after_says_that_it_may_have_happened() {
    let objects = Arc::new(InMemory::new());
    let (_, log) = log_over(&objects, |operation| match operation {
        "put" => Fault::After,
        _ => Fault::Before,
    });
    let entry = start(1);
    let error = log.append(&entry).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    // Asking again, with the same entry, tells.
    assert_eq!(calm(&objects).append(&entry).await.unwrap(), AppendOutcome::Appended);
}

#[tokio::test]
async fn a_late_write_of_a_dead_run_does_not_displace_its_successor() {
    let objects = Arc::new(InMemory::new());
    calm(&objects).append(&start(1)).await.unwrap();
    let (zombie_store, zombie) = log_over(&objects, |op| if op == "put" { Fault::Late } else { Fault::None });
    let late = checkpoint(2, 1);
    assert!(zombie.append(&late).await.unwrap_err().may_have_happened());

    let successor = calm(&objects);
    let (decision, next) = successor.plan_start().await.unwrap();
    assert_eq!((decision, next), (ContinueDecision::Fresh, Sequence(2)));
    assert_eq!(successor.append(&start(2)).await.unwrap(), AppendOutcome::Appended);
    zombie_store.settle().await;
    assert_eq!(successor.read(Sequence(2)).await.unwrap().unwrap().run, Sequence(2));
    assert_eq!(calm(&objects).append(&late).await.unwrap(), AppendOutcome::Taken);
}

/// A run and its successor, with the run's checkpoint falling at each place among the successor's steps.
#[tokio::test]
async fn a_zombie_and_its_successor_never_both_go_on() {
    for place in 0..3 {
        let objects = Arc::new(InMemory::new());
        let (zombie, successor) = (calm(&objects), calm(&objects));
        zombie.append(&start(1)).await.unwrap();
        let mut checkpointed = None;
        if place == 0 {
            checkpointed = Some(zombie.append(&checkpoint(2, 1)).await.unwrap());
        }
        let (mut decision, mut next) = successor.plan_start().await.unwrap();
        if place == 1 {
            checkpointed = Some(zombie.append(&checkpoint(2, 1)).await.unwrap());
        }
        while successor.append(&start(next.0)).await.unwrap() == AppendOutcome::Taken {
            assert_eq!(place, 1, "only then something happened between the plan and the start");
            (decision, next) = successor.plan_start().await.unwrap();
        }
        if place == 2 {
            checkpointed = Some(zombie.append(&checkpoint(2, 1)).await.unwrap());
        }
        let from = SnapshotAddress::Entry(checkpoint(2, 1).id());
        let expected = match checkpointed {
            Some(AppendOutcome::Appended) => ContinueDecision::From(from),
            _ => ContinueDecision::Fresh,
        };
        assert_eq!(checkpointed == Some(AppendOutcome::Appended), place < 2, "place {place}");
        assert_eq!(decision, expected, "place {place}");
        // Whatever the zombie tries next, it learns of its successor.
        assert_eq!(zombie.append(&checkpoint(next.0, 1)).await.unwrap(), AppendOutcome::Taken);
    }
}

/// What a run believes.
#[derive(Clone)]
struct Run {
    log: JobLog,
    run: Sequence,
    next: Sequence,
    /// An entry whose append was left open.
    open: Option<Entry>,
    alive: bool,
}

/// Plays runs against each other, driven by `choices`, and gives what each was told is appended.
async fn play(choices: Vec<u8>) -> (Arc<InMemory>, Vec<Entry>) {
    let objects = Arc::new(InMemory::new());
    let script = Arc::new((choices.clone(), AtomicUsize::new(0)));
    let next_choice = {
        let script = script.clone();
        move || script.0.get(script.1.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(255)
    };
    let fault = {
        let next_choice = next_choice.clone();
        move |_: &str| match next_choice() {
            0..30 => Fault::Before,
            30..60 => Fault::After,
            60..80 => Fault::Late,
            _ => Fault::None,
        }
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut told: Vec<Entry> = Vec::new();
    for _ in 0..choices.len() / 6 {
        let choice = usize::from(next_choice());
        if runs.iter().filter(|run| run.alive).count() < 4 && choice.is_multiple_of(5) {
            let (_, log) = log_over(&objects, fault.clone());
            let Ok((_, next)) = log.plan_start().await else {
                continue;
            };
            runs.push(Run { log, run: next, next, open: None, alive: true });
        }
        if runs.is_empty() {
            continue;
        }
        let index = choice % runs.len();
        let run = &mut runs[index];
        if !run.alive {
            continue;
        }
        let entry = run.open.take().unwrap_or_else(|| {
            if run.next == run.run { start(run.run.0) } else { checkpoint(run.next.0, run.run.0) }
        });
        match run.log.append(&entry).await {
            Ok(AppendOutcome::Appended) => {
                told.push(entry);
                run.next = run.next.next();
            }
            Ok(AppendOutcome::Taken) => run.alive = false,
            Err(error) => {
                assert!(error.may_have_happened(), "{error}");
                run.open = Some(entry);
            }
        }
    }
    (objects, told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_appended_stays_and_no_run_writes_after_its_successor(
        choices in prop::collection::vec(any::<u8>(), 0..400)
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let (objects, told) = play(choices).await;
            let log = calm(&objects);
            for entry in &told {
                let found = log.read(entry.sequence).await.unwrap();
                assert_eq!(found.as_ref(), Some(entry), "an entry that was appended is the entry at its number");
            }
            let entries = log.entries().await.unwrap();
            for (earlier, later) in entries.iter().zip(entries.iter().skip(1)) {
                assert_eq!(later.sequence, earlier.sequence.next(), "numbers have no gaps");
                assert!(later.run >= earlier.run, "a run wrote after its successor");
            }
        });
    }
}

#[tokio::test]
async fn the_play_is_worth_watching() {
    let mut state = 42u64;
    let choices = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    let choices = choices.take(4000).collect();
    let (_, told) = play(choices).await;
    let runs: std::collections::BTreeSet<_> = told.iter().map(|entry| entry.run).collect();
    assert!(told.len() > 20 && runs.len() > 1, "{} entries of {} runs", told.len(), runs.len());
}
