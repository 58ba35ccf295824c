//! What is kept of the windows of one key.

use std::time::Duration;

use proptest::prelude::*;

use crate::state::setup::KeyedSetup;
use crate::time::EventTime;
use crate::windows::fold::{Counting, Everything, Fold};
use crate::windows::kept::Kept;
use crate::windows::panes::{Fixed, Panes, Placed, Sessions};
use crate::windows::rules::{Phase, Rules};
use crate::windows::slices::Sliced;
use crate::windows::{Session, Sliding, Tumbling, Window, WindowAssigner};

fn at(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

fn window(start: i64, end: i64) -> Window {
    Window { start: at(start), end: at(end) }
}

/// Puts a record that is its own time in. What it went into, what that was before, and how many it swallowed.
fn add<P: Panes<i64, Everything>>(
    panes: &P,
    assigner: impl Into<WindowAssigner>,
    time: i64,
) -> (Window, Option<Window>, usize) {
    let mut placed = Vec::new();
    let outcome = panes.add(
        assigner.into(),
        at(time),
        &time,
        &Everything,
        |_| Phase::Open,
        |place| {
            placed.push(place);
            Ok(())
        },
    );
    outcome.expect("nothing fails");
    match placed.pop() {
        Some(Placed::In(entered)) => (entered.window, entered.before, entered.absorbed.len()),
        Some(Placed::Known(_, window)) => (window, Some(window), 0),
        _ => panic!("the record of {time} went nowhere"),
    }
}

/// Windows and what they hold.
fn held<P: Panes<i64, Everything>>(panes: &P) -> Vec<(Window, Vec<i64>)> {
    let hold = |id| {
        let mut records = Vec::new();
        panes.look(&id, &Everything, |kept: &<Everything as Fold<i64>>::Kept| records.clone_from(kept));
        (panes.window(&id).expect("it is listed"), records)
    };
    panes.all().into_iter().map(hold).collect()
}

fn sessions() -> Sessions<Vec<i64>> {
    <Sessions<_> as Panes<i64, Everything>>::declare(
        &mut KeyedSetup::new::<u64>(0, 1, Default::default()),
        Kept::default(),
        &rules(Session::gap(Duration::from_millis(10))),
    )
}

fn rules(assigner: impl Into<WindowAssigner>) -> Rules {
    Rules::new("window", assigner.into())
}

#[test]
fn windows_of_another_size_live_beside_each_other() {
    let panes: Fixed<Vec<i64>> = Panes::<i64, Everything>::declare(
        &mut KeyedSetup::new::<u64>(0, 1, Default::default()),
        Kept::default(),
        &rules(Tumbling::of(Duration::from_millis(10))),
    );
    add(&panes, Tumbling::of(Duration::from_millis(10)), 5);
    add(&panes, Tumbling::of(Duration::from_millis(20)), 6);
    assert_eq!(held(&panes), [(window(0, 10), vec![5]), (window(0, 20), vec![6])]);
    let due = |end, gone| {
        let mut ids = Vec::new();
        Panes::<i64, Everything>::due(&panes, at(end), at(gone), &mut ids);
        ids
    };
    assert_eq!(due(20, 9), [window(0, 20)]);
    assert_eq!(due(10, 10), [window(0, 10)]);
    assert_eq!(due(30, 20), [window(0, 10), window(0, 20)]);
}

#[test]
fn a_late_record_is_not_kept() {
    let panes = sessions();
    let mut placed = Vec::new();
    let gap: WindowAssigner = Session::gap(Duration::from_millis(10)).into();
    let phase = |window: Window| if window.end <= at(15) { Phase::Gone } else { Phase::Open };
    let outcome = panes.add(gap, at(5), &5, &Everything, phase, |place| {
        placed.push(place);
        Ok(())
    });
    outcome.expect("nothing fails");
    assert!(matches!(placed[..], [Placed::Late]));
    assert!(Panes::<i64, Everything>::is_empty(&panes));
}

#[test]
fn a_session_grows_in_its_place_and_one_that_starts_earlier_moves() {
    let (panes, gap) = (sessions(), Session::gap(Duration::from_millis(10)));
    assert_eq!(add(&panes, gap, 100), (window(100, 110), None, 0));
    assert_eq!(add(&panes, gap, 109), (window(100, 119), Some(window(100, 110)), 0));
    assert_eq!(add(&panes, gap, 119), (window(119, 129), None, 0), "the gap apart is another session");
    assert_eq!(add(&panes, gap, 95), (window(95, 119), None, 1));
    assert_eq!(add(&panes, gap, 110), (window(95, 129), None, 2), "it joins the two");
    assert_eq!(held(&panes), [(window(95, 129), vec![100, 109, 95, 119, 110])]);
}

/// Sorts, and starts anew where the gap is.
fn by_definition(times: &[i64], gap: i64) -> Vec<(Window, Vec<i64>)> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let mut all: Vec<(Window, Vec<i64>)> = Vec::new();
    for time in times {
        match all.last_mut() {
            Some((session, records)) if time < session.end.as_millis() => {
                session.end = at(time + gap);
                records.push(time);
            }
            _ => all.push((window(time, time + gap), vec![time])),
        }
    }
    all
}

