//! The root of the cgroup2 hierarchy, on which programs for sockets hang.

use std::io;
use std::os::fd::OwnedFd;

use super::unseen;

/// A descriptor of the root. It is mounted where nobody sees it: cgroup2 need not be
/// mounted anywhere, and may be hidden (`ip netns exec` mounts a new /sys).
///
/// # Errors
///
/// ENODEV when the kernel has no cgroup2, EPERM without CAP_SYS_ADMIN.
pub(super) fn root() -> io::Result<OwnedFd> {
    unseen::mount("cgroup2")
}
