//! Attaching programs and detaching them, by links and without.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::{bpf, owned};

const BPF_PROG_ATTACH: u32 = 8;
const BPF_PROG_DETACH: u32 = 9;
const BPF_PROG_QUERY: u32 = 16;
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
/// `BPF_F_BEFORE` of `linux/bpf.h`: with no other program named, before all.
pub const BPF_F_BEFORE: u32 = 1 << 3;

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

/// Has an iterator print to whoever reads the link's pin. `map` is what it goes through
/// the elements of, if that is what it goes through.
///
/// # Errors
///
/// That of `BPF_LINK_CREATE`: EACCES when the program reads more than an element.
pub fn iterator_create(program: BorrowedFd<'_>, map: Option<RawFd>) -> io::Result<OwnedFd> {
    let target = IteratorTarget {
        map_fd: map.unwrap_or_default() as u32,
        padding: [0; 3],
    };
    let mut attribute = IteratorCreateAttribute {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: 0,
        attach_type: BPF_TRACE_ITER,
        flags: 0,
        target: map.map_or(0, |_| (&raw const target) as u64),
        target_len: map.map_or(0, |_| size_of::<IteratorTarget>() as u32),
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
struct ProgQueryAttribute {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    count: u32,
    padding: u32,
}

/// Ids of the tcx programs on one side of a device, in their order.
///
/// # Errors
///
/// That of `BPF_PROG_QUERY`: ENOENT when there never was one.
pub fn prog_query(ifindex: u32, attach_type: AttachType) -> io::Result<Vec<u32>> {
    /// `BPF_MPROG_MAX` of `linux/bpf_mprog.h`: no side of a device has more.
    const MOST: usize = 64;
    let mut ids = [0u32; MOST];
    let mut attribute = ProgQueryAttribute {
        target_ifindex: ifindex,
        attach_type: attach_type as u32,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: (&raw mut ids) as u64,
        count: MOST as u32,
        padding: 0,
    };
    bpf(BPF_PROG_QUERY, &mut attribute)?;
    let count = (attribute.count as usize).min(MOST);
    Ok(ids[..count].to_vec())
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

#[cfg(test)]
mod tests {
    use aya_obj::generated::bpf_attr;

    use super::super::layout::same;
    use super::*;

    #[test]
    fn links() {
        same!(LinkCreateAttribute, bpf_attr:
            prog_fd = link_create.__bindgen_anon_1.prog_fd,
            target_ifindex = link_create.__bindgen_anon_2.target_ifindex,
            attach_type = link_create.attach_type,
            flags = link_create.flags,
            relative = link_create.__bindgen_anon_3.tcx.__bindgen_anon_1.relative_fd,
            expected_revision = link_create.__bindgen_anon_3.tcx.expected_revision,
        );
        same!(IteratorCreateAttribute, bpf_attr:
            prog_fd = link_create.__bindgen_anon_1.prog_fd,
            target_fd = link_create.__bindgen_anon_2.target_fd,
            attach_type = link_create.attach_type,
            flags = link_create.flags,
            target = link_create.__bindgen_anon_3.__bindgen_anon_1.iter_info,
            target_len = link_create.__bindgen_anon_3.__bindgen_anon_1.iter_info_len,
        );
        same!(LinkUpdateAttribute, bpf_attr:
            link_fd = link_update.link_fd,
            new_prog_fd = link_update.__bindgen_anon_1.new_prog_fd,
            flags = link_update.flags,
            old_prog_fd = link_update.__bindgen_anon_2.old_prog_fd,
        );
        same!(LinkDetachAttribute, bpf_attr: link_fd = link_detach.link_fd);
    }

    #[test]
    fn programs() {
        same!(RawTracepointAttribute, bpf_attr:
            name = raw_tracepoint.name,
            prog_fd = raw_tracepoint.prog_fd,
        );
        same!(ProgQueryAttribute, bpf_attr:
            target_ifindex = query.__bindgen_anon_1.target_ifindex,
            attach_type = query.attach_type,
            query_flags = query.query_flags,
            attach_flags = query.attach_flags,
            prog_ids = query.prog_ids,
            count = query.__bindgen_anon_2.count,
        );
        same!(ProgAttachAttribute, bpf_attr:
            target_ifindex = __bindgen_anon_5.__bindgen_anon_1.target_ifindex,
            attach_bpf_fd = __bindgen_anon_5.attach_bpf_fd,
            attach_type = __bindgen_anon_5.attach_type,
            attach_flags = __bindgen_anon_5.attach_flags,
            replace_bpf_fd = __bindgen_anon_5.replace_bpf_fd,
            relative_fd = __bindgen_anon_5.__bindgen_anon_2.relative_fd,
            expected_revision = __bindgen_anon_5.expected_revision,
        );
    }
}
