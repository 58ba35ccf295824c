//! Ranges of the hash space, and which worker owns which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An inclusive range of key hashes; never empty.
///
/// Written in JSON as two 16-digit hexadecimal numbers, because 64-bit integers do not survive every
/// JSON reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "[String; 2]", into = "[String; 2]")]
pub struct HashRange {
    start: u64,
    end: u64,
}

impl HashRange {
    /// Every hash.
    pub const FULL: HashRange = HashRange { start: 0, end: u64::MAX };

    /// The hashes from `start` to `end`, both included; `None` if there are none.
    pub fn new(start: u64, end: u64) -> Option<Self> {
        (start <= end).then_some(HashRange { start, end })
    }

    /// The range that worker `index` of `workers` owns. The ranges of all workers are disjoint and
    /// cover the whole space.
    ///
    /// # Panics
    /// If `index >= workers`.
    pub fn of_worker(index: usize, workers: usize) -> Self {
        assert!(index < workers, "worker {index} of {workers} does not exist");
        let boundary = |i: usize| ((i as u128) << 64).div_ceil(workers as u128);
        HashRange { start: boundary(index) as u64, end: (boundary(index + 1) - 1) as u64 }
    }

    /// The least hash in the range.
    pub fn start(self) -> u64 {
        self.start
    }

    /// The greatest hash in the range.
    pub fn end(self) -> u64 {
        self.end
    }

    /// Whether the hash lies in the range.
    #[inline]
    pub fn contains(self, hash: u64) -> bool {
        self.start <= hash && hash <= self.end
    }

    /// Whether the two have a hash in common.
    pub fn intersects(self, other: HashRange) -> bool {
        self.intersection(other).is_some()
    }

    /// The hashes that both contain.
    pub fn intersection(self, other: HashRange) -> Option<HashRange> {
        HashRange::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether every hash of `other` lies in this range.
    pub fn covers(self, other: HashRange) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// What is left of this range without `other`: nothing, one piece or two, in order.
    pub fn without(self, other: HashRange) -> impl Iterator<Item = HashRange> {
        let Some(cut) = self.intersection(other) else {
            return [Some(self), None].into_iter().flatten();
        };
        let before = cut.start.checked_sub(1).and_then(|end| HashRange::new(self.start, end));
        let after = cut.end.checked_add(1).and_then(|start| HashRange::new(start, self.end));
        [before, after].into_iter().flatten()
    }
}

/// The worker that owns a hash, of `workers`; agrees with [`HashRange::of_worker`].
#[inline]
pub fn worker_of(hash: u64, workers: usize) -> usize {
    ((u128::from(hash) * workers as u128) >> 64) as usize
}

impl fmt::Display for HashRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}..={:016x}", self.start, self.end)
    }
}

impl fmt::Debug for HashRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why two numbers are no hash range.
#[derive(Debug, thiserror::Error)]
#[error("a hash range is two 16-digit lower-case hexadecimal numbers in order, and not [{0:?}, {1:?}]")]
pub struct InvalidRange(String, String);

impl TryFrom<[String; 2]> for HashRange {
    type Error = InvalidRange;

    fn try_from([start, end]: [String; 2]) -> Result<Self, InvalidRange> {
        fn number(text: &str) -> Option<u64> {
            let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            (plain && text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?
        }
        number(&start)
            .zip(number(&end))
            .and_then(|(start, end)| HashRange::new(start, end))
            .ok_or(InvalidRange(start, end))
    }
}

impl From<HashRange> for [String; 2] {
    fn from(range: HashRange) -> [String; 2] {
        [format!("{:016x}", range.start), format!("{:016x}", range.end)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_hash_lies_in_the_range_of_its_worker(hash: u64, workers in 1usize..5000) {
            let worker = worker_of(hash, workers);
            prop_assert!(worker < workers);
            prop_assert!(HashRange::of_worker(worker, workers).contains(hash));
        }

        #[test]
        fn the_ranges_of_the_workers_are_the_whole_space(workers in 1usize..300) {
            let mut next = 0u64;
            for index in 0..workers {
                let range = HashRange::of_worker(index, workers);
                prop_assert_eq!(range.start(), next);
                prop_assert_eq!(worker_of(range.start(), workers), index);
                prop_assert_eq!(worker_of(range.end(), workers), index);
                next = range.end().wrapping_add(1);
            }
            prop_assert_eq!(next, 0);
        }

        #[test]
        fn without_keeps_exactly_the_rest(a: (u8, u8), b: (u8, u8)) {
            let range = |(x, y): (u8, u8)| HashRange::new(x.min(y).into(), x.max(y).into()).unwrap();
            let (a, b) = (range(a), range(b));
            let rest: Vec<_> = a.without(b).collect();
            for hash in 0..=300u64 {
                let kept = rest.iter().filter(|r| r.contains(hash)).count();
                prop_assert_eq!(kept, usize::from(a.contains(hash) && !b.contains(hash)));
            }
        }
    }

    #[test]
    fn json_is_two_hexadecimal_numbers() {
        let json = serde_json::to_string(&HashRange::FULL).unwrap();
        assert_eq!(json, r#"["0000000000000000","ffffffffffffffff"]"#);
        assert_eq!(serde_json::from_str::<HashRange>(&json).unwrap(), HashRange::FULL);
        for bad in [
            r#"["1","2"]"#,
            r#"["0000000000000002","0000000000000001"]"#,
            r#"["+000000000000002","000000000000000f"]"#,
        ] {
            assert!(serde_json::from_str::<HashRange>(bad).is_err(), "{bad}");
        }
    }
}
