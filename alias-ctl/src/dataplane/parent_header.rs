//! What the controller changes in a parent's page of facts, field by field, because the
//! datapath has fields of its own in the same page.

use std::ptr;

use alias_common::bits::Prefixes;
use alias_common::header::Header;
use alias_common::layout::Front;
use alias_common::record::State;

use super::header::{on_down_flag, padded_name};
use super::parent::Parent;
use super::parent_mut::ParentMut;
use crate::model::lifecycle::OnDown;

impl Parent {
    /// What becomes of its aliases when it goes down, if somebody chose.
    #[must_use]
    pub fn on_down(header: &Header) -> Option<OnDown> {
        if header.flags & Header::KEEP_WHEN_DOWN != 0 {
            Some(OnDown::Keep)
        } else if header.flags & Header::FREE_WHEN_DOWN != 0 {
            Some(OnDown::Delete)
        } else {
            None
        }
    }
}

impl ParentMut<'_> {
    /// Draws creation numbers for aliases that are made in another order than the
    /// one they shall be listed in. Returns the first of `count`.
    pub fn reserve_created(self, count: u64) -> u64 {
        self.step();
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe {
            let field = ptr::addr_of_mut!((*self.header.at(0)).last_created);
            let last = field.read_volatile();
            field.write_volatile(last + count);
            last + 1
        }
    }

    /// Notes that a change begins or is complete.
    pub fn set_unfinished(self, unfinished: bool) {
        self.note_progress(if unfinished { Header::AT_WORK } else { 0 });
    }

    /// Makes pending slots live, all of them or, should a kill come first, none:
    /// after the one store everything is there, and the next writer goes on.
    pub fn commit(self, slots: impl Iterator<Item = u32>) {
        self.note_progress(Header::COMMITTED);
        for slot in slots {
            self.set_state(slot, State::Live);
        }
    }

    fn note_progress(self, progress: u32) {
        self.step();
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe { ptr::addr_of_mut!((*self.header.at(0)).unfinished).write_volatile(progress) };
    }

    /// Changes the limit below which slots can be created.
    pub fn set_limit(self, max_aliases: u32) {
        self.step();
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe { ptr::addr_of_mut!((*self.header.at(0)).max_aliases).write_volatile(max_aliases) };
    }

    /// Notes what its next programs write for the journal.
    pub fn set_log_level(self, log_level: u8) {
        self.step();
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe { ptr::addr_of_mut!((*self.header.at(0)).log_level).write_volatile(log_level) };
    }

    /// Changes what becomes of its aliases when it goes down; `None`: what is usual.
    pub fn set_on_down(self, on_down: Option<OnDown>) {
        self.change_flags(
            Header::KEEP_WHEN_DOWN | Header::FREE_WHEN_DOWN,
            on_down.map_or(0, on_down_flag),
        );
    }

    /// Notes that the parent is down and keeps its aliases, or that what it lost
    /// by that is there again.
    pub fn set_was_down(self, was_down: bool) {
        self.change_flags(
            Header::WAS_DOWN,
            if was_down { Header::WAS_DOWN } else { 0 },
        );
    }

    /// Notes whether something of what was saved of it is still to be restored.
    pub fn set_incomplete(self, incomplete: bool) {
        self.change_flags(
            Header::INCOMPLETE,
            if incomplete { Header::INCOMPLETE } else { 0 },
        );
    }

    /// Notes whether its all-multicast mode is our doing.
    pub fn set_all_multicast(self, is_ours: bool) {
        self.change_flags(Header::ALLMULTI, if is_ours { Header::ALLMULTI } else { 0 });
    }

    /// Notes whether `promote_secondaries` was set on it for its aliases.
    pub fn set_promotes(self, promotes: bool) {
        self.change_flags(
            Header::PROMOTES,
            if promotes { Header::PROMOTES } else { 0 },
        );
    }

    fn change_flags(self, which: u32, to: u32) {
        self.step();
        let header = self.header.at(0);
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe {
            let old = ptr::addr_of!((*header).flags).read_volatile();
            ptr::addr_of_mut!((*header).flags).write_volatile(old & !which | to);
        }
    }

    /// Notes when its aliases were compared with the kernel's state, in seconds
    /// since boot.
    pub fn set_looked_at(self, seconds: u32) {
        self.step();
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe { ptr::addr_of_mut!((*self.header.at(0)).looked_at).write_volatile(seconds) };
    }

    /// Says which lengths its aliases have as prefixes. Each word is one store, so that
    /// a search finds what is there before and after.
    pub fn set_prefixes(self, prefixes: Prefixes) {
        self.step();
        for (at, word) in prefixes.words().into_iter().enumerate() {
            // SAFETY: the mapped header; the field is the writer's (see `claim`), and
            // four aligned words (asserted below).
            unsafe {
                ptr::addr_of_mut!((*self.header.at(0)).prefixes)
                    .cast::<u64>()
                    .add(at)
                    .write_volatile(word);
            }
        }
    }

    /// Follows a change of the parent's MAC, which alias devices may send from.
    pub fn set_mac(self, mac: [u8; 6]) {
        self.step();
        // SAFETY: the mapped header; the field is the writer's (see `claim`).
        unsafe { ptr::addr_of_mut!((*self.header.at(0)).mac).write_volatile(mac) };
        self.station.store(0, Front::station_of(mac));
    }

    /// Follows a change of the parent's name.
    pub fn set_name(self, name: &str) {
        self.step();
        let name = padded_name(name);
        for (at, bytes) in name.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: the mapped header; the field is the writer's (see `claim`) and
            // aligned to 8 (asserted below). The kernel may read it meanwhile: two
            // stores tear it less than sixteen.
            unsafe {
                ptr::addr_of_mut!((*self.header.at(0)).name)
                    .cast::<u64>()
                    .add(at)
                    .write_volatile(u64::from_ne_bytes(*bytes));
            }
        }
    }
}

const _: () = assert!(std::mem::offset_of!(Header, name) % 8 == 0);
const _: () = assert!(std::mem::offset_of!(Header, prefixes) % 8 == 0);
