//! Values of a parent's pinned arrays, by bpf(2): the counters before any
//! program has rendered them.

use std::{
    fs, io,
    mem::{self, MaybeUninit},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use alias_common::Plain;
use alias_tests::bpf;

// enum bpf_cmd of linux/bpf.h.
const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;

/// The value at `index` of the array pinned at `path`.
#[track_caller]
pub(crate) fn read<T: Plain>(path: &Path, index: u32) -> T {
    let map = open::<T>(path);
    let mut value = MaybeUninit::<T>::uninit();
    element(BPF_MAP_LOOKUP_ELEM, &map, index, value.as_mut_ptr() as u64)
        .unwrap_or_else(|error| panic!("{}[{index}]: {error}", path.display()));
    // SAFETY: the kernel has written the whole value, whose size `open` has
    // compared, and any bytes are a T.
    unsafe { value.assume_init() }
}

/// Replaces the value at `index` of the array pinned at `path`.
#[track_caller]
pub(crate) fn write<T: Plain>(path: &Path, index: u32, value: &T) {
    let map = open::<T>(path);
    element(BPF_MAP_UPDATE_ELEM, &map, index, (&raw const *value) as u64)
        .unwrap_or_else(|error| panic!("{}[{index}]: {error}", path.display()));
}

/// The kernel copies as many bytes as the map says, not as we say: a map of
/// another shape must not get so far.
#[track_caller]
fn open<T: Plain>(path: &Path) -> OwnedFd {
    let map = bpf::open_pinned(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()))
        .expect("facts of our own descriptor");
    let value_size = facts
        .lines()
        .find_map(|line| line.strip_prefix("value_size:"))
        .map(|size| size.trim().parse());
    assert_eq!(
        value_size,
        Some(Ok(mem::size_of::<T>())),
        "size of a value of {}",
        path.display()
    );
    map
}

fn element(command: libc::c_long, map: &OwnedFd, index: u32, value: u64) -> io::Result<()> {
    #[repr(C)]
    struct ElementAttr {
        map_fd: u32,
        padding: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let attr = ElementAttr {
        map_fd: map.as_raw_fd() as u32,
        padding: 0,
        key: (&raw const index) as u64,
        value,
        flags: 0,
    };
    // SAFETY: the attr has the stated size; key and value outlive the call and
    // are as long as the map's, which `open` has compared.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const attr,
            mem::size_of_val(&attr),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
