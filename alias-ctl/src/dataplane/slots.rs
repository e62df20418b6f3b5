//! The index of names: which record a slot's alias has. The datapath knows aliases by
//! the ids of their records, and never looks one up by name.
//!
//! Open addressing with words of 32 bits, at least twice as many as there are records, so
//! that there is always an empty one. A word says which record to look at; whether that is
//! the slot's is up to the record. So a reader needs no lock, and a word that a killed
//! writer left behind leads nobody astray.

use super::shared::Shared;

/// The index of names of one parent. There is one writer, who holds the lock.
pub(super) struct Slots {
    /// Two words each: an array's elements are multiples of eight bytes.
    pairs: Shared<u64>,
}

/// Nothing, and nothing behind it that was put there because this place was taken.
const EMPTY: u32 = 0;
/// Nothing any more.
const TOMBSTONE: u32 = u32::MAX;
/// Bits of an id, plus one so that a word is never empty.
const ID_BITS: u32 = 23;
const ID_MASK: u32 = (1 << ID_BITS) - 1;
/// Slots in a row stand in a row, a cache line of them: who makes many makes such.
const RUN_BITS: u32 = 4;

const _: () = assert!(alias_common::limits::MAX_ALIASES < ID_MASK);

/// Number of elements of the map: half of the words.
#[must_use]
pub(super) const fn pairs(capacity: u32) -> u32 {
    let words = (capacity * 2).next_power_of_two();
    if words < 64 { 32 } else { words / 2 }
}

/// What the lookup of a slot came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// Where its word stands.
    place: u32,
    /// Its alias's id.
    pub(super) id: u32,
}

impl Slots {
    /// Of a parent; `pairs` has as many elements as its capacity asks for.
    pub(super) const fn new(pairs: Shared<u64>) -> Slots {
        Slots { pairs }
    }

    const fn len(&self) -> u32 {
        self.pairs.len() * 2
    }

    fn word(&self, place: u32) -> u32 {
        (self.pairs.load(place / 2) >> (32 * (place % 2))) as u32
    }

    fn store(&self, place: u32, word: u32) {
        let shift = 32 * (place % 2);
        let others = self.pairs.load(place / 2) & !(u64::from(u32::MAX) << shift);
        self.pairs
            .store(place / 2, others | u64::from(word) << shift);
    }

    /// The places where a slot's word may be, in order.
    fn places(&self, slot: u32) -> impl Iterator<Item = u32> + use<> {
        let len = self.len();
        // Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4) of the run.
        let run = (slot >> RUN_BITS).wrapping_mul(0x9e37_79b1);
        let run = run >> (32 - (len.ilog2() - RUN_BITS));
        let home = run << RUN_BITS | slot & ((1 << RUN_BITS) - 1);
        (0..len).map(move |step| (home + step) & (len - 1))
    }

    /// The word of a slot's alias with this id.
    const fn word_of(slot: u32, id: u32) -> u32 {
        slot.wrapping_mul(0x85eb_ca6b) & !ID_MASK | (id + 1)
    }

    /// The record that a slot has. `is` says whether a record is the slot's.
    pub(super) fn find(&self, slot: u32, is: impl Fn(u32) -> bool) -> Option<Found> {
        let tag = Slots::word_of(slot, 0) & !ID_MASK;
        for place in self.places(slot) {
            let word = self.word(place);
            if word == EMPTY {
                return None;
            }
            let id = (word & ID_MASK).wrapping_sub(1);
            if word != TOMBSTONE && word & !ID_MASK == tag && is(id) {
                return Some(Found { place, id });
            }
        }
        None
    }

    /// Says which record a slot has from now on; it had none. `slot_of` is the slot of a
    /// record that is in use.
    pub(super) fn put(&self, slot: u32, id: u32, slot_of: impl Fn(u32) -> Option<u32>) {
        let is_vacant = |place: &u32| matches!(self.word(*place), EMPTY | TOMBSTONE);
        // What killed writers left behind could fill it, one word for each kill.
        let is_left_over = |place: &u32| {
            let id = (self.word(*place) & ID_MASK).wrapping_sub(1);
            let found = slot_of(id).and_then(|slot| self.find(slot, |other| other == id));
            found.is_none_or(|found| found.place != *place)
        };
        let place = self
            .places(slot)
            .find(is_vacant)
            .or_else(|| self.places(slot).find(is_left_over));
        if let Some(place) = place {
            self.store(place, Slots::word_of(slot, id));
        }
    }

