//! A parent that is being changed. What changes it is a method of its handle, and who
//! has the handle has the lock.

use std::ops::Deref;
use std::ptr;

use alias_common::order::Entry;
use alias_common::record::{Record, State, Target};

use super::directory::WriteLock;
use super::parent::Parent;
use crate::error::{Refusal, Result};

/// The right to change a parent's state; for reading it is the [`Parent`].
#[derive(Clone, Copy)]
pub struct ParentMut<'a> {
    parent: &'a Parent,
    lock: &'a WriteLock,
}

impl Parent {
    /// This parent, to be changed under its namespace's lock.
    ///
    /// # Errors
    ///
    /// EPERM when the lock is another namespace's.
    pub fn edit<'a>(&'a self, lock: &'a WriteLock) -> Result<ParentMut<'a>> {
        lock.check(self.path())?;
        Ok(ParentMut { parent: self, lock })
    }
}

impl Deref for ParentMut<'_> {
    type Target = Parent;

    fn deref(&self) -> &Parent {
        self.parent
    }
}

impl<'a> ParentMut<'a> {
    /// The lock that it is changed under.
    #[must_use]
    pub const fn lock(self) -> &'a WriteLock {
        self.lock
    }

    /// Counts a step.
    pub(super) fn step(self) {
        self.lock.step();
    }

    /// Takes a slot and a record for its alias: from now on a crash is undone by the next
    /// writer. A record that has a creation number keeps it.
    ///
    /// # Errors
    ///
    /// ENOSPC when no record is free; the caller has made room.
    pub fn claim(self, slot: u32, mut record: Record) -> Result<()> {
        // What is kept for it, or what a kill left half claimed.
        let known = self.look_up(slot).map(|found| found.id);
        let (first, end) = (self.header().free_from, self.records_end());
        let id = match known {
            Some(id) => id,
            None => (first..end)
                .find(|id| self.state_at(*id) == State::Free)
                .or_else(|| (end < self.capacity()).then_some(end))
                .ok_or_else(|| {
                    let reason = format!("all {} records are taken", self.capacity());
                    Refusal::new(format!("slot {slot}"), "add", reason, libc::ENOSPC)
                })?,
        };
        self.step();
        record.slot = slot;
        record.state = State::Free as u32;
        record.position = Record::NO_POSITION;
        let header = self.header.at(0);
        // SAFETY: the mapped header; these fields are the writer's, who holds
        // the lock, and are changed field by field because the datapath has
        // fields of its own in the same structure.
        unsafe {
            if record.created == 0 {
                record.created = ptr::addr_of!((*header).last_created).read_volatile() + 1;
                ptr::addr_of_mut!((*header).last_created).write_volatile(record.created);
            }
            ptr::addr_of_mut!((*header).records_end).write_volatile(end.max(id + 1));
            if known.is_none() {
                ptr::addr_of_mut!((*header).free_from).write_volatile(id + 1);
            }
            let from = ptr::addr_of!((*header).slots_from).read_volatile();
            if slot == from || slot == self.taken_below.get() {
                ptr::addr_of_mut!((*header).slots_from).write_volatile(slot + 1);
            }
        }
        self.record.write(id, record);
        if known.is_none() {
            let slot_of =
                |id| (id < end && self.state_at(id) != State::Free).then(|| self.slot_at(id));
            self.slots.put(slot, id, slot_of);
        }
        let new = Entry::new(record.created, id);
        self.order.note(new, |entry| self.counts(entry));
        self.set_state_at(id, State::Pending);
        Ok(())
    }

    /// Changes the record of a slot's alias; its state stays as it is.
    pub fn amend(self, slot: u32, change: impl FnOnce(&mut Record)) {
        let Some(id) = self.id_of(slot) else {
            return;
        };
        self.step();
        let mut record = self.record.read(id);
        change(&mut record);
        record.state = self.state_at(id) as u32;
        self.record.write(id, record);
    }

    /// Moves a slot's alias on in its life.
    pub fn set_state(self, slot: u32, state: State) {
        if let Some(id) = self.id_of(slot) {
            self.set_state_at(id, state);
        }
    }

    /// Moves a record on in its life.
    pub(super) fn set_state_at(self, id: u32, state: State) {
        self.step();
        self.store_state(id, state);
    }

    /// Gives a record and its slot free.
    pub(super) fn give_free(self, id: u32) {
        self.step();
        let (slot, header) = (self.slot_at(id), self.header.at(0));
        // First what says from where on free ones are looked for: a kill may come between.
        // SAFETY: the mapped header; the fields are the writer's (see `claim`).
        unsafe {
            let field = ptr::addr_of_mut!((*header).free_from);
            field.write_volatile(field.read_volatile().min(id));
            let field = ptr::addr_of_mut!((*header).slots_from);
            field.write_volatile(field.read_volatile().min(slot));
        }
        self.taken_below.set(0);
        // The name last: a kill before it leaves a word that leads to a free record.
        let found = self.look_up(slot);
        self.store_state(id, State::Free);
        if let Some(found) = found.filter(|found| found.id == id) {
            self.slots.remove(found);
        }
    }

    /// Notes the change that begins, or that none is under way.
    pub fn set_pending_change(self, change: Option<Record>) {
        let index = self.capacity();
        match change {
            Some(mut record) => {
                self.step();
                record.state = self.state_at(index) as u32;
                self.record.write(index, record);
                self.set_state_at(index, State::Pending);
            }
            None => self.set_state_at(index, State::Free),
        }
    }

    /// Sets the `--to` device of a key.
    pub fn set_target(self, key: u32, target: Target) {
        self.step();
        self.target.write(key, target);
    }
}
