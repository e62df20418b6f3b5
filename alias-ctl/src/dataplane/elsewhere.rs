//! Whose the programs on a device are when nothing is pinned here for it: another bpffs,
//! of another mount namespace or at another place, may have the pins. Reads, and changes
//! nothing.

use std::collections::HashSet;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use alias_common::ABI_VERSION;
use alias_common::header::Header;
use alias_common::names;

use super::bpffs::names as entries;
use super::directory::Directory;
use super::shape;
use super::shared::Shared;
use super::sys::{self, MapInfo};

/// Who has a parent's pins, if nobody has them here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// A bpffs that this process sees at another place.
    Place(PathBuf),
    /// One that only the mount namespace of this process shows.
    Process(u32),
}

/// Looks for the pins of a device's programs elsewhere; `None`: no process that can be
/// seen from here sees them.
#[must_use]
pub fn holder(directory: &Directory, ifindex: u32) -> Option<Holder> {
    let own = directory.namespace();
    let root = own.parent()?.parent()?;
    let device = fs::metadata(root).ok()?.dev();
    let own_mounts = fs::read_link("/proc/self/ns/mnt").ok();
    let mut seen = HashSet::new();
    let mut processes: Vec<u32> = entries(Path::new("/proc"))
        .ok()?
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    processes.sort_unstable();
    for process in processes {
        let of = PathBuf::from(format!("/proc/{process}"));
        let Ok(namespace) = fs::read_link(of.join("ns/mnt")) else {
            continue;
        };
        let is_own = Some(&namespace) == own_mounts.as_ref();
        if !seen.insert(namespace) {
            continue;
        }
        let mounts = fs::read_to_string(of.join("mounts")).unwrap_or_default();
        for place in mounts.lines().filter_map(bpffs_of) {
            let seen_from_here = of.join("root").join(place.trim_start_matches('/'));
            let is_another = fs::metadata(&seen_from_here).is_ok_and(|at| at.dev() != device);
            let cookie = directory.cookie().to_string();
            let pins = seen_from_here.join("alias").join(cookie);
            if is_another && version_with(&pins, ifindex).is_some() {
                return Some(match is_own {
                    true => Holder::Place(place.into()),
                    false => Holder::Process(process),
                });
            }
        }
    }
    None
}

/// The directory of a device in that of some version, of which each may have one.
fn version_with(namespace: &Path, ifindex: u32) -> Option<PathBuf> {
    let versions = entries(namespace).ok()?;
    let is_version = |name: &&String| name.starts_with('v');
    let paths = versions.iter().filter(is_version);
    paths
        .map(|version| namespace.join(version).join(ifindex.to_string()))
        .find(|path| path.is_dir())
}

/// Where a line of `mounts` of proc(5) says that a bpffs is.
fn bpffs_of(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (place, kind) = (words.nth(1)?, words.next()?);
    (kind == "bpf").then(|| place.replace("\\040", " "))
}

/// Whether all processes of the machine can be seen: this one is in the first namespace
/// of process ids.
#[must_use]
pub fn sees_all_processes() -> bool {
    /// `PROC_PID_INIT_INO` of `linux/proc_ns.h`.
    const FIRST: u64 = 0xefff_fffc;
    fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == FIRST)
}

/// The parent whose program this is, by ifindex; `None` when it is no program of ours, or
/// that cannot be told.
#[must_use]
pub fn parent_of_program(id: u32) -> Option<u32> {
    let name = sys::program_name(id).ok()?;
    if !name.starts_with("alias_") {
        return None;
    }
    let program = sys::program_by_id(id).ok()?;
    // The maps have no names in the kernel.
    let expected = shape::HEADER;
    let is_header = |info: &MapInfo| {
        (info.kind, info.value_size, info.max_entries)
            == (expected.kind, expected.value_size, expected.max_entries)
    };
    let map = sys::map_of_program(program.as_fd(), is_header).ok()??;
    let header: Shared<Header> = Shared::map(map.as_fd(), 1, names::HEADER).ok()?;
    let header = header.read(0);
    (header.abi_version == ABI_VERSION).then_some(header.parent_ifindex)
}

/// Whether the program that runs on a device's XDP hook is ours.
#[must_use]
pub fn is_own_engine(ifindex: u32, program: u32) -> bool {
    let name = sys::program_name(program).unwrap_or_default();
    name.starts_with(names::ALIAS_RX) && parent_of_program(program) == Some(ifindex)
}

/// The link by which a program is attached, if it is by one: the kernel lets nobody take
/// its program off but through it.
#[must_use]
pub fn link_of(program: u32) -> Option<OwnedFd> {
    sys::link_of_program(program).ok().flatten()
}

/// How to take another tool's program off a device.
#[must_use]
pub fn take_off_hint(device: &str, program: u32) -> String {
    let link = link_of(program).and_then(|link| sys::link_info(link.as_fd()).ok());
    match link {
        Some(link) => format!(
            "detach it with the tool that made it; if nobody needs it: bpftool link detach id {}",
            link.id
        ),
        None => format!("if nobody needs it: ip link set dev {device} xdp off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bpffs_among_mounts() {
        for (line, expected) in [
            ("bpf /sys/fs/bpf bpf rw,mode=700 0 0", Some("/sys/fs/bpf")),
            ("none /run/a\\040b bpf rw 0 0", Some("/run/a b")),
            ("tmpfs /bpf tmpfs rw 0 0", None),
            ("", None),
        ] {
            assert_eq!(bpffs_of(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_device_of_some_version() {
        let namespace = std::env::temp_dir().join(format!("alias-{}-holder", std::process::id()));
        fs::create_dir_all(namespace.join("v4/7")).unwrap();
        let found = version_with(&namespace, 7);
        let missing = version_with(&namespace, 8);
        fs::remove_dir_all(&namespace).unwrap();
        assert_eq!(found, Some(namespace.join("v4/7")));
        assert_eq!(missing, None);
    }
}
