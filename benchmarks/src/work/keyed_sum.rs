//! The keyed running sum: for each record, what all records of its key come to so far.
//!
//! A record's value is a function of its key, so that the results do not depend on the order in which they come.

use serde::{Deserialize, Serialize};

/// Which keys records have.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// How many there are. The first so many records have each of them once.
    pub all: u64,
    /// How many of them the records after those have.
    pub hot: u64,
}

/// A prime, so that a multiple of it comes to each remainder once; large, so that neighbours are far apart.
const STRIDE: u64 = 2_654_435_761;

impl Keys {
    /// The key of the record with an index.
    #[inline]
    pub fn at(self, index: u64) -> u64 {
        let among = if index < self.all { self.all } else { self.hot };
        index % among * STRIDE % among
    }
}

/// The value that comes with a key.
#[inline]
pub fn value(key: u64) -> u64 {
    key % 100 + 1
}

/// The record of two numbers.
#[inline]
pub fn pair(index: u64, keys: Keys) -> (u64, u64) {
    let key = keys.at(index);
    (key, value(key))
}

/// The check of a result of numbers. Cheap: it is taken of each record.
#[inline]
pub fn check_pair(key: u64, sum: u64) -> u64 {
    key.wrapping_add(sum)
}

/// A record with a text for a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payment {
    pub account: String,
    pub paid: Paid,
}

/// What is paid, and for how much.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Paid {
    pub amount: i64,
    pub quantity: u32,
}

/// What is kept of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    pub payments: u64,
    pub amount: i64,
    pub largest: i64,
    pub quantity: u64,
}

impl Totals {
    /// Takes a payment in.
    #[inline]
    pub fn add(&mut self, paid: &Paid) {
        self.payments += 1;
        self.amount += paid.amount;
        self.largest = self.largest.max(paid.amount);
        self.quantity += u64::from(paid.quantity);
    }
}

/// The payment with an index: an account has 16 characters.
pub fn payment(index: u64, keys: Keys) -> Payment {
    let key = keys.at(index);
    Payment { account: account(key), paid: Paid { amount: value(key) as i64, quantity: (key % 7) as u32 } }
}

/// `acct-` and eleven digits.
fn account(key: u64) -> String {
    let mut bytes = *b"acct-00000000000";
    let mut rest = key;
    for digit in bytes[5..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The check of a result with a text for a key. As cheap: of the text it takes the last character.
#[inline]
pub fn check_totals(account: &str, totals: &Totals) -> u64 {
    let last = u64::from(account.as_bytes().last().copied().unwrap_or(0));
    let sums = totals.amount as u64 + 3 * totals.largest as u64 + 5 * totals.quantity;
    totals.payments.wrapping_mul(last).wrapping_add(sums)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_key_comes_once_and_then_the_hot_ones() {
        let keys = Keys { all: 1000, hot: 10 };
        assert_eq!((0..1000).map(|index| keys.at(index)).collect::<HashSet<_>>().len(), 1000);
        let later: HashSet<u64> = (1000..1100).map(|index| keys.at(index)).collect();
        assert_eq!(later, (0..10).collect());
    }

    #[test]
    fn an_account_is_its_number() {
        assert_eq!(account(12_345), "acct-00000012345");
    }
}
