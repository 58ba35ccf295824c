//! The key hash against vectors that were computed without this crate, with Python and xxHash's own code.

use std::collections::BTreeMap;

use millpond_snapshot::hash::{KeyError, key_bytes, key_hash};
use serde::Serialize;

#[derive(Serialize)]
struct Point {
    x: i32,
    y: i64,
}

#[derive(Serialize)]
struct Metres(u16);

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
enum Shape {
    Dot,
    Circle(u8),
    Box(u32, i8),
    Line { to: u64 },
}

fn vectors() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let rows = include_str!("golden/v1/key-hash.tsv").lines().skip(1);
    let columns = rows.map(|row| row.split('\t').collect::<Vec<_>>());
    columns.map(|row| (row[0], (row[1], row[2]))).collect()
}

macro_rules! check {
    ($($key:expr),* $(,)?) => {{
        let mut vectors = vectors();
        $(
            let name = stringify!($key);
            let (bytes, hash) = vectors.remove(name).unwrap_or_else(|| panic!("no vector for {name}"));
            let found: String = key_bytes(&$key).unwrap().iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(found, bytes, "canonical bytes of {name}");
            assert_eq!(format!("{:016x}", key_hash(&$key).unwrap()), hash, "hash of {name}");
        )*
        assert!(vectors.is_empty(), "not checked: {:?}", vectors.keys());
    }};
}

#[test]
#[rustfmt::skip]
fn keys_hash_as_the_vectors_say() {
    check![
        0_u8, 7_u8, 7_i64, -1_i8, -1_i64, u64::MAX, i64::MIN,
        1_u128 << 64, -1_i128, i128::MIN, u128::from(u64::MAX),
        true, false, 'é', "", "a", "Zürich", "x".repeat(56), "x".repeat(57), "x".repeat(300),
        (), None::<u32>, Some(7_u32), Some(None::<u32>),
        (1_u8, "a"), [1_u16, 2], vec![1_u16, 2], Vec::<u16>::new(), vec![vec!["a"], vec![]],
        Point { x: 1, y: -2 }, Metres(3), Unit,
        Shape::Dot, Shape::Circle(5), Shape::Box(1, 2), Shape::Line { to: 9 },
    ];
}

/// A sequence whose length its type does not tell.
struct Lazy(u64);

impl Serialize for Lazy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut items = serializer.serialize_seq(None)?;
        (0..self.0).try_for_each(|item| items.serialize_element(&item))?;
        items.end()
    }
}

#[test]
fn a_sequence_of_unknown_length_hashes_as_a_known_one() {
    for length in [0, 1, 7, 8, 100] {
        let known: Vec<u64> = (0..length).collect();
        assert_eq!(key_bytes(&Lazy(length)).unwrap(), key_bytes(&known).unwrap());
        let nested = (Lazy(length), Lazy(2), "tail");
        assert_eq!(key_bytes(&nested).unwrap(), key_bytes(&(known, vec![0, 1], "tail")).unwrap());
    }
}

#[test]
fn what_has_no_single_form_is_no_key() {
    let map: BTreeMap<u8, u8> = [(1, 2)].into();
    assert_eq!(key_hash(&map), Err(KeyError::NotCanonical("a map")));
    for refused in [key_hash(&1.0_f32), key_hash(&(1, 2.0_f64)), key_hash(&Some(1.5))] {
        assert_eq!(refused, Err(KeyError::NotCanonical("a float")));
    }
}
