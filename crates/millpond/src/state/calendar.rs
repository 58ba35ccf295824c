//! When timers are due, and whose they are.
//!
//! An entry is a hint: whoever follows it looks whether the key in that slot has such a timer. So a timer that is taken
//! back may leave its hint behind, and most moments are those of many keys: to add one of them is a push, and to take
//! them out is to take a list.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::slot_table::Slot;
use crate::time::EventTime;

/// So many pointless hints are left alone.
const FEW: usize = 1024;

/// Slots by moment.
#[derive(Default)]
pub(crate) struct Calendar {
    moments: BTreeMap<EventTime, Slots>,
    hints: usize,
}

/// The slots of a moment, in any order.
enum Slots {
    One(Slot),
    Many(Vec<Slot>),
}

impl Slots {
    fn as_slice(&self) -> &[Slot] {
        match self {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Many(slots) => slots,
        }
    }
}

impl Calendar {
    /// Adds a hint.
    pub(crate) fn add(&mut self, time: EventTime, slot: Slot) {
        self.hints += 1;
        match self.moments.entry(time) {
            Entry::Vacant(moment) => {
                moment.insert(Slots::One(slot));
            }
            Entry::Occupied(mut moment) => match moment.get_mut() {
                Slots::One(first) => {
                    let both = vec![*first, slot];
                    moment.insert(Slots::Many(both));
                }
                Slots::Many(slots) => slots.push(slot),
            },
        }
    }

    /// A timer is taken back: its hint goes with it, if that is easily found.
    pub(crate) fn remove(&mut self, time: EventTime, slot: Slot) {
        if let Entry::Occupied(moment) = self.moments.entry(time)
            && matches!(moment.get(), Slots::One(only) if *only == slot)
        {
            moment.remove();
            self.hints -= 1;
        }
    }

    /// The first moment.
    pub(crate) fn first(&self) -> Option<EventTime> {
        self.moments.first_key_value().map(|(time, _)| *time)
    }

    /// Takes out the first moment, if it is at or before `now`, and puts the slots that it had into `slots`, in order.
    pub(crate) fn take_first(&mut self, now: EventTime, slots: &mut Vec<Slot>) -> Option<EventTime> {
        let first = self.moments.first_entry().filter(|first| *first.key() <= now)?;
        let (time, taken) = first.remove_entry();
        slots.clear();
        slots.extend_from_slice(taken.as_slice());
        slots.sort_unstable();
        self.hints -= slots.len();
        Some(time)
    }

    /// Drops the hints of which `is_live` says that there is no such timer, and those that say a thing twice, once there may be
    /// more of them than of the others.
    pub(crate) fn prune(&mut self, timers: usize, is_live: impl Fn(EventTime, Slot) -> bool) {
        if self.hints < 2 * timers + FEW {
            return;
        }
        self.hints = 0;
        self.moments.retain(|time, moment| {
            let mut slots = moment.as_slice().to_vec();
            slots.sort_unstable();
            slots.dedup();
            slots.retain(|slot| is_live(*time, *slot));
            self.hints += slots.len();
            *moment = match slots[..] {
                [] => return false,
                [only] => Slots::One(only),
                _ => Slots::Many(slots),
            };
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointless_hints_do_not_pile_up_and_those_that_count_stay() {
        let (mut calendar, time) = (Calendar::default(), EventTime::from_millis(7));
        for slot in 0..20 * FEW as Slot {
            // Slot 3 has a timer, the others take theirs back.
            calendar.add(time, slot);
            calendar.remove(time, slot);
            calendar.add(time, 3);
            calendar.prune(1, |_, slot| slot == 3);
            assert!(calendar.hints <= FEW + 3);
        }
        let mut slots = Vec::new();
        assert_eq!(calendar.take_first(time, &mut slots), Some(time));
        assert!(slots.contains(&3) && slots.is_sorted());
        assert_eq!((calendar.hints, calendar.first()), (0, None));
    }
}
