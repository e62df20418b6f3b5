//! What a descriptor is.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::{bpf, owned};

const BPF_OBJ_GET_INFO_BY_FD: u32 = 15;

#[repr(C)]
struct InfoAttribute {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

fn info<T: Default>(fd: BorrowedFd<'_>) -> io::Result<T> {
    let mut info = T::default();
    let mut attribute = InfoAttribute {
        bpf_fd: fd.as_raw_fd() as u32,
        info_len: size_of::<T>() as u32,
        info: (&raw mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute)?;
    Ok(info)
}

/// The head of `struct bpf_map_info`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct MapInfo {
    /// `enum bpf_map_type`.
    pub kind: u32,
    /// Id of the map.
    pub id: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Number of elements.
    pub max_entries: u32,
    /// `BPF_F_…` of its creation.
    pub flags: u32,
}

/// What a map's descriptor is.
///
/// # Errors
///
/// EINVAL when it is no map's.
pub fn map_info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    info(map)
}

/// The head of `struct bpf_link_info`, for a link to a device.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct LinkInfo {
    /// `enum bpf_link_type`.
    pub kind: u32,
    /// Id of the link.
    pub id: u32,
    /// Id of its program.
    pub prog_id: u32,
    padding: u32,
    /// The device; 0 when it is gone and the link is dead.
    pub ifindex: u32,
    tail: u32,
}

/// What a link's descriptor is.
///
/// # Errors
///
/// EINVAL when it is no link's.
pub fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    info(link)
}

/// The head of `struct bpf_prog_info`: enough to say what is in the way.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct ProgInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
}

const BPF_PROG_GET_FD_BY_ID: u32 = 13;

#[repr(C)]
struct GetIdAttribute {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// Name of a loaded program, as far as the kernel keeps it (15 bytes).
///
/// # Errors
///
/// ENOENT when there is no such program.
pub fn program_name(id: u32) -> io::Result<String> {
    let mut attribute = GetIdAttribute {
        id,
        next_id: 0,
        open_flags: 0,
    };
    let program = bpf(BPF_PROG_GET_FD_BY_ID, &mut attribute).map(owned)?;
    let info: ProgInfo = info(program.as_fd())?;
    let end = info
        .name
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(info.name.len());
    Ok(String::from_utf8_lossy(&info.name[..end]).into_owned())
}

/// Kernel's id of a program.
///
/// # Errors
///
/// EINVAL when the descriptor is no program's.
pub fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    info::<ProgInfo>(program).map(|info| info.id)
}
