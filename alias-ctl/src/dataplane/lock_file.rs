//! The lock that says whether a daemon holds its lock, and what is left when it ended
//! without giving it up.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Names below the namespace's directory.
pub(super) const SEAT: &str = "daemon";
pub(super) const KEEP: &str = "keep";

/// Removes the lock of a daemon that was killed, below a namespace's directory.
pub(super) fn clear_stale(namespace: &Path) {
    let path = namespace.join(SEAT);
    if path.exists() && !is_taken(&path) {
        clear(namespace);
    }
}

pub(super) fn clear(namespace: &Path) {
    let path = namespace.join(SEAT);
    // Not there is the usual case.
    let _ = fs::remove_dir(path.join(KEEP));
    let _ = fs::remove_dir(path);
}

pub(super) fn is_taken(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(try_flock(&file), Ok(false)))
}

/// Whether the lock was free. It goes with the descriptor.
pub(super) fn try_flock(file: &File) -> io::Result<bool> {
    // SAFETY: a live descriptor and an integer.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EWOULDBLOCK) => Ok(false),
        _ => Err(error),
    }
}
