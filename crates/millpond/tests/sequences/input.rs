//! The records: the numbers from 0 on, and what each stands for. A number is its own event time.

use crate::source::SPLITS;

/// How many records there are.
pub(crate) const COUNT: u64 = 420;

/// A number that looks like chance, and is the same each time.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One of nine keys. All records of a key are in one split, so that they come in order.
pub(crate) fn key(number: &u64) -> u64 {
    mixed(*number) % 3 * SPLITS + number % SPLITS
}

pub(crate) fn amount(number: u64) -> i32 {
    (mixed(number) >> 32) as i32 % 1000
}

/// Which side of the join it is on.
pub(crate) fn is_left(number: &u64) -> bool {
    mixed(*number) & (1 << 40) == 0
}
