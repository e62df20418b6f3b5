//! One change of a namespace: where it is made, and the right to make it.

use crate::dataplane::{Parent, ParentMut, WriteLock};
use crate::error::Result;
use crate::interrupt::{self, Watched};
use crate::netlink::Link;

use super::host::Host;

/// A change that is under way. It ends, and the lock with it, when this is dropped.
pub struct Transaction<'a> {
    /// Where it is made.
    pub host: &'a mut Host,
    lock: WriteLock,
    _watched: Watched,
}

impl<'a> Transaction<'a> {
    /// Waits for the lock of the host's namespace. What a killed writer left is still
    /// there then.
    ///
    /// # Errors
    ///
    /// That of locking.
    pub fn wait(host: &'a mut Host) -> Result<Transaction<'a>> {
        host.directory.check_mounted()?;
        let lock = host.directory.lock()?;
        // Before that nothing is begun.
        let watched = interrupt::watch();
        Ok(Transaction {
            host,
            lock,
            _watched: watched,
        })
    }

    /// The lock that it holds.
    #[must_use]
    pub const fn lock(&self) -> &WriteLock {
        &self.lock
    }

    /// Where it is made, and the lock, for what needs both at once.
    pub const fn parts(&mut self) -> (&mut Host, &WriteLock) {
        (self.host, &self.lock)
    }

    /// How many changes of the state it has made so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.lock.steps()
    }

    /// One of its parents, to be changed.
    ///
    /// # Errors
    ///
    /// EPERM for a parent of another namespace.
    pub fn on<'t>(&'t mut self, link: &'t Link, parent: &'t Parent) -> Result<On<'t>> {
        let parent = parent.edit(&self.lock)?;
        Ok(On {
            host: self.host,
            link,
            parent,
        })
    }
}

/// One parent, in a transaction that changes it.
pub struct On<'a> {
    /// Where the transaction is made.
    pub host: &'a mut Host,
    /// The device.
    pub link: &'a Link,
    /// Its state.
    pub parent: ParentMut<'a>,
}

impl On<'_> {
    /// The same device, with the state that it has after it has grown.
    ///
    /// # Errors
    ///
    /// As for [`Transaction::on`].
    pub fn with<'t>(&'t mut self, parent: &'t Parent) -> Result<On<'t>> {
        let parent = parent.edit(self.parent.lock())?;
        Ok(On {
            host: self.host,
            link: self.link,
            parent,
        })
    }
}
