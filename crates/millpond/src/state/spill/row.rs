//! What a row on disk says of a key: all that its states had when it was evicted.
//!
//! ```text
//!   flags · generation · [expires_at] · for each state, in the order of declaration: length · section
//!   section: entry …      an entry: flags · what the store of the state makes of it
//! ```
//!
//! The *generation* counts freezes. A row of the current one is *fresh*: what it says has changed is still to go to a
//! snapshot.

use super::pack::{self, put_varint, varint};
use crate::error::Error;
use crate::state::slot_table::Slot;

/// The row, or an entry of it, has something: without it the key, or the entry, is gone.
pub(crate) const LIVE: u8 = 1;
/// It changed since the last freeze, so the next snapshot must have it.
pub(crate) const CHANGED: u8 = 2;
/// An entry that a snapshot has was removed since the last freeze, so the next snapshot must have a tombstone.
pub(crate) const TOMBSTONE: u8 = 4;
/// All that the row has expires, at the latest at the moment that follows.
const EXPIRES: u8 = 8;

/// What an eviction learns of a victim from the stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Entries that are there.
    pub(crate) live: u32,
    /// Whether the next snapshot must have something of it.
    pub(crate) changed: bool,
    /// Whether each of its entries is on disk as it is.
    pub(crate) stored: bool,
    /// When the last of its entries expires; [`i64::MAX`] for never.
    pub(crate) expires_at: i64,
}

impl Facts {
    const NONE: Facts = Facts { live: 0, changed: false, stored: true, expires_at: i64::MIN };

    /// Adds an entry with these flags.
    fn add(&mut self, flags: u8, stored: bool, expires_at: i64) {
        if flags & LIVE != 0 {
            self.live += 1;
            self.stored &= stored;
            self.expires_at = self.expires_at.max(expires_at);
        }
        self.changed |= flags & (CHANGED | TOMBSTONE) != 0;
    }

    /// The beginning of the row.
    fn put_header(&self, generation: u32, row: &mut Vec<u8>) {
        let expires = self.live > 0 && self.expires_at != i64::MAX;
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        row.push(flag(self.live > 0, LIVE) | flag(self.changed, CHANGED) | flag(expires, EXPIRES));
        row.extend_from_slice(&generation.to_le_bytes());
        if expires {
            row.extend_from_slice(&self.expires_at.to_le_bytes());
        }
    }
}

/// The beginning of a row, and its sections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    flags: u8,
    generation: u32,
    expires_at: i64,
    pub(crate) sections: &'a [u8],
}

impl<'a> Header<'a> {
    pub(crate) fn read(mut row: &'a [u8]) -> Result<Self, Error> {
        let flags = pack::byte(&mut row)?;
        let generation = u32::from_le_bytes(pack::bytes(&mut row)?);
        let expires_at = if flags & EXPIRES != 0 { pack::int(&mut row)? } else { i64::MAX };
        Ok(Header { flags, generation, expires_at, sections: row })
    }

    pub(crate) fn is_live(&self) -> bool {
        self.flags & LIVE != 0
    }

    /// Whether the snapshot that comes after `generation` is to have something of it.
    pub(crate) fn is_fresh(&self, generation: u32) -> bool {
        self.flags & CHANGED != 0 && self.generation == generation
    }

    /// Whether nothing of it is left at `now`, and no snapshot is to hear of it.
    pub(crate) fn is_waste(&self, generation: u32, now: i64) -> bool {
        !self.is_fresh(generation) && (!self.is_live() || self.expires_at <= now)
    }
}

/// Takes the section of the next state off the front of `sections`.
pub(crate) fn section<'a>(sections: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let len = varint(sections)?;
    let (section, rest) = sections.split_at_checked(len).ok_or_else(pack::cut_off)?;
    *sections = rest;
    Ok(section)
}

/// Keys that are being evicted, and what the stores had of them.
#[derive(Debug, Default)]
pub(crate) struct Victims {
    pub(crate) slots: Vec<Slot>,
    /// The place of each slot in `slots`.
    places: Vec<u32>,
    pub(crate) facts: Vec<Facts>,
    /// Sections of one state after the other, each in the order of `slots`.
    bytes: Vec<u8>,
    /// Where each section ends.
    ends: Vec<usize>,
    /// Timers that no row on disk has yet: the state's number, the time in milliseconds, and the place of the key.
    pub(crate) timers: Vec<(usize, i64, usize)>,
}

const NOWHERE: u32 = u32::MAX;

impl Victims {
    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.slots.iter().for_each(|slot| self.places[*slot as usize] = NOWHERE);
        self.slots.clear();
        self.facts.clear();
        self.bytes.clear();
        self.ends.clear();
        self.timers.clear();
    }

    /// Adds the key in `slot`; says whether it is not one of them already.
    pub(crate) fn add(&mut self, slot: Slot) -> bool {
        if self.is_victim(slot) {
            return false;
        }
        if slot as usize >= self.places.len() {
            self.places.resize(slot as usize + 1, NOWHERE);
        }
        self.places[slot as usize] = self.slots.len() as u32;
        self.slots.push(slot);
        self.facts.push(Facts::NONE);
        true
    }

    /// The place of `slot`, if it is one of them.
    pub(crate) fn place(&self, slot: Slot) -> Option<usize> {
        self.places.get(slot as usize).filter(|place| **place != NOWHERE).map(|place| *place as usize)
    }

    pub(crate) fn is_victim(&self, slot: Slot) -> bool {
        self.place(slot).is_some()
    }

    /// The number of the state whose sections are being written.
    pub(crate) fn state(&self) -> usize {
        self.ends.len() / self.slots.len().max(1)
    }

    /// Begins an entry in the section being written: of the victim at `place`, with these flags. The rest of the entry goes
    /// to what is given back.
    #[inline]
    pub(crate) fn entry(&mut self, place: usize, flags: u8, stored: bool, expires_at: i64) -> &mut Vec<u8> {
        self.facts[place].add(flags, stored, expires_at);
        self.bytes.push(flags);
        &mut self.bytes
    }

    /// Ends the section of a victim. To be called for each, in their order, whether there was an entry or not.
    #[inline]
    pub(crate) fn end_section(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// The row of the victim at `place`.
    pub(crate) fn put_row(&self, place: usize, generation: u32, row: &mut Vec<u8>) {
        self.facts[place].put_header(generation, row);
        for at in (place..self.ends.len()).step_by(self.slots.len()) {
            let from = if at == 0 { 0 } else { self.ends[at - 1] };
            put_varint(self.ends[at] - from, row);
            row.extend_from_slice(&self.bytes[from..self.ends[at]]);
        }
    }
}
