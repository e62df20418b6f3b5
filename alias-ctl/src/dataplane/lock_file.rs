//! The lock that says whether a daemon holds its lock, and what is left when it ended
//! without giving it up.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// Names below the namespace's directory.
pub(super) const DAEMON: &str = "daemon";
pub(super) const KEEP: &str = "keep";

/// Removes the lock of a daemon that was killed, below a namespace's directory.
pub(super) fn clear_stale(namespace: &Path) {
    let path = namespace.join(DAEMON);
    if path.exists() && !is_taken(&path) {
        clear(namespace);
    }
}

pub(super) fn clear(namespace: &Path) {
    let path = namespace.join(DAEMON);
    // Not there is the usual case.
    let _ = fs::remove_dir(path.join(KEEP));
    let _ = fs::remove_dir(path);
}

pub(super) fn is_taken(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(try_flock(&file), Ok(false)))
}

/// Whether the lock was free. It goes with the descriptor.
pub(super) fn try_flock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
