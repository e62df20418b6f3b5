//! The daemon's lock: one directory in the namespace's, locked while the daemon
//! runs, so that there is one of them.
//!
//! ```text
//! <bpffs>/alias/<netns cookie>/daemon        locked by the daemon
//! <bpffs>/alias/<netns cookie>/daemon/keep   what it was told for parents that go down
//! ```
//!
//! A lock ends with its process; the directory of a daemon that was killed goes
//! with the next one, or with the namespace's.

use std::fs::{self, File};
use std::io;

use super::bpffs::make_private;
use super::directory::{Directory, WriteLock};
use super::lock_file::{DAEMON, KEEP, clear, is_taken, try_flock};
use crate::error::{Refusal, Result};
use crate::model::lifecycle::OnDown;

/// The right to be this namespace's daemon.
pub struct DaemonLock {
    _file: File,
    directory: Directory,
}

impl WriteLock {
    /// Takes the daemon's lock.
    ///
    /// # Errors
    ///
    /// EBUSY when a daemon has it.
    pub fn take_daemon_lock(&self, on_down: OnDown) -> Result<DaemonLock> {
        let path = self.directory().namespace().join(DAEMON);
        let refused = |error: &io::Error| Refusal::io(path.display().to_string(), "lock", error);
        make_private(&path)?;
        let file = File::open(&path).map_err(|error| refused(&error))?;
        if !try_flock(&file).map_err(|error| refused(&error))? {
            return Err(Refusal::new(
                "daemon",
                "start",
                "another one runs in this network namespace",
                libc::EBUSY,
            )
            .hint("one is enough; end that one first"));
        }
        let daemon_lock = DaemonLock {
            _file: file,
            directory: self.directory().clone(),
        };
        let keep = path.join(KEEP);
        match on_down {
            OnDown::Keep => make_private(&keep)?,
            OnDown::Delete => {
                let _ = fs::remove_dir(&keep);
            }
        }
        Ok(daemon_lock)
    }
}

impl Directory {
    /// What becomes of the aliases of parents that were given no choice of their
    /// own: what the daemon was told, if one runs.
    #[must_use]
    pub fn usual_on_down(&self) -> OnDown {
        let path = self.namespace().join(DAEMON);
        let keeps = path.join(KEEP).exists() && is_taken(&path);
        if keeps { OnDown::Keep } else { OnDown::Delete }
    }
}

impl Drop for DaemonLock {
    fn drop(&mut self) {
        clear(&self.directory.namespace());
        // Whoever lets go of the lock removes what is empty.
        drop(self.directory.try_lock());
    }
}
