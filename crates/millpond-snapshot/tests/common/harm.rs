//! Things that happen to bytes.
#![allow(unreachable_pub, reason = "a module of a test program")]

use proptest::prelude::*;

/// What somebody does to bytes.
#[derive(Debug, Clone)]
pub enum Harm {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Overwrite(prop::sample::Index, Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index, usize),
}

pub fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    let extreme = prop_oneof![Just(vec![0xff; 8]), Just(vec![0; 8]), Just(vec![0x7f; 4]), Just(vec![0x80; 10])];
    prop_oneof![
        4 => (at(), 1u8..).prop_map(|(at, bits)| Harm::Flip(at, bits)),
        1 => at().prop_map(Harm::Truncate),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, with)| Harm::Insert(at, with)),
        2 => (at(), extreme).prop_map(|(at, with)| Harm::Overwrite(at, with)),
        1 => (at(), at(), 1usize..40).prop_map(|(a, b, length)| Harm::Swap(a, b, length)),
    ]
}

pub fn harmed(bytes: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for harm in harms {
        if bytes.is_empty() {
            return bytes;
        }
        match harm {
            Harm::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Harm::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Harm::Insert(at, with) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, with.iter().copied());
            }
            Harm::Overwrite(at, with) => {
                let at = at.index(bytes.len());
                for (target, byte) in bytes[at..].iter_mut().zip(with) {
                    *target = *byte;
                }
            }
            Harm::Swap(a, b, length) => {
                let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
                for offset in 0..*length {
                    if a + offset < bytes.len() && b + offset < bytes.len() {
                        bytes.swap(a + offset, b + offset);
                    }
                }
            }
        }
    }
    bytes
}
