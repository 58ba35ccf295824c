//! States of each kind: what is in them changes, and once the kind itself.

use std::collections::BTreeMap;

use millpond::{KeyedContext, StateValue};
use serde::{Deserialize, Serialize};

use crate::{Define, KEPT, KEYS, Scene};

pub(crate) const ALL: &[(&str, Define)] = &[
    ("value", |scene| {
        scene.fold(scene.keyed(), "numbers", |numbers: &mut Vec<i32>, number| numbers.push(number as i32));
    }),
    ("list", |scene| list(scene, |number| number as i32)),
    ("list-wide", |scene| list(scene, |number| (number as i64) << 32)),
    ("map", |scene| map(scene, Hand::of, |number| number as i32)),
    ("map-wide", |scene| map(scene, WideHand::of, |number| (number as i64) << 32)),
    ("greatest", |scene| greatest(scene, |number| number as i32)),
    ("greatest-wide", |scene| greatest(scene, |number| (number as i64) << 32)),
];

/// All numbers of each key, in a list.
fn list<V: StateValue + std::fmt::Debug>(scene: &Scene<'_, '_>, of: fn(u64) -> V) {
    let lists = scene.keyed().process_fn(move |setup| {
        let numbers = setup.list::<V>("numbers");
        move |number: &u64, context: &mut KeyedContext<'_, u64, (u64, Vec<V>), ()>| {
            numbers.add(of(*number));
            context.emit((number % KEYS, numbers.get()));
            Ok(())
        }
    });
    scene.put_out(lists.uid(KEPT));
}

/// A key, and all that is in its map.
type Entries<M, V> = (u64, Vec<(M, V)>);

/// The last number of each key and hand, in a map.
fn map<M: StateValue + Ord + std::fmt::Debug, V: StateValue + std::fmt::Debug>(
    scene: &Scene<'_, '_>,
    key: fn(u64) -> M,
    of: fn(u64) -> V,
) {
    let maps = scene.keyed().process_fn(move |setup| {
        let numbers = setup.map::<M, V>("numbers");
        move |number: &u64, context: &mut KeyedContext<'_, u64, Entries<M, V>, ()>| {
            numbers.insert(key(number / KEYS), of(*number));
            let entries: BTreeMap<M, V> = numbers.entries().into_iter().collect();
            context.emit((number % KEYS, entries.into_iter().collect()));
            Ok(())
        }
    });
    scene.put_out(maps.uid(KEPT));
}

/// The greatest number of each key.
fn greatest<V: StateValue + std::fmt::Debug + Ord>(scene: &Scene<'_, '_>, of: fn(u64) -> V) {
    let greatest = scene.keyed().process_fn(move |setup| {
        let greatest = setup.reducing::<V>("numbers", |one, other| one.max(other).clone());
        move |number: &u64, context: &mut KeyedContext<'_, u64, (u64, Option<V>), ()>| {
            greatest.add(of(*number));
            context.emit((number % KEYS, greatest.get()));
            Ok(())
        }
    });
    scene.put_out(greatest.uid(KEPT));
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Hand {
    finger: i16,
    side: Side,
}

impl Hand {
    fn of(number: u64) -> Self {
        Hand { finger: (number % 3) as i16, side: if number.is_multiple_of(2) { Side::Left } else { Side::Right } }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Side {
    Left,
    Right,
}

/// The same with a wider field, a field of another name, and a variant of another name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct WideHand {
    #[serde(alias = "finger")]
    digit: i64,
    side: OtherSide,
}

impl WideHand {
    fn of(number: u64) -> Self {
        let side = if number.is_multiple_of(2) { OtherSide::Left } else { OtherSide::Dexter };
        WideHand { digit: (number % 3) as i64, side }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum OtherSide {
    Left,
    #[serde(alias = "Right")]
    Dexter,
}
