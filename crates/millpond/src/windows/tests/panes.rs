//! What is kept of the windows of one key.

use std::time::Duration;

use proptest::prelude::*;

use crate::state::setup::KeyedSetup;
use crate::time::EventTime;
use crate::windows::fold::{Everything, Fold};
use crate::windows::kept::Kept;
use crate::windows::panes::{Fixed, Panes, Placed, Sessions};
use crate::windows::{Session, Tumbling, Window, WindowAssigner};

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
        |_| false,
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
        panes.look(&id, |kept: &<Everything as Fold<i64>>::Kept| records.clone_from(kept));
        (panes.window(&id).expect("it is listed"), records)
    };
    panes.all().into_iter().map(hold).collect()
}

fn sessions() -> Sessions<Vec<i64>> {
    <Sessions<_> as Panes<i64, Everything>>::declare(
        &mut KeyedSetup::new::<u64>(0, 1, Default::default()),
        Kept::default(),
    )
}

#[test]
fn windows_of_another_size_live_beside_each_other() {
    let panes: Fixed<Vec<i64>> =
        Panes::<i64, Everything>::declare(&mut KeyedSetup::new::<u64>(0, 1, Default::default()), Kept::default());
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
    let is_late = |window: Window| window.end <= at(15);
    let outcome = panes.add(gap, at(5), &5, &Everything, is_late, |place| {
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
