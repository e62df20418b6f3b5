//! What programs need from the running kernel before they can be loaded:
//! root, and a BPF file system to pin in.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// Where pins go; the kernel's own convention.
const BPFFS: &str = "/sys/fs/bpf";

/// Whether this process acts as root (its effective user is 0).
pub(crate) fn is_root() -> Result<bool> {
    let status = "/proc/self/status";
    let text = fs::read_to_string(status)
        .with_context(|| format!("{status}: cannot be read: mount proc on /proc"))?;
    let user = effective_user(&text)
        .with_context(|| format!("{status}: no effective user in its Uid line"))?;
    Ok(user == 0)
}

/// Loading programs and making namespaces is root's.
pub(crate) fn require_root() -> Result<()> {
    if !is_root()? {
        bail!("needs root (EPERM): run it as root or with sudo");
    }
    Ok(())
}

/// `Uid: real effective saved filesystem`.
fn effective_user(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// Mounts bpffs if a fresh machine has not.
pub(crate) fn mount_bpffs(workspace: &Workspace) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")
        .context("/proc/self/mounts: cannot be read: mount proc on /proc")?;
    if is_bpffs_mounted(&mounts) {
        return Ok(());
    }
    if !Path::new(BPFFS).is_dir() {
        bail!("{BPFFS}: is not there: mount sysfs on /sys, on a kernel with CONFIG_BPF_SYSCALL");
    }
    let mut mount: Command = process::command("mount", workspace);
    process::step(&format!("mounting bpffs on {BPFFS}"), || {
        process::run_quietly(mount.args(["-t", "bpf", "bpf", BPFFS]))
    })
    .with_context(|| {
        format!("{BPFFS}: bpffs cannot be mounted: in a container, mount it outside and bind it in")
    })
}

fn is_bpffs_mounted(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(BPFFS) && fields.next() == Some("bpf")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effective_user_is_the_second() {
        let check = |status: &str, expected: Option<u32>| {
            assert_eq!(effective_user(status), expected, "{status}");
        };
        check("Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\n", Some(0));
        check("Uid:\t0\t1000\t0\t0\n", Some(1000));
        check("Gid:\t0\t0\n", None);
    }

    #[test]
    fn bpffs_is_found_among_mounts() {
        let check = |mounts: &str, expected: bool| {
            assert_eq!(is_bpffs_mounted(mounts), expected, "{mounts}");
        };
        check(
            "sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n",
            true,
        );
        check("none /sys/fs/bpf tmpfs rw 0 0\n", false);
        check("bpf /run/bpf bpf rw 0 0\n", false);
        check("", false);
    }
}
