//! Where programs hang: on devices, by links and without, as other tools do it.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use super::{
    attr::{IdAttr, LinkCreateAttr, LinkDetachAttr, ProgDetachAttr, QueryAttr},
    bpf, open_pinned, own,
    program_info::program_id,
};
use crate::namespace::Namespace;

// enum bpf_cmd and bpf_attach_type of linux/bpf.h.
const BPF_PROG_DETACH: libc::c_long = 9;
const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;
const BPF_LINK_DETACH: libc::c_long = 34;
const BPF_ATTACH_TYPE_XDP: u32 = 37;
const BPF_ATTACH_TYPE_TCX_INGRESS: u32 = 46;

/// The id by which `bpftool` knows a pinned link.
pub fn link_id(path: &Path) -> io::Result<u32> {
    // struct bpf_link_info begins as bpf_prog_info does.
    program_id(&open_pinned(path)?)
}

/// Whether the kernel has a link with this id.
pub fn link_exists(id: u32) -> io::Result<bool> {
    let mut attr = IdAttr {
        id,
        next_id: 0,
        open_flags: 0,
    };
    // SAFETY: the request holds no pointers.
    match unsafe { bpf(BPF_LINK_GET_FD_BY_ID, &mut attr) } {
        Ok(fd) => own(fd).map(|_| true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Attaches an XDP program to a device, as somebody else's tool would; it is
/// detached when the returned link is dropped.
pub fn attach_xdp(program: &OwnedFd, namespace: &Namespace, device: &str) -> io::Result<OwnedFd> {
    attach(program, namespace, device, BPF_ATTACH_TYPE_XDP)
}

/// The same for a tc program, on what comes in (tcx: since Linux 6.6).
pub fn attach_tc(program: &OwnedFd, namespace: &Namespace, device: &str) -> io::Result<OwnedFd> {
    attach(program, namespace, device, BPF_ATTACH_TYPE_TCX_INGRESS)
}

fn attach(
    program: &OwnedFd,
    namespace: &Namespace,
    device: &str,
    attach_type: u32,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreateAttr {
        prog_fd: program.as_raw_fd() as u32,
        target_ifindex: namespace.ifindex(device),
        attach_type,
        flags: 0,
    };
    // SAFETY: the request holds no pointers.
    own(namespace.enter(|| unsafe { bpf(BPF_LINK_CREATE, &mut attr) })?)
}

/// Ids of the programs that hang on what comes in (tcx), at most eight.
pub fn tcx_programs(namespace: &Namespace, device: &str) -> io::Result<Vec<u32>> {
    let mut ids = [0u32; 8];
    let mut attr = QueryAttr {
        target_ifindex: namespace.ifindex(device),
        attach_type: BPF_ATTACH_TYPE_TCX_INGRESS,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: (&raw mut ids) as u64,
        count: ids.len() as u32,
        padding: 0,
    };
    // SAFETY: `ids` holds as many as stated, and outlives the call.
    namespace.enter(|| unsafe { bpf(BPF_PROG_QUERY, &mut attr) })?;
    Ok(ids[..attr.count as usize].to_vec())
}

/// Lets a pinned link go from what it holds on to, by force.
pub fn detach_link(path: &Path) -> io::Result<()> {
    let link = open_pinned(path)?;
    let mut attr = LinkDetachAttr {
        link_fd: link.as_raw_fd() as u32,
    };
    // SAFETY: the request holds no pointers; `link` is open.
    unsafe { bpf(BPF_LINK_DETACH, &mut attr) }.map(drop)
}

/// Takes a pinned program without a link off what comes in (tcx).
pub fn detach_tc(path: &Path, namespace: &Namespace, device: &str) -> io::Result<()> {
    let program = open_pinned(path)?;
    let mut attr = ProgDetachAttr {
        target_ifindex: namespace.ifindex(device),
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_ATTACH_TYPE_TCX_INGRESS,
        attach_flags: 0,
    };
    // SAFETY: the request holds no pointers; `program` is open.
    namespace.enter(|| unsafe { bpf(BPF_PROG_DETACH, &mut attr) })?;
    Ok(())
}
