//! The keyed running sum: for each record, what all records of its key come to so far.
//!
//! A record's value is a function of its key, so that the results do not depend on the order in which they come.

use serde::{Deserialize, Serialize};

use super::mix::GOLDEN;

/// The key of a record: every key equally often, neighbours far apart.
#[inline]
pub fn key(index: u64, keys: u64) -> u64 {
    (index.wrapping_mul(GOLDEN) >> 1) % keys
}

/// The value that comes with a key.
#[inline]
pub fn value(key: u64) -> u64 {
    key % 100 + 1
}

/// The record of two numbers.
#[inline]
pub fn pair(index: u64, keys: u64) -> (u64, u64) {
    let key = key(index, keys);
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
    pub fn add(&mut self, payment: &Payment) {
        self.payments += 1;
        self.amount += payment.amount;
        self.largest = self.largest.max(payment.amount);
        self.quantity += u64::from(payment.quantity);
    }
}

/// The payment with an index: an account has 16 characters.
pub fn payment(index: u64, keys: u64) -> Payment {
    let key = key(index, keys);
    Payment { account: account(key), amount: value(key) as i64, quantity: (key % 7) as u32 }
}

/// `acct-` and eleven digits.
fn account(key: u64) -> String {
    let mut bytes = *b"acct-00000000000";
    let mut rest = key;
    for digit in bytes[5..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The check of a result with a text for a key. As cheap: of the text it takes the last character.
#[inline]
pub fn check_totals(account: &str, totals: &Totals) -> u64 {
    let last = u64::from(account.as_bytes().last().copied().unwrap_or(0));
    let sums = totals.amount as u64 + 3 * totals.largest as u64 + 5 * totals.quantity;
    totals.payments.wrapping_mul(last).wrapping_add(sums)
}
