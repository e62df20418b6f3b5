//! The root of the cgroup2 hierarchy, on which programs for sockets hang.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use super::unseen;

/// Where systemd mounts it: alone, or beside the hierarchies of version 1.
const MOUNTED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// A descriptor of the root. It is mounted where nobody sees it: cgroup2 need not be
/// mounted anywhere, and may be hidden (`ip netns exec` mounts a new /sys). A service that
/// may mount nothing takes the one that systemd has mounted.
///
/// # Errors
///
/// ENODEV when the kernel has no cgroup2, EPERM without CAP_SYS_ADMIN.
pub(super) fn root() -> io::Result<OwnedFd> {
    match unseen::mount("cgroup2") {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => mounted().ok_or(error),
        result => result,
    }
}

fn mounted() -> Option<OwnedFd> {
    let is_cgroup2 =
        |root: &File| rustix::fs::fstatfs(root).is_ok_and(|found| found.f_type == CGROUP2_MAGIC);
    MOUNTED
        .iter()
        .filter_map(|place| File::open(place).ok())
        .find(is_cgroup2)
        .map(OwnedFd::from)
}