proptest! {
    #[test]
    fn sessions_do_not_depend_on_the_order_of_arrival(
        times in prop::collection::vec(-300_i64..300, 1..40), gap in 1_i64..40,
    ) {
        let panes = sessions();
        for time in &times {
            add(&panes, Session::gap(Duration::from_millis(gap as u64)), *time);
        }
        let mut held = held(&panes);
        held.iter_mut().for_each(|(_, records)| records.sort_unstable());
        prop_assert_eq!(held, by_definition(&times, gap));
    }
}

/// What one way to keep windows holds of them.
fn sums<P: Panes<i64, Counting, Id = Window>>(panes: &P, windows: &[Window]) -> Vec<Option<u64>> {
    let sum = |window: &Window| {
        let mut sum = None;
        panes.look(window, &Counting, |kept: &u64| sum = Some(*kept));
        assert_eq!(sum.is_some(), panes.window(window).is_some());
        sum
    };
    windows.iter().map(sum).collect()
}

proptest! {
    #[test]
    fn slices_hold_what_whole_windows_hold(
        times in prop::collection::vec(-60_i64..60, 1..30),
        slides in (1_i64..8, 1_i64..8),
        slices in (2_i64..6, 2_i64..6),
        gone in prop::collection::vec(0..40_usize, 0..6),
    ) {
        let sliding = |slide: i64, slices: i64| -> WindowAssigner {
            let millis = |millis: i64| Duration::from_millis(millis as u64);
            Sliding::of(millis(slide * slices), millis(slide)).into()
        };
        // The second half comes by other rules than the first.
        let assigners = [sliding(slides.0, slices.0), sliding(slides.1, slices.1)];
        let shares = Rules { shares_slices: true, ..rules(assigners[0]) };
        let setup = || KeyedSetup::new::<u64>(0, 1, Default::default());
        let sliced: Sliced<u64> = Panes::<i64, Counting>::declare(&mut setup(), Kept::default(), &shares);
        let whole: Fixed<u64> = Panes::<i64, Counting>::declare(&mut setup(), Kept::default(), &shares);
        let mut fresh = Vec::new();
        for (place, time) in times.iter().enumerate() {
            let assigner = assigners[place * 2 / times.len()];
            let open = |_: Window| Phase::Open;
            sliced.add(assigner, at(*time), time, &Counting, open, |placed| {
                if let Placed::In(entered) = placed {
                    fresh.push(entered.window);
                }
                Ok(())
            }).expect("nothing fails");
            whole.add(assigner, at(*time), time, &Counting, open, |_| Ok(())).expect("nothing fails");
        }
        let mut windows = Panes::<i64, Counting>::all(&whole);
        prop_assert_eq!(&Panes::<i64, Counting>::all(&sliced), &windows);
        prop_assert_eq!(sums(&sliced, &windows), sums(&whole, &windows));
        fresh.sort_unstable();
        fresh.dedup();
        prop_assert_eq!(&fresh, &windows, "each is said to be new");
        for place in gone {
            // Windows go in the order in which they end.
            let end = windows.get(place).map_or(at(i64::MAX), |window| window.end);
            let (mut due, mut of_whole) = (Vec::new(), Vec::new());
            Panes::<i64, Counting>::due(&sliced, end, end, &mut due);
            Panes::<i64, Counting>::due(&whole, end, end, &mut of_whole);
            due.sort_unstable();
            due.dedup();
            let here = |due: &[Window]| due.iter().filter(|window| window.end == end).copied().collect::<Vec<_>>();
            prop_assert_eq!(here(&due), here(&of_whole));
            windows.iter().filter(|window| window.end <= end).for_each(|window| {
                Panes::<i64, Counting>::remove(&sliced, window);
                Panes::<i64, Counting>::remove(&whole, window);
            });
            windows.retain(|window| window.end > end);
            prop_assert_eq!(sums(&sliced, &windows), sums(&whole, &windows));
        }
        if windows.is_empty() {
            prop_assert!(Panes::<i64, Counting>::is_empty(&sliced));
        }
    }
}
