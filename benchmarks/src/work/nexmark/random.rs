//! Random numbers of an event, and what is made of them.

use std::sync::LazyLock;

use crate::work::mix::{GOLDEN, mix};

/// A counter, of which each step is multiplied with itself, changed a little, and both halves of the product are laid over each
/// other: after `wyrand` of Wang Yi's wyhash, here with signed numbers. One multiplication a number, so that to make an event
/// is little beside what is done with it.
pub(super) struct Random(u64);

/// As many ones as zeros, in no order.
const CHANGE: u64 = 0xE703_7ED1_A0B4_28DB;

impl Random {
    /// Those of the event with a number.
    #[inline]
    pub(super) fn of(event: u64) -> Self {
        Random(mix(event.wrapping_add(GOLDEN)))
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let product = i128::from(self.0 as i64) * i128::from((self.0 ^ CHANGE) as i64);
        (product >> 64) as u64 ^ product as u64
    }

    /// A number below `bound`, which is less than 2^31.
    #[inline]
    pub(super) fn below(&mut self, bound: i64) -> i64 {
        (((self.next() >> 32) * bound as u64) >> 32) as i64
    }

    /// A price in cents: as likely between 1 and 10 as between 10 and 100, up to a million.
    #[inline]
    pub(super) fn price(&mut self) -> i64 {
        let drawn = self.next() >> 38;
        let (step, rest) = ((drawn >> 16) as usize, (drawn & 0xFFFF) as i64);
        let prices = &*PRICES;
        prices[step] + (((prices[step + 1] - prices[step]) * rest) >> 16)
    }

    /// So many letters, at most [`STRETCH`].
    #[inline]
    pub(super) fn letters(&mut self, length: i64) -> &'static str {
        let start = self.below(STRETCH) as usize;
        &LETTERS[start..][..length as usize]
    }

    /// Letters that bring an event of `size` bytes to about `average`, give or take a fifth of what is missing.
    #[inline]
    pub(super) fn extra(&mut self, size: i64, average: i64) -> String {
        let missing = average - size;
        if missing <= 0 {
            return String::new();
        }
        let spread = (missing + 2) / 5;
        let length = missing - spread + if spread == 0 { 0 } else { self.below(2 * spread) };
        self.letters(length).to_owned()
    }

    /// One of them.
    pub(super) fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as i64) as usize]
    }
}

/// A text starts at one of so many places of [`LETTERS`].
const STRETCH: i64 = 1 << 16;

/// Random letters, of which a text is a copy of some in a row: no query depends on which they are, and to make new ones for each
/// text was a third of what q0 and q2 measured.
static LETTERS: LazyLock<String> = LazyLock::new(|| {
    let mut random = Random(0);
    (0..2 * STRETCH).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
});

/// 100 · 10^(6 · i / 1024). By multiplication, which comes to the same everywhere.
static PRICES: LazyLock<Vec<i64>> = LazyLock::new(|| {
    // 10^(6/1024)
    const STEP: f64 = 1.013_583_133_334_065_7;
    let mut price = 100.0_f64;
    let mut prices = Vec::with_capacity(1025);
    for _ in 0..=1024 {
        prices.push(price as i64);
        price *= STEP;
    }
    prices
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_go_from_a_dollar_to_a_million() {
        assert_eq!(PRICES[0], 100);
        assert!((99_999_000..=100_001_000).contains(&PRICES[1024]), "{}", PRICES[1024]);
        assert!(PRICES.is_sorted());
    }

    #[test]
    fn texts_are_of_letters_and_rarely_the_same() {
        let mut random = Random::of(3);
        let texts: std::collections::HashSet<&str> = (0..1000).map(|_| random.letters(13)).collect();
        assert!(texts.iter().all(|text| text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert!(texts.len() > 980, "{}", texts.len());
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut random = Random::of(7);
        let drawn: Vec<i64> = (0..1000).map(|_| random.below(10)).collect();
        assert!(drawn.iter().all(|n| (0..10).contains(n)));
        assert!((0..10).all(|n| drawn.contains(&n)));
    }
}
