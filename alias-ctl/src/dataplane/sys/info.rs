//! What a descriptor is.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

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
    info_into(fd, &mut info)?;
    Ok(info)
}

/// The same of a structure that says what else is wanted, and where to.
fn info_into<T>(fd: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attribute = InfoAttribute {
        bpf_fd: fd.as_raw_fd() as u32,
        info_len: size_of::<T>() as u32,
        info: std::ptr::from_mut(info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attribute).map(drop)
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
const BPF_MAP_GET_FD_BY_ID: u32 = 14;
const BPF_LINK_GET_FD_BY_ID: u32 = 30;
const BPF_LINK_GET_NEXT_ID: u32 = 31;

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
    let info: ProgInfo = info(program_by_id(id)?.as_fd())?;
    Ok(text(&info.name))
}

/// What the kernel keeps of a name.
fn text(name: &[u8; 16]) -> String {
    let end = name.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned()
}

/// Opens what the kernel calls by this number.
fn by_id(command: u32, id: u32) -> io::Result<OwnedFd> {
    let mut attribute = GetIdAttribute {
        id,
        next_id: 0,
        open_flags: 0,
    };
    bpf(command, &mut attribute).map(owned)
}

/// Opens a loaded program.
///
/// # Errors
///
/// ENOENT when there is no such program, EPERM without CAP_SYS_ADMIN.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    by_id(BPF_PROG_GET_FD_BY_ID, id)
}

/// A link of a loaded program, by the program's number; of several, any. It is looked for
/// among all links.
///
/// # Errors
///
/// EPERM without CAP_SYS_ADMIN.
pub fn link_of_program(program: u32) -> io::Result<Option<OwnedFd>> {
    let mut id = 0;
    loop {
        let mut attribute = GetIdAttribute {
            id,
            next_id: 0,
            open_flags: 0,
        };
        match bpf(BPF_LINK_GET_NEXT_ID, &mut attribute) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            done => drop(done?),
        }
        id = attribute.next_id;
        match by_id(BPF_LINK_GET_FD_BY_ID, id) {
            // Gone meanwhile, or being made.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EAGAIN)) => {}
            link => {
                let link = link?;
                if link_info(link.as_fd())?.prog_id == program {
                    return Ok(Some(link));
                }
            }
        }
    }
}

/// Of the maps of a program, the one that looks so.
///
/// # Errors
///
/// That of asking the kernel.
pub fn map_of_program(
    program: BorrowedFd<'_>,
    looks_so: impl Fn(&MapInfo) -> bool,
) -> io::Result<Option<OwnedFd>> {
    /// `MAX_USED_MAPS` of `linux/bpf.h`.
    const MOST: usize = 64;
    let mut ids = [0u32; MOST];
    let mut found = ProgInfo {
        nr_map_ids: MOST as u32,
        map_ids: (&raw mut ids) as u64,
        ..ProgInfo::default()
    };
    info_into(program, &mut found)?;
    for id in &ids[..(found.nr_map_ids as usize).min(MOST)] {
        let map = by_id(BPF_MAP_GET_FD_BY_ID, *id)?;
        if looks_so(&map_info(map.as_fd())?) {
            return Ok(Some(map));
        }
    }
    Ok(None)
}

/// Kernel's id of a program.
///
/// # Errors
///
/// EINVAL when the descriptor is no program's.
pub fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    info::<ProgInfo>(program).map(|info| info.id)
}

#[cfg(test)]
mod tests {
    use aya_obj::generated::{bpf_attr, bpf_link_info, bpf_map_info, bpf_prog_info};

    use super::super::layout::same;
    use super::*;

    #[test]
    fn queries() {
        same!(InfoAttribute, bpf_attr:
            bpf_fd = info.bpf_fd,
            info_len = info.info_len,
            info = info.info,
        );
        same!(GetIdAttribute, bpf_attr:
            id = __bindgen_anon_6.__bindgen_anon_1.prog_id,
            next_id = __bindgen_anon_6.next_id,
            open_flags = __bindgen_anon_6.open_flags,
        );
    }

    #[test]
    fn answers() {
        same!(MapInfo, bpf_map_info:
            kind = type_,
            id = id,
            key_size = key_size,
            value_size = value_size,
            max_entries = max_entries,
            flags = map_flags,
        );
        same!(LinkInfo, bpf_link_info:
            kind = type_,
            id = id,
            prog_id = prog_id,
            ifindex = __bindgen_anon_1.xdp.ifindex,
        );
        same!(ProgInfo, bpf_prog_info:
            kind = type_,
            id = id,
            tag = tag,
            load_time = load_time,
            nr_map_ids = nr_map_ids,
            map_ids = map_ids,
            name = name,
        );
    }
}
