//! bpffs: where it is mounted, and directories on it that are ours alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Refusal, Result};

/// Overrides where bpffs is mounted, so that tests share nothing.
const ROOT_VARIABLE: &str = "ALIAS_BPFFS_ROOT";
const DEFAULT_ROOT: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC` of `linux/magic.h`.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

/// Where bpffs is mounted.
///
/// # Errors
///
/// ENODEV when it is not.
pub(super) fn mounted() -> Result<PathBuf> {
    let root = std::env::var_os(ROOT_VARIABLE).map_or_else(|| DEFAULT_ROOT.into(), PathBuf::from);
    check_mounted(&root)?;
    Ok(root)
}

/// Refuses a path where no bpffs is mounted.
///
/// # Errors
///
/// ENODEV.
pub(super) fn check_mounted(root: &Path) -> Result<()> {
    let object = root.display().to_string();
    if rustix::fs::statfs(root).is_ok_and(|found| found.f_type == BPF_FS_MAGIC) {
        return Ok(());
    }
    Err(Refusal::new(
        &object,
        "open state",
        "bpffs is not mounted there",
        libc::ENODEV,
    )
    .hint(match is_hidden() {
        // A bpffs mounted here would go with this mount namespace, and the aliases with it.
        true => "this mount namespace hides it, as that of `ip netns exec` does: \
                 nsenter --net=/run/netns/NAME alias-ctl …"
            .to_owned(),
        false => format!("mount it: mount -t bpf bpf {object}"),
    }))
}

/// Whether the first process has a bpffs and this one's mount namespace is another. In a
/// container that has a first process of its own, that one's mounts are ours.
fn is_hidden() -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let (own, first) = (namespace("self"), namespace("1"));
    let mounts = fs::read_to_string("/proc/1/mounts").unwrap_or_default();
    // Who names another place knows where it is.
    let is_usual = std::env::var_os(ROOT_VARIABLE).is_none();
    is_usual
        && own != first
        && mounts
            .lines()
            .any(|line| line.split(' ').nth(2) == Some("bpf"))
}

/// Makes a directory that only we can enter; one that is there is checked.
///
/// # Errors
///
/// EPERM when it is not ours alone; that of making it.
pub(super) fn make_private(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_ours(path),
        // A parent of it went meanwhile: the caller's loop makes it again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Refusal::io(path.display().to_string(), "create", &error)),
    }
}

/// Refuses a directory that is not ours alone. bpffs's root is world writable (1777), so a
/// stranger can make our directory before us, or a link to another.
///
/// # Errors
///
/// EPERM.
pub(super) fn check_ours(path: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Refusal::io(path.display().to_string(), "inspect", &error)),
    };
    let me = rustix::process::geteuid().as_raw();
    let reason = if !found.is_dir() {
        "is not a directory".to_owned()
    } else if found.uid() != me {
        format!("belongs to user {}, not to user {me}", found.uid())
    } else if found.mode() & 0o077 != 0 {
        format!("is open to others (mode {:o})", found.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        path.display().to_string(),
        "use as state directory",
        reason,
        libc::EPERM,
    )
    .hint("look who made it, remove it, and run the command again"))
}

/// What is in a directory; nothing when it is not there.
///
/// # Errors
///
/// That of reading it.
pub(super) fn names(directory: &Path) -> Result<Vec<String>> {
    let refused = |error: io::Error| Refusal::io(directory.display().to_string(), "read", &error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refused(error)),
    };
    entries
        .map(|entry| {
            Ok(entry
                .map_err(refused)?
                .file_name()
                .to_string_lossy()
                .into_owned())
        })
        .collect()
}
