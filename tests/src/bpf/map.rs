//! BPF maps by bpf(2): for the programs that stand beside the ones under test.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{
    attr::{ElementAttr, MapCreateAttr},
    bpf, own,
};

// enum bpf_cmd of linux/bpf.h.
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
/// BPF_F_NO_PREALLOC.
const NO_PREALLOC: u32 = 1;

/// What kind of map it is: enum bpf_map_type of linux/bpf.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// BPF_MAP_TYPE_ARRAY.
    Array = 2,
    /// BPF_MAP_TYPE_PROG_ARRAY.
    ProgArray = 3,
    /// BPF_MAP_TYPE_PERCPU_HASH.
    PercpuHash = 5,
    /// BPF_MAP_TYPE_LPM_TRIE.
    LpmTrie = 11,
    /// BPF_MAP_TYPE_DEVMAP.
    Devmap = 14,
}

/// Makes a map; it lives as long as the descriptor and the programs that use it.
pub fn create(kind: MapKind, key: u32, value: u32, max_entries: u32) -> io::Result<OwnedFd> {
    let mut attr = MapCreateAttr {
        map_type: kind as u32,
        key_size: key,
        value_size: value,
        max_entries,
        map_flags: match kind {
            MapKind::LpmTrie => NO_PREALLOC,
            _ => 0,
        },
    };
    // SAFETY: the request holds no pointers.
    own(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?)
}

/// Sets an element. Key and value must have the map's sizes; the value of a
/// map per CPU is that of each possible CPU, one after the other.
pub fn update(map: &OwnedFd, key: &[u8], value: &[u8]) -> io::Result<()> {
    element(BPF_MAP_UPDATE_ELEM, map, key, value.as_ptr() as u64)
}

/// Reads an element into `value`, which must be as large as for [`update`].
pub fn lookup(map: &OwnedFd, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    element(BPF_MAP_LOOKUP_ELEM, map, key, value.as_mut_ptr() as u64)
}

fn element(command: libc::c_long, map: &OwnedFd, key: &[u8], value: u64) -> io::Result<()> {
    let mut attr = ElementAttr {
        map_fd: map.as_raw_fd() as u32,
        padding: 0,
        key: key.as_ptr() as u64,
        value,
        flags: 0,
    };
    // SAFETY: key and value have the map's sizes, as the callers promise, and
    // outlive the call.
    unsafe { bpf(command, &mut attr) }.map(drop)
}

/// For how many CPUs the kernel keeps values.
pub fn possible_cpus() -> io::Result<usize> {
    let path = "/sys/devices/system/cpu/possible";
    let text = fs::read_to_string(path)?;
    count_of_list(text.trim())
        .ok_or_else(|| io::Error::other(format!("{path}: not a list of CPUs: {text}")))
}

/// `0-3`, `0,2-3`.
fn count_of_list(text: &str) -> Option<usize> {
    text.split(',').try_fold(0, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(sum + last.checked_sub(first)? + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::count_of_list;

    #[test]
    fn lists_of_cpus() {
        for (text, count) in [
            ("0", Some(1)),
            ("0-1", Some(2)),
            ("0,2-3", Some(3)),
            ("", None),
            ("3-1", None),
        ] {
            assert_eq!(count_of_list(text), count, "{text}");
        }
    }
}
