//! Keys whose variants have other names than before. A name is part of what a key is hashed by, and it is the one thing
//! that two programs may write differently though their types look the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use millpond::{Collect, IteratorSource, Job, StateDescriptor, WatermarkStrategy};
use serde::{Deserialize, Serialize};

use crate::support::{becomes, fails, fresh_store, options, plain};

/// Each program's own types, with the same variants in other roles.
macro_rules! kinds {
    ($($module:ident { $($(#[$attribute:meta])* $variant:ident),* })*) => {$(
        #[allow(dead_code, reason = "not every program has all of it")]
        mod $module {
            use serde::{Deserialize, Serialize};
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
            pub(super) enum Kind {
                $($(#[$attribute])* $variant),*
            }
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub(super) enum Holding {
                Nothing,
                Some { kind: Kind, number: u16 },
            }
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub(super) struct Deep {
                pub(super) id: u64,
                pub(super) kinds: Vec<Kind>,
                pub(super) pair: (u8, Option<Kind>),
                pub(super) holding: Holding,
            }
            pub(super) fn deep(id: u64, one: Kind, other: Kind) -> Deep {
                Deep { id, kinds: vec![one, other], pair: (1, Some(other)), holding: Holding::Some { kind: one, number: 7 } }
            }
        }
    )*};
}

kinds! {
    plain_names { Bus, Train }
    renamed { Bus, #[serde(alias = "Train")] Tram }
    // Knows the same three names as `renamed`, in the same order.
    renamed_back { Bus, #[serde(alias = "Tram")] Train }
    // Knows the same two names as `plain_names`.
    merged { #[serde(alias = "Train")] Bus }
}

#[test]
fn a_renamed_variant_is_found_under_its_new_name() {
    use plain_names::Kind as Old;
    use renamed::Kind as New;
    becomes(&[(Old::Bus, 1_u64), (Old::Train, 2)], |keys| keys, plain::<u64>, &[(New::Bus, 1), (New::Tram, 2)]);
}

#[test]
fn so_it_is_where_both_programs_know_the_same_names() {
    use renamed::Kind as Old;
    use renamed_back::Kind as New;
    becomes(&[(Old::Bus, 1_u64), (Old::Tram, 2)], |keys| keys, plain::<u64>, &[(New::Bus, 1), (New::Train, 2)]);
}

#[test]
fn and_inside_structs_lists_tuples_and_other_enums() {
    let rows: Vec<_> = (0..60)
        .map(|n| {
            let kind = |n: u64| if n.is_multiple_of(2) { renamed::Kind::Bus } else { renamed::Kind::Tram };
            (renamed::deep(n, kind(n), kind(n / 2)), n)
        })
        .collect();
    let expected: Vec<_> = (0..60)
        .map(|n| {
            let kind =
                |n: u64| if n.is_multiple_of(2) { renamed_back::Kind::Bus } else { renamed_back::Kind::Train };
            (renamed_back::deep(n, kind(n), kind(n / 2)), n)
        })
        .collect();
    becomes(&rows, |keys| keys, plain::<u64>, &expected);
}

#[test]
fn a_program_that_keeps_its_aliases_need_not_move_keys_again() {
    use renamed::Kind;
    let rows = [(Kind::Bus, 1_u64), (Kind::Tram, 2)];
    becomes(&rows, |keys| keys, plain::<u64>, &rows);
}

#[test]
fn two_variants_that_become_one_are_merged_or_named() {
    let rows = [(plain_names::Kind::Bus, 1_u64), (plain_names::Kind::Train, 2)];
    let state = || StateDescriptor::new("state").merge(|a: u64, b: u64| a + b);
    becomes(&rows, |keys| keys, state, &[(merged::Kind::Bus, 3)]);
    let reasons = [r#"key "Bus""#, r#"key "Train""#, "become one and the same", ".merge(|a, b| …)"];
    fails::<_, _, merged::Kind, u64>(&rows, |keys| keys, plain::<u64>, &reasons);
}

/// A key that its program writes in lower case from now on: no type shows that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
struct Lower(String);

impl From<String> for Lower {
    fn from(text: String) -> Self {
        Lower(text.to_lowercase())
    }
}

impl From<Lower> for String {
    fn from(lower: Lower) -> Self {
        lower.0
    }
}

#[test]
fn what_no_type_shows_is_refused_by_the_rows() {
    let rows = [("a".to_owned(), 1_u64), ("B".to_owned(), 2)];
    let reasons = ["operator 'state', state 'state'", r#"key "b" has the hash"#, ".migrate_key(…)"];
    fails::<_, _, Lower, u64>(&rows, |keys| keys, plain::<u64>, &reasons);
    // Where the value changes too, the rows are read another way.
    fails::<_, _, Lower, i128>(&rows, |keys| keys, plain::<i128>, &reasons);
    becomes(&rows[..1], |keys| keys, plain::<u64>, &[(Lower("a".to_owned()), 1)]);
}

impl PartialOrd for Lower {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Lower {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[test]
fn nor_do_two_keys_of_a_map_become_one_unnoticed() {
    let store = fresh_store();
    let old = |n: u64| if n.is_multiple_of(2) { "bus".to_owned() } else { "Bus".to_owned() };
    let adds: Vec<_> = (0..4 * KEYS).map(|n| (n, Some(n + 1))).collect();
    let (_, from) = maps((&store, 2, None), old, adds, false).unwrap();
    let new = |_| Lower("bus".to_owned());
    let error = maps((&store, 2, Some(from.clone())), new, Vec::new(), false).expect_err("it must not start");
    let reasons =
        ["operator 'kinds', state 'kinds'", r#"map key "Bus" is written as "bus""#, ".migrate_map_key(…)"];
    for reason in reasons {
        assert!(error.to_string().contains(reason), "expected '{reason}' in: {error}");
    }
    // With a shape of its own, there is a way.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Named {
        name: Lower,
    }
    let out = Collect::new();
    let given = out.clone();
    let job = Job::new("evolving", move |env| {
        env.source(IteratorSource::new(|| 0..KEYS), WatermarkStrategy::none())
            .uid("keys")
            .key_by(|key| *key)
            .process_fn(|setup| {
                let state = StateDescriptor::new("kinds")
                    .migrate_map_key(|old: String| Named { name: Lower::from(old) }, |a: u64, b: u64| a + b);
                let kinds = setup.map::<Named, u64>(state);
                move |key: &u64, context| {
                    kinds.entries().into_iter().for_each(|(kind, sum)| context.emit((*key, kind.name.0, sum)));
                    Ok(())
                }
            })
            .uid("kinds")
            .sink(given.sink())
            .uid("out");
        Ok(())
    });
    job.run(options(&store, 3, Some(from))).unwrap();
    let found: Found = out.items().into_iter().map(|(key, kind, sum)| ((key, kind), sum)).collect();
    let mut sums = Found::new();
    (0..4 * KEYS).for_each(|n| *sums.entry((n % KEYS, "bus".to_owned())).or_default() += n + 1);
    assert_eq!(found, sums);
}

/// Variants within variants: how they are written is not looked into so deep.
macro_rules! trees {
    ($($module:ident $(#[$attribute:meta])* $variant:ident),*) => {$(
        mod $module {
            use serde::{Deserialize, Serialize};
            #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
            pub(super) enum Tree {
                Leaf,
                Branch(Box<Tree>),
                $(#[$attribute])* $variant(Box<Tree>),
            }
            pub(super) fn tree(n: u64) -> Tree {
                Tree::Branch(Box::new(if n.is_multiple_of(2) { Tree::Leaf } else { Tree::$variant(Box::new(Tree::Leaf)) }))
            }
        }
    )*};
}

trees! {
    old_trees #[serde(alias = "Fork")] Twig,
    new_trees #[serde(alias = "Twig")] Fork
}

#[test]
fn nor_do_variants_that_stand_within_variants() {
    let store = fresh_store();
    let adds: Vec<_> = (0..4 * KEYS).map(|n| (n, Some(n + 1))).collect();
    let (before, from) = maps((&store, 2, None), old_trees::tree, adds, false).unwrap();
    let twig = "Branch(Twig(Leaf))";
    assert!(before.keys().any(|(_, kind)| kind == twig), "{before:?}");
    let error = maps((&store, 2, Some(from.clone())), new_trees::tree, vec![(KEYS, Some(1000))], false)
        .expect_err("it must not start");
    assert!(error.to_string().contains("is written as"), "{error}");
    let (again, _) = maps((&store, 3, Some(from)), old_trees::tree, Vec::new(), false).unwrap();
    assert!(again.keys().any(|(_, kind)| kind == twig), "{again:?}");
}

#[test]
fn numbers_in_keys_keep_their_hash_at_any_width() {
    let rows: Vec<(u64, u64)> = (0..50).map(|n| (u64::MAX - n, n)).chain((0..50).map(|n| (n, n))).collect();
    let wide: Vec<(u128, u64)> = rows.iter().map(|(key, n)| (u128::from(*key), *n)).collect();
    becomes(&rows, |keys| keys, plain::<u64>, &wide);
    let signed: Vec<(i128, u64)> = rows.iter().map(|(key, n)| (i128::from(*key), *n)).collect();
    becomes(&rows, |keys| keys, plain::<u64>, &signed);
    let rows: Vec<((i32, i8), u64)> = (0..60).map(|n| ((n - 30, -(n as i8)), n as u64)).collect();
    let wide: Vec<((i64, i16), u64)> =
        rows.iter().map(|((a, b), n)| ((i64::from(*a), i16::from(*b)), *n)).collect();
    becomes(&rows, |keys| keys, plain::<u64>, &wide);
}

/// Keys that have a map: so many that a change to a few is a small one.
const KEYS: u64 = 40;

/// A program that adds numbers to a map of each key, by kind, takes away what it is told to, and then says what is there.
fn map_job<M: millpond::StateValue + Ord + std::fmt::Debug + Sync>(
    kind: fn(u64) -> M,
    steps: Vec<(u64, Option<u64>)>,
    merge: bool,
    out: &Collect<(u64, String, u64)>,
) -> Job {
    // Each run has steps of its own.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let out = out.clone();
    Job::new("evolving", move |env| {
        let steps = steps.clone();
        env.source(IteratorSource::new(move || steps.clone().into_iter()), WatermarkStrategy::none())
            .uid(&format!("steps-{run}"))
            .key_by(|(n, _): &(u64, Option<u64>)| n % KEYS)
            .process_fn(move |setup| {
                let state = StateDescriptor::new("kinds");
                let kinds = match merge {
                    true => setup.map::<M, u64>(state.merge(|a: u64, b: u64| a + b)),
                    false => setup.map::<M, u64>(state),
                };
                move |(n, add): &(u64, Option<u64>), context: &mut millpond::KeyedContext<'_, u64, _, ()>| {
                    match add {
                        Some(0) => kinds.entries().into_iter().for_each(|(kind, sum)| {
                            context.emit((*context.key(), format!("{kind:?}"), sum));
                        }),
                        Some(add) => kinds.upsert(kind(n / KEYS), || 0, |sum| *sum += add),
                        None => drop(kinds.remove(&kind(n / KEYS))),
                    }
                    Ok(())
                }
            })
            .uid("kinds")
            .sink(out.sink())
            .uid(&format!("out-{run}"));
        Ok(())
    })
}

/// Sums by key and kind.
type Found = BTreeMap<(u64, String), u64>;

/// What is there after `steps`, from a snapshot or nothing; and the snapshot that comes of it.
fn maps<M: millpond::StateValue + Ord + std::fmt::Debug + Sync>(
    (store, parallelism, from): (&str, usize, Option<String>),
    kind: fn(u64) -> M,
    mut steps: Vec<(u64, Option<u64>)>,
    merge: bool,
) -> Result<(Found, String), millpond::Error> {
    steps.extend((0..KEYS).map(|key| (key, Some(0))));
    let out = Collect::new();
    let report = map_job(kind, steps, merge, &out).run(options(store, parallelism, from))?;
    let found = out.items().into_iter().map(|(key, kind, sum)| ((key, kind), sum)).collect();
    Ok((found, report.snapshot.expect("a snapshot at the end")))
}

#[test]
fn keys_of_maps_whose_variants_were_renamed_stay_one_entry() {
    let old = |n: u64| if n.is_multiple_of(2) { renamed::Kind::Bus } else { renamed::Kind::Tram };
    let new = |n: u64| if n.is_multiple_of(2) { renamed_back::Kind::Bus } else { renamed_back::Kind::Train };
    let adds = |from: u64, to: u64| (from..to).map(|n| (n, Some(n + 1))).collect::<Vec<_>>();
    let expected = |numbers: std::ops::Range<u64>, names: [&str; 2], gone: &[u64]| {
        let mut sums = BTreeMap::new();
        for n in numbers {
            let entry = ((n % KEYS, names[(n / KEYS % 2) as usize].to_owned()), n + 1);
            *sums.entry(entry.0).or_default() += entry.1;
        }
        sums.retain(|(key, name), _| !(gone.contains(key) && name == names[1]));
        sums
    };
    let store = fresh_store();
    let (found, from) = maps((&store, 2, None), old, adds(0, 4 * KEYS), false).unwrap();
    assert_eq!(found, expected(0..4 * KEYS, ["Bus", "Tram"], &[]));
    // Takes some away: little enough for a delta, whose tombstones must name what is there.
    let (found, from) = maps((&store, 3, Some(from)), new, vec![(KEYS, None), (KEYS + 1, None)], false).unwrap();
    assert_eq!(found, expected(0..4 * KEYS, ["Bus", "Train"], &[0, 1]));
    // Goes on with the same entries.
    let (found, from) = maps((&store, 1, Some(from)), new, adds(6 * KEYS, 6 * KEYS + 5), false).unwrap();
    let mut sums = expected(0..4 * KEYS, ["Bus", "Train"], &[0, 1]);
    (6 * KEYS..6 * KEYS + 5).for_each(|n| *sums.get_mut(&(n % KEYS, "Bus".to_owned())).unwrap() += n + 1);
    assert_eq!(found, sums);
    let (found, _) = maps((&store, 2, Some(from)), new, Vec::new(), false).unwrap();
    assert_eq!(found, sums);
}

#[test]
fn keys_of_maps_that_become_one_are_merged_or_named() {
    let old = |n: u64| if n.is_multiple_of(2) { plain_names::Kind::Bus } else { plain_names::Kind::Train };
    let new = |_| merged::Kind::Bus;
    let store = fresh_store();
    let adds: Vec<_> = (0..4 * KEYS).map(|n| (n, Some(n + 1))).collect();
    let (_, from) = maps((&store, 2, None), old, adds, false).unwrap();
    let error = maps((&store, 2, Some(from.clone())), new, Vec::new(), false).expect_err("it must not start");
    for reason in ["operator 'kinds', state 'kinds'", "map key", "become one and the same", ".merge(|a, b| …)"] {
        assert!(error.to_string().contains(reason), "expected '{reason}' in: {error}");
    }
    let (found, _) = maps((&store, 3, Some(from)), new, Vec::new(), true).unwrap();
    let mut sums = BTreeMap::new();
    (0..4 * KEYS).for_each(|n| *sums.entry((n % KEYS, "Bus".to_owned())).or_default() += n + 1);
    assert_eq!(found, sums);
}
