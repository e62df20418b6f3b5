//! Maps: making them, and their elements by 4-byte keys.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{bpf, owned};

const BPF_MAP_CREATE: u32 = 0;
const BPF_MAP_LOOKUP_ELEM: u32 = 1;
const BPF_MAP_UPDATE_ELEM: u32 = 2;
const BPF_MAP_DELETE_ELEM: u32 = 3;

/// One element of a map.
#[repr(C)]
pub(in crate::dataplane) struct ElementAttribute {
    pub(in crate::dataplane) map_fd: u32,
    pub(in crate::dataplane) padding: u32,
    pub(in crate::dataplane) key: u64,
    pub(in crate::dataplane) value: u64,
    pub(in crate::dataplane) flags: u64,
}

/// Sets one element of a map with 4-byte keys; `N` is its value size.
///
/// # Errors
///
/// That of `BPF_MAP_UPDATE_ELEM`: E2BIG when the map is full.
pub fn map_update<const N: usize>(
    map: BorrowedFd<'_>,
    key: u32,
    value: &[u8; N],
) -> io::Result<()> {
    let mut attribute = ElementAttribute {
        map_fd: map.as_raw_fd() as u32,
        padding: 0,
        key: (&raw const key) as u64,
        value: value.as_ptr() as u64,
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attribute).map(drop)
}

/// Reads one element of a map with 4-byte keys and `N`-byte values; of a map of maps
/// that is the inner map's id. `None` when there is none.
///
/// # Errors
///
/// That of `BPF_MAP_LOOKUP_ELEM`, but for ENOENT.
pub fn map_lookup<const N: usize>(map: BorrowedFd<'_>, key: u32) -> io::Result<Option<[u8; N]>> {
    let mut value = [0; N];
    let mut attribute = ElementAttribute {
        map_fd: map.as_raw_fd() as u32,
        padding: 0,
        key: (&raw const key) as u64,
        value: value.as_mut_ptr() as u64,
        flags: 0,
    };
    match bpf(BPF_MAP_LOOKUP_ELEM, &mut attribute) {
        Ok(_) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes one element; one that is not there is as good.
///
/// # Errors
///
/// That of `BPF_MAP_DELETE_ELEM`, but for ENOENT.
pub fn map_delete(map: BorrowedFd<'_>, key: u32) -> io::Result<()> {
    let mut attribute = ElementAttribute {
        map_fd: map.as_raw_fd() as u32,
        padding: 0,
        key: (&raw const key) as u64,
        value: 0,
        flags: 0,
    };
    match bpf(BPF_MAP_DELETE_ELEM, &mut attribute) {
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
        _ => Ok(()),
    }
}

#[repr(C)]
struct MapCreateAttribute {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map_fd: u32,
}

/// Makes a map with 4-byte keys.
///
/// # Errors
///
/// That of `BPF_MAP_CREATE`.
pub fn map_create(
    kind: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let mut attribute = MapCreateAttribute {
        kind,
        key_size: 4,
        value_size,
        max_entries,
        flags,
        inner_map_fd: inner.map_or(0, |inner| inner.as_raw_fd() as u32),
    };
    bpf(BPF_MAP_CREATE, &mut attribute).map(owned)
}

#[cfg(test)]
mod tests {
    use aya_obj::generated::bpf_attr;

    use super::super::layout::same;
    use super::*;

    #[test]
    fn maps() {
        same!(ElementAttribute, bpf_attr:
            map_fd = __bindgen_anon_2.map_fd,
            key = __bindgen_anon_2.key,
            value = __bindgen_anon_2.__bindgen_anon_1.value,
            flags = __bindgen_anon_2.flags,
        );
        same!(MapCreateAttribute, bpf_attr:
            kind = __bindgen_anon_1.map_type,
            key_size = __bindgen_anon_1.key_size,
            value_size = __bindgen_anon_1.value_size,
            max_entries = __bindgen_anon_1.max_entries,
            flags = __bindgen_anon_1.map_flags,
            inner_map_fd = __bindgen_anon_1.inner_map_fd,
        );
    }
}
