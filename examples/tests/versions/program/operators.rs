//! Operators and states come, go and are called something else.

use millpond::{KeyedContext, Stream, ValueState};

use crate::{Define, KEPT, KEYS, Scene};

pub(crate) const ALL: &[(&str, Define)] = &[
    ("one", |scene| scene.put_out(sums(scene.numbers()).uid(KEPT).map(named("sum")))),
    ("one-of-another-uid", |scene| scene.put_out(sums(scene.numbers()).uid("held").map(named("sum")))),
    // No uid is given: it follows from those of the inputs.
    ("derived", |scene| scene.put_out(sums(scene.numbers()).map(named("sum")))),
    ("derived-behind-a-filter", |scene| {
        scene.put_out(sums(scene.numbers().filter(|_| true)).map(named("sum")));
    }),
    ("two", |scene| {
        let numbers = scene.numbers();
        let counts = numbers.clone().key_by(|number| number % KEYS).count().uid("counted").map(named("count"));
        scene.put_out(sums(numbers).uid(KEPT).map(named("sum")).union([counts]));
    }),
    ("two-states", two_states),
    ("one-state", one_state),
];

/// What it is, the key, a number.
type Named = (String, u64, u64);

fn named(what: &'static str) -> impl Fn(&(u64, u64)) -> Named + 'static {
    move |(key, number)| (what.to_owned(), *key, *number)
}

/// The sum of each key, by an operator whose uid is still to be given.
fn sums(numbers: Stream<'_, u64>) -> Stream<'_, (u64, u64)> {
    numbers.key_by(|number| number % KEYS).sum(|number| *number)
}

fn added(to: &ValueState<u64>, number: u64) -> u64 {
    to.update(|so_far| {
        *so_far += number;
        *so_far
    })
}

fn two_states(scene: &Scene<'_, '_>) {
    let both = scene.keyed().process_fn(|setup| {
        let (sum, count) = (setup.value("sum"), setup.value("count"));
        move |number: &u64, context: &mut KeyedContext<'_, u64, Named, ()>| {
            let key = number % KEYS;
            context.emit(("sum".to_owned(), key, added(&sum, *number)));
            context.emit(("count".to_owned(), key, added(&count, 1)));
            Ok(())
        }
    });
    scene.put_out(both.uid(KEPT));
}

fn one_state(scene: &Scene<'_, '_>) {
    let sums = scene.keyed().process_fn(|setup| {
        let sum = setup.value("sum");
        move |number: &u64, context: &mut KeyedContext<'_, u64, Named, ()>| {
            context.emit(("sum".to_owned(), number % KEYS, added(&sum, *number)));
            Ok(())
        }
    });
    scene.put_out(sums.uid(KEPT));
}