    /// Forgets what was found of a slot. Tombstones behind which nothing stands become
    /// empty, so that they do not make lookups long.
    pub(super) fn remove(&self, found: Found) {
        let last = self.len() - 1;
        self.store(found.place, TOMBSTONE);
        if self.word((found.place + 1) & last) != EMPTY {
            return;
        }
        let mut place = found.place;
        while self.word(place) == TOMBSTONE {
            self.store(place, EMPTY);
            place = place.wrapping_sub(1) & last;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::fs::File;
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};

    use super::*;

    /// A table in memory, and which slot each record is of.
    struct Table {
        slots: Slots,
        records: RefCell<HashMap<u32, u32>>,
    }

    impl Table {
        fn for_capacity(capacity: u32) -> Table {
            let len = pairs(capacity);
            // SAFETY: a name and a flag; the descriptor is this one's alone.
            let memory = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"slots".as_ptr(), 0)) };
            let file = File::from(memory);
            file.set_len(u64::from(len) * 8).unwrap();
            Table {
                slots: Slots::new(Shared::map(file.as_fd(), len, "slots").unwrap()),
                records: RefCell::default(),
            }
        }

        fn find(&self, slot: u32) -> Option<Found> {
            let records = self.records.borrow();
            self.slots
                .find(slot, |id| records.get(&id).copied() == Some(slot))
        }

        fn put(&self, slot: u32, id: u32) {
            let before = self.records.borrow().clone();
            self.slots.put(slot, id, |id| before.get(&id).copied());
            self.records.borrow_mut().insert(id, slot);
        }

        fn remove(&self, slot: u32) {
            let found = self.find(slot).unwrap();
            self.records.borrow_mut().remove(&found.id);
            self.slots.remove(found);
        }
    }

    /// As many slots as there is room for, wherever they are.
    #[track_caller]
    fn check_full(capacity: u32, slot: impl Fn(u32) -> u32) {
        let table = Table::for_capacity(capacity);
        for id in 0..capacity {
            assert_eq!(table.find(slot(id)), None);
            table.put(slot(id), id);
        }
        for id in 0..capacity {
            assert_eq!(table.find(slot(id)).map(|found| found.id), Some(id));
        }
        for id in 0..capacity {
            table.remove(slot(id));
            assert_eq!(table.find(slot(id)), None);
        }
        let left = (0..table.slots.len()).filter(|place| table.slots.word(*place) == TOMBSTONE);
        assert!(left.count() < table.slots.len() as usize / 2);
    }

    #[test]
    fn every_slot_is_found() {
        for capacity in [1, 2, 31, 33, 1024, 1030] {
            check_full(capacity, |id| id);
            check_full(capacity, |id| 4_194_303 - id);
            // All runs alike, or all in one place of a smaller table.
            check_full(capacity, |id| id * 16);
            check_full(capacity, |id| id * 2048);
            check_full(capacity, |id| id / 2 + (id % 2) * 2_000_000);
        }
    }

    #[test]
    fn what_killed_writers_left_is_used_in_the_end() {
        let table = Table::for_capacity(32);
        // Each was killed between the word and the record.
        for slot in 0..1000 {
            table.slots.put(slot, slot % 32, |_| None);
            assert_eq!(table.find(slot), None);
        }
        for slot in 0..32 {
            table.put(5000 + slot, slot);
        }
        for slot in 0..32 {
            assert_eq!(
                table.find(5000 + slot).map(|found| found.id),
                Some(slot),
                "{slot}"
            );
        }
    }

    #[test]
    fn slots_that_come_and_go_leave_it_short() {
        let table = Table::for_capacity(1024);
        for round in 0..100_000u32 {
            let slot = round * 7 % 4_000_000;
            table.put(slot, round % 1024);
            assert!(table.find(slot + 1).is_none());
            table.remove(slot);
        }
        let left = (0..table.slots.len()).filter(|place| table.slots.word(*place) != EMPTY);
        assert_eq!(left.count(), 0);
    }
}
