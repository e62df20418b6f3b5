//! The few `bpf(2)` commands that the controller needs after the object is
//! loaded: open and pin, attach and detach, ask what a descriptor is.
//!
//! aya loads the object; attaching goes through here because aya's own attach
//! falls back to a netlink attachment that cannot be pinned, and has no tc
//! attachment without a link. Structures: `union bpf_attr` of `linux/bpf.h`.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const BPF_MAP_CREATE: u32 = 0;
const BPF_MAP_LOOKUP_ELEM: u32 = 1;
const BPF_MAP_UPDATE_ELEM: u32 = 2;
const BPF_MAP_DELETE_ELEM: u32 = 3;
const BPF_OBJ_PIN: u32 = 6;
const BPF_OBJ_GET: u32 = 7;
const BPF_PROG_ATTACH: u32 = 8;
const BPF_PROG_DETACH: u32 = 9;
const BPF_OBJ_GET_INFO_BY_FD: u32 = 15;
const BPF_RAW_TRACEPOINT_OPEN: u32 = 17;
const BPF_LINK_CREATE: u32 = 28;
const BPF_LINK_UPDATE: u32 = 29;
const BPF_LINK_DETACH: u32 = 34;

/// Where a program hangs: `enum bpf_attach_type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum AttachType {
    /// `BPF_CGROUP_SOCK_OPS`.
    CgroupSockOps = 3,
    /// `BPF_CGROUP_SETSOCKOPT`.
    CgroupSetsockopt = 22,
    /// `BPF_XDP`.
    Xdp = 37,
    /// `BPF_TCX_INGRESS`, since Linux 6.6.
    TcxIngress = 46,
    /// `BPF_TCX_EGRESS`, since Linux 6.6.
    TcxEgress = 47,
}

/// What an iterator's program hangs on, likewise.
const BPF_TRACE_ITER: u32 = 28;

/// `XDP_FLAGS_SKB_MODE` and `XDP_FLAGS_DRV_MODE` of `linux/if_link.h`.
pub const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
/// See [`XDP_FLAGS_SKB_MODE`].
pub const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// Calls `bpf(2)` with one command's part of the attribute union. The kernel
/// reads no more than the size given and takes the rest as zero.
pub(super) fn bpf<T>(command: u32, attribute: &mut T) -> io::Result<i32> {
    // SAFETY: `attribute` is a live, writable, fully initialised structure of
    // the size given; every pointer in it was made from a live reference by the
    // caller, in this module or in `hash`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attribute),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result as i32)
    }
}

pub(super) fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just given us this descriptor.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)
}

#[repr(C)]
struct ObjAttribute {
    pathname: u64,
    fd: u32,
    file_flags: u32,
}

/// Opens a pinned map, program or link.
///
/// # Errors
///
/// That of `BPF_OBJ_GET`: ENOENT when nothing is pinned there.
pub fn obj_get(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut attribute = ObjAttribute {
        pathname: path.as_ptr() as u64,
        fd: 0,
        file_flags: 0,
    };
    bpf(BPF_OBJ_GET, &mut attribute).map(owned)
}

/// Pins a map, program or link.
///
/// # Errors
///
/// That of `BPF_OBJ_PIN`: EEXIST when something is there.
pub fn obj_pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    let mut attribute = ObjAttribute {
        pathname: path.as_ptr() as u64,
        fd: fd.as_raw_fd() as u32,
        file_flags: 0,
    };
    bpf(BPF_OBJ_PIN, &mut attribute).map(drop)
}

/// One element of a map.
#[repr(C)]
pub(super) struct ElementAttribute {
    pub(super) map_fd: u32,
    pub(super) padding: u32,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) flags: u64,
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
struct LinkCreateAttribute {
    prog_fd: u32,
    /// Or the descriptor of a cgroup.
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
    /// `tcx.relative_fd`, `tcx.expected_revision`; zero for XDP and cgroups.
    relative: u32,
    padding: u32,
    expected_revision: u64,
}

/// Attaches a program to a device of the calling thread's namespace. Dropping
/// the link before it is pinned detaches the program.
///
/// # Errors
///
/// That of `BPF_LINK_CREATE`.
pub fn link_create(
    program: BorrowedFd<'_>,
    ifindex: u32,
    attach_type: AttachType,
    flags: u32,
) -> io::Result<OwnedFd> {
    let mut attribute = LinkCreateAttribute {
        prog_fd: program.as_raw_fd() as u32,
        target_ifindex: ifindex,
        attach_type: attach_type as u32,
        flags,
        relative: 0,
        padding: 0,
        expected_revision: 0,
    };
    bpf(BPF_LINK_CREATE, &mut attribute).map(owned)
}

/// Attaches a program to a cgroup and, so, to all below it, beside what others
/// attach.
///
/// # Errors
///
/// That of `BPF_LINK_CREATE`: EPERM when another's program wants to be alone.
pub fn cgroup_link_create(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    attach_type: AttachType,
) -> io::Result<OwnedFd> {
    link_create(program, cgroup.as_raw_fd() as u32, attach_type, 0)
}

/// `union bpf_iter_link_info`, for an iterator over a map's elements.
#[repr(C)]
struct IteratorTarget {
    map_fd: u32,
    padding: [u32; 3],
}

#[repr(C)]
struct IteratorCreateAttribute {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    target: u64,
    target_len: u32,
    padding: u32,
}

/// Has a program print the elements of a map to whoever reads the link's pin.
///
/// # Errors
///
/// That of `BPF_LINK_CREATE`: EACCES when the program reads more than an element.
pub fn iterator_create(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let target = IteratorTarget {
        map_fd: map.as_raw_fd() as u32,
        padding: [0; 3],
    };
    let mut attribute = IteratorCreateAttribute {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: 0,
        attach_type: BPF_TRACE_ITER,
        flags: 0,
        target: (&raw const target) as u64,
        target_len: size_of::<IteratorTarget>() as u32,
        padding: 0,
    };
    bpf(BPF_LINK_CREATE, &mut attribute).map(owned)
}

