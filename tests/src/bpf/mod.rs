//! bpf(2) without a library: load the trivial programs that tests need, and open
//! what is pinned. What is then done with a program is in the modules below.

mod attachment;
mod attr;
pub mod map;
pub mod program_info;
mod run;

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
};

pub use attachment::{
    attach_tc, attach_xdp, detach_link, detach_tc, link_exists, link_id, tcx_programs,
};
use attr::{LoadAttr, ObjectAttr};
pub use program_info::program_id;
pub use run::{
    Context, SkBuff, TestRun, Timed, XdpMd, live_run, prog_test_run, test_run, timed_run,
};

use crate::bpffs::c_path;

// enum bpf_cmd of linux/bpf.h.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_OBJ_GET: libc::c_long = 7;

/// XDP verdicts (enum xdp_action).
pub mod xdp {
    /// Drop.
    pub const DROP: u32 = 1;
    /// To the stack.
    pub const PASS: u32 = 2;
    /// To another device.
    pub const REDIRECT: u32 = 4;
}

/// tc verdicts (linux/pkt_cls.h, and linux/bpf.h for tcx).
pub mod tc {
    /// On, unchanged.
    pub const OK: u32 = 0;
    /// Drop.
    pub const SHOT: u32 = 2;
    /// To another device.
    pub const REDIRECT: u32 = 7;
}

/// What kind of program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BPF_PROG_TYPE_SCHED_CLS.
    Tc = 3,
    /// BPF_PROG_TYPE_XDP.
    Xdp = 6,
}

/// One instruction: opcode, registers, offset, immediate.
#[derive(Clone, Copy, Debug)]
pub struct Instruction(pub u8, pub u8, pub i16, pub i32);

/// A program that only returns `verdict`.
pub fn only_return(verdict: i32) -> [Instruction; 2] {
    // BPF_ALU64 | BPF_MOV | BPF_K to r0; BPF_JMP | BPF_EXIT.
    [Instruction(0xb7, 0, 0, verdict), Instruction(0x95, 0, 0, 0)]
}

/// Loads a program; it lives as long as the descriptor, its links and pins.
pub fn load(kind: Kind, program: &[Instruction]) -> io::Result<OwnedFd> {
    load_like(kind, 0, 0, program)
}

/// The same with `prog_flags` and `expected_attach_type` of `union bpf_attr`.
pub fn load_like(
    kind: Kind,
    flags: u32,
    expected_attach_type: u32,
    program: &[Instruction],
) -> io::Result<OwnedFd> {
    let encode = |Instruction(code, registers, offset, immediate): &Instruction| {
        let ([o0, o1], [i0, i1, i2, i3]) = (offset.to_ne_bytes(), immediate.to_ne_bytes());
        [*code, *registers, o0, o1, i0, i1, i2, i3]
    };
    let instructions: Vec<[u8; 8]> = program.iter().map(encode).collect();
    let mut attr = LoadAttr {
        prog_type: kind as u32,
        insn_cnt: instructions.len() as u32,
        insns: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        prog_flags: flags,
        expected_attach_type,
        ..LoadAttr::default()
    };
    // SAFETY: the instructions and the license outlive the call.
    own(unsafe { bpf(BPF_PROG_LOAD, &mut attr) }?)
}

/// Pins an object in a bpffs.
pub fn pin(object: &OwnedFd, path: &Path) -> io::Result<()> {
    object_at(BPF_OBJ_PIN, path, object.as_raw_fd() as u32).map(drop)
}

/// Opens a pinned object.
pub fn open_pinned(path: &Path) -> io::Result<OwnedFd> {
    own(object_at(BPF_OBJ_GET, path, 0)?)
}

fn object_at(command: libc::c_long, path: &Path, fd: u32) -> io::Result<RawFd> {
    let path = c_path(path);
    let mut attr = ObjectAttr {
        pathname: path.as_ptr() as u64,
        bpf_fd: fd,
        file_flags: 0,
    };
    // SAFETY: the path is NUL-terminated and outlives the call.
    unsafe { bpf(command, &mut attr) }
}

/// # Safety
/// Every address in `attr` must be valid for what the command does with it.
unsafe fn bpf<A>(command: libc::c_long, attr: &mut A) -> io::Result<RawFd> {
    // SAFETY: `attr` has the stated size; the caller vouches for what it
    // points to. The kernel takes a shorter attr as filled up with zeros.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, mem::size_of::<A>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as RawFd)
}

fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only called with a descriptor that bpf(2) has just returned.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
