//! The root of the cgroup2 hierarchy, on which programs for sockets hang.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

// linux/mount.h.
const FSOPEN_CLOEXEC: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const FSMOUNT_CLOEXEC: u32 = 1;

/// A descriptor of the root. It is mounted where nobody sees it and only as long
/// as the descriptor lives: cgroup2 need not be mounted anywhere, and may be
/// hidden (`ip netns exec` mounts a new /sys).
///
/// # Errors
///
/// ENODEV when the kernel has no cgroup2, EPERM without CAP_SYS_ADMIN.
pub(super) fn root() -> io::Result<OwnedFd> {
    const CGROUP2: &CStr = c"cgroup2";
    // SAFETY: a NUL-terminated name and integers.
    let context =
        owned(unsafe { libc::syscall(libc::SYS_fsopen, CGROUP2.as_ptr(), FSOPEN_CLOEXEC) })?;
    // SAFETY: a live descriptor, and no key nor value with this command.
    let created = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            FSCONFIG_CMD_CREATE,
            0,
            0,
            0,
        )
    };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a live descriptor and integers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) })
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}
