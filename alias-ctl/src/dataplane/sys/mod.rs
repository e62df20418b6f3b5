//! The few `bpf(2)` commands that the controller needs after the object is
//! loaded: open and pin, attach and detach, ask what a descriptor is.
//!
//! aya loads the object; attaching goes through here because aya's own attach
//! falls back to a netlink attachment that cannot be pinned, and has no tc
//! attachment without a link. Structures: `union bpf_attr` of `linux/bpf.h`.

mod attach;
mod info;
#[cfg(test)]
pub(in crate::dataplane) mod layout;
mod map;

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

pub use attach::{
    AttachType, BPF_F_BEFORE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE, cgroup_link_create,
    iterator_create, link_create, link_detach, link_update, prog_attach, prog_detach, prog_query,
    prog_replace, raw_tracepoint_open,
};
pub use info::{
    LinkInfo, MapInfo, link_info, link_of_program, map_info, map_of_program, program_by_id,
    program_id, program_name,
};
pub(super) use map::ElementAttribute;
pub use map::{map_create, map_delete, map_lookup, map_update};

const BPF_OBJ_PIN: u32 = 6;
const BPF_OBJ_GET: u32 = 7;

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

/// Lets two paths of one file system change places, in one step. bpffs can since Linux
/// 5.16.
///
/// # Errors
///
/// That of `renameat2(2)`: EINVAL where the file system cannot.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
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

/// An update of a map of maps returns after a grace period, since readers may
/// hold the old inner map. `membarrier` is refused on kernels with `nohz_full`.
fn update_map_of_maps() -> io::Result<()> {
    const ARRAY: u32 = 2;
    const ARRAY_OF_MAPS: u32 = 12;
    let inner = map_create(ARRAY, 4, 1, 0, None)?;
    let outer = map_create(ARRAY_OF_MAPS, 4, 1, 0, Some(inner.as_fd()))?;
    map_update(outer.as_fd(), 0, &inner.as_raw_fd().to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use aya_obj::generated::bpf_attr;

    use super::layout::same;
    use super::*;

    #[test]
    fn pins() {
        same!(ObjAttribute, bpf_attr:
            pathname = __bindgen_anon_4.pathname,
            fd = __bindgen_anon_4.bpf_fd,
            file_flags = __bindgen_anon_4.file_flags,
        );
    }
}
