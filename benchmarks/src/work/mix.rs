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

/// The check of a row: of its fields, in their order. A multiplication a field, so that it is little of what is measured.
#[inline]
pub fn row(fields: &[u64]) -> u64 {
    mix(fields.iter().fold(GOLDEN, |check, field| (check ^ field).wrapping_mul(GOLDEN).rotate_left(32)))
}

/// The check of a text as a field: of its length and its first and last eight bytes, for the same reason.
#[inline]
pub fn text(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let last = bytes.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
    let first = match bytes.first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => bytes.iter().rev().fold(0, |packed, byte| (packed << 8) | u64::from(*byte)),
    };
    mix((first ^ bytes.len() as u64).wrapping_mul(GOLDEN) ^ last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_differ_have_other_checks() {
        let rows: Vec<[u64; 3]> =
            (0..20).flat_map(|a| (0..20).flat_map(move |b| (0..20).map(move |c| [a, b << 32, c << 60]))).collect();
        let checks: std::collections::HashSet<u64> = rows.iter().map(|fields| row(fields)).collect();
        assert_eq!(checks.len(), 20 * 20 * 16, "of the last field four bits are left");
        assert_ne!(row(&[1, 2]), row(&[2, 1]));
    }

    #[test]
    fn texts_that_differ_at_an_end_or_in_length_have_other_checks() {
        let texts =
            ["", "a", "b", "ab", "ba", "abcdefgh", "abcdefghi", "xbcdefghi", "abcdefghj", "abcdefghiabcdefghi"];
        let checks: std::collections::HashSet<u64> = texts.iter().map(|one| text(one)).collect();
        assert_eq!(checks.len(), texts.len());
    }
}