#[repr(C)]
struct LinkUpdateAttribute {
    link_fd: u32,
    new_prog_fd: u32,
    flags: u32,
    old_prog_fd: u32,
}

/// Puts another program in the place of a link's: from one packet to the next,
/// without one that meets neither.
///
/// # Errors
///
/// That of `BPF_LINK_UPDATE`: ENOLINK when the device is gone.
pub fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attribute = LinkUpdateAttribute {
        link_fd: link.as_raw_fd() as u32,
        new_prog_fd: program.as_raw_fd() as u32,
        flags: 0,
        old_prog_fd: 0,
    };
    bpf(BPF_LINK_UPDATE, &mut attribute).map(drop)
}

#[repr(C)]
struct LinkDetachAttribute {
    link_fd: u32,
}

/// Detaches a link at once. Unpinning does it too, but some time later.
///
/// # Errors
///
/// EOPNOTSUPP for a tracepoint's link, which can only be closed.
pub fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attribute = LinkDetachAttribute {
        link_fd: link.as_raw_fd() as u32,
    };
    bpf(BPF_LINK_DETACH, &mut attribute).map(drop)
}

#[repr(C)]
struct RawTracepointAttribute {
    name: u64,
    prog_fd: u32,
    padding: u32,
}

/// Attaches a program to a raw tracepoint. The link can be pinned; dropping it
/// before detaches the program.
///
/// # Errors
///
/// That of `BPF_RAW_TRACEPOINT_OPEN`: ENOENT when the kernel has no such one.
pub fn raw_tracepoint_open(program: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let mut attribute = RawTracepointAttribute {
        name: name.as_ptr() as u64,
        prog_fd: program.as_raw_fd() as u32,
        padding: 0,
    };
    bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attribute).map(owned)
}

#[repr(C)]
struct ProgAttachAttribute {
    target_ifindex: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
    relative_fd: u32,
    expected_revision: u64,
}

impl ProgAttachAttribute {
    fn new(program: BorrowedFd<'_>, ifindex: u32, attach_type: AttachType) -> Self {
        ProgAttachAttribute {
            target_ifindex: ifindex,
            attach_bpf_fd: program.as_raw_fd() as u32,
            attach_type: attach_type as u32,
            attach_flags: 0,
            replace_bpf_fd: 0,
            relative_fd: 0,
            expected_revision: 0,
        }
    }
}

/// Attaches a tcx program without a link: it stays until the device goes
/// or it is detached, as on a `--to` device.
///
/// # Errors
///
/// That of `BPF_PROG_ATTACH`: EEXIST when it is attached already.
pub fn prog_attach(
    program: BorrowedFd<'_>,
    ifindex: u32,
    attach_type: AttachType,
) -> io::Result<()> {
    let mut attribute = ProgAttachAttribute::new(program, ifindex, attach_type);
    bpf(BPF_PROG_ATTACH, &mut attribute).map(drop)
}

/// Puts a tcx program in the place of one that [`prog_attach`] attached, from one
/// packet to the next.
///
/// # Errors
///
/// That of `BPF_PROG_ATTACH`: EEXIST when it is attached already, ENOENT when the old
/// one is not.
pub fn prog_replace(
    old: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    ifindex: u32,
    attach_type: AttachType,
) -> io::Result<()> {
    /// Of `linux/bpf.h`.
    const BPF_F_REPLACE: u32 = 1 << 2;
    let mut attribute = ProgAttachAttribute {
        attach_flags: BPF_F_REPLACE,
        replace_bpf_fd: old.as_raw_fd() as u32,
        ..ProgAttachAttribute::new(new, ifindex, attach_type)
    };
    bpf(BPF_PROG_ATTACH, &mut attribute).map(drop)
}

/// Takes back what [`prog_attach`] did; a device or program that is gone is as
/// good.
///
/// # Errors
///
/// That of `BPF_PROG_DETACH`, but for ENOENT and ENODEV.
pub fn prog_detach(
    program: BorrowedFd<'_>,
    ifindex: u32,
    attach_type: AttachType,
) -> io::Result<()> {
    let mut attribute = ProgAttachAttribute::new(program, ifindex, attach_type);
    match bpf(BPF_PROG_DETACH, &mut attribute) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

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

/// Lets two paths of one file system change places, in one step. bpffs can since Linux
/// 5.16.
///
/// # Errors
///
/// That of `renameat2(2)`: EINVAL where the file system cannot.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (c_path(one)?, c_path(other)?);
    // SAFETY: two NUL-terminated paths and integers.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until every program run that began before has ended. After it, nobody
/// uses what was unpublished before it.
///
/// # Errors
///
/// That of the map update that serves where `membarrier(2)` does not.
pub fn grace_period() -> io::Result<()> {
    const MEMBARRIER_CMD_GLOBAL: i32 = 1;
    // SAFETY: takes integers, touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result == 0 {
        Ok(())
    } else {
        update_map_of_maps()
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

/// An update of a map of maps returns after a grace period, since readers may
/// hold the old inner map. `membarrier` is refused on kernels with `nohz_full`.
fn update_map_of_maps() -> io::Result<()> {
    const ARRAY: u32 = 2;
    const ARRAY_OF_MAPS: u32 = 12;
    let inner = map_create(ARRAY, 4, 1, 0, None)?;
    let outer = map_create(ARRAY_OF_MAPS, 4, 1, 0, Some(inner.as_fd()))?;
    map_update(outer.as_fd(), 0, &inner.as_raw_fd().to_ne_bytes())
}
