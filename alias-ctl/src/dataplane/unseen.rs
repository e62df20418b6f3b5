//! File systems that are mounted where nobody sees them, and only as long as their
//! descriptor lives.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// The root of a new mount of this type of file system (Linux 5.2).
///
/// # Errors
///
/// ENODEV when the kernel has no such type, EPERM without CAP_SYS_ADMIN.
pub(super) fn mount(kind: &str) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let (flags, attributes) = (FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty());
    Ok(fsmount(context.as_fd(), flags, attributes)?)
}
