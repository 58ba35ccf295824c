//! Numbers that look random and are the same everywhere.

/// The odd number next to 2^64 divided by the golden ratio.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A bijection of 64 bits in which each bit of the input changes about half of the output's (the finalizer of SplitMix64).
#[inline]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The check of a row: of its fields, in their order.
#[inline]
pub fn row(fields: &[u64]) -> u64 {
    fields.iter().fold(GOLDEN, |check, field| mix(check ^ field))
}

/// The check of a text as a field: of its length and its first and last eight bytes, so that taking it is not most of the
/// work that is measured.
#[inline]
pub fn text(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let last = bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
    let first = match bytes.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => bytes.iter().rev().fold(0, |packed, byte| (packed << 8) | u64::from(*byte)),
    };
    mix(mix(first ^ bytes.len() as u64) ^ last)
}
