//! A parent that is being changed. What changes it is a method of its handle, and who
//! has the handle has the lock.

use std::ops::Deref;
use std::ptr;

use alias_common::order::Entry;
use alias_common::record::{Record, State, Target};

use super::directory::WriteLock;
use super::parent::Parent;
use crate::error::Result;

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

    /// Takes a slot: from now on a crash is undone by the next writer. A record
    /// that has a creation number keeps it.
    pub fn claim(self, slot: u32, mut record: Record) {
        self.step();
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
            let end = ptr::addr_of!((*header).slots_end).read_volatile();
            ptr::addr_of_mut!((*header).slots_end).write_volatile(end.max(slot + 1));
        }
        self.record.write(slot, record);
        let new = Entry::new(record.created, slot);
        self.order.note(new, |entry| self.counts(entry));
        self.set_state(slot, State::Pending);
    }

    /// Changes a record that is not free; its state stays as it is.
    pub fn amend(self, slot: u32, change: impl FnOnce(&mut Record)) {
        self.step();
        let mut record = self.record.read(slot);
        change(&mut record);
        record.state = self.state(slot) as u32;
        self.record.write(slot, record);
    }

    /// Moves a slot on in its life.
    pub fn set_state(self, slot: u32, state: State) {
        self.step();
        self.store_state(slot, state);
    }

    /// Notes the change that begins, or that none is under way.
    pub fn set_pending_change(self, change: Option<Record>) {
        let index = self.capacity();
        match change {
            Some(mut record) => {
                self.step();
                record.state = self.state(index) as u32;
                self.record.write(index, record);
                self.set_state(index, State::Pending);
            }
            None => self.set_state(index, State::Free),
        }
    }

    /// Sets the `--to` device of a key.
    pub fn set_target(self, key: u32, target: Target) {
        self.step();
        self.target.write(key, target);
    }
}
