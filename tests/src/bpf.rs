//! bpf(2) without a library: run a pinned program on one packet and see what
//! it made of it; load and attach the trivial programs that tests need.

use std::{
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::Path,
};

pub use crate::program_info::program_id;
use crate::{bpffs::c_path, namespace::Namespace};

// enum bpf_cmd, bpf_prog_type and bpf_attach_type of linux/bpf.h.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_PROG_DETACH: libc::c_long = 9;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_LINK_GET_FD_BY_ID: libc::c_long = 30;
const BPF_LINK_DETACH: libc::c_long = 34;
const BPF_ATTACH_TYPE_XDP: u32 = 37;
const BPF_ATTACH_TYPE_TCX_INGRESS: u32 = 46;
/// BPF_F_TEST_XDP_LIVE_FRAMES.
const LIVE_FRAMES: u32 = 1 << 1;

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

/// struct xdp_md. In a test run the first three are offsets into the buffer,
/// which begins with the metadata.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XdpMd {
    /// Where the frame begins: the length of the metadata.
    pub data: u32,
    /// Where it ends.
    pub data_end: u32,
    /// Where the metadata begins: always 0.
    pub data_meta: u32,
    /// The device it came in by. 0 in a request: the namespace's `lo`.
    pub ingress_ifindex: u32,
    /// Its queue.
    pub rx_queue_index: u32,
    /// Not used by receive programs.
    pub egress_ifindex: u32,
}

const _: () = assert!(mem::size_of::<XdpMd>() == 24);

/// struct __sk_buff. A request may set mark, priority, both device indices,
/// cb, tstamp, wire_len and the gso fields; the kernel refuses others.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "linux/bpf.h documents the fields")]
pub struct SkBuff {
    pub len: u32,
    pub pkt_type: u32,
    pub mark: u32,
    pub queue_mapping: u32,
    pub protocol: u32,
    pub vlan_present: u32,
    pub vlan_tci: u32,
    pub vlan_proto: u32,
    pub priority: u32,
    pub ingress_ifindex: u32,
    pub ifindex: u32,
    pub tc_index: u32,
    pub cb: [u32; 5],
    pub hash: u32,
    pub tc_classid: u32,
    pub data: u32,
    pub data_end: u32,
    pub napi_id: u32,
    pub family: u32,
    pub remote_ip4: u32,
    pub local_ip4: u32,
    pub remote_ip6: [u32; 4],
    pub local_ip6: [u32; 4],
    pub remote_port: u32,
    pub local_port: u32,
    pub data_meta: u32,
    pub flow_keys: u64,
    pub tstamp: u64,
    pub wire_len: u32,
    pub gso_segs: u32,
    pub sk: u64,
    pub gso_size: u32,
    pub tstamp_type: u32,
    pub hwtstamp: u64,
}

const _: () = assert!(mem::size_of::<SkBuff>() == 192);
const _: () = assert!(mem::offset_of!(SkBuff, flow_keys) == 144);

/// The context a test run starts from.
#[derive(Clone, Copy, Debug)]
pub enum Context {
    /// For an XDP program. `data` and `data_end` are filled in.
    Xdp(XdpMd),
    /// For a tc program.
    Tc(SkBuff),
}

impl Context {
    /// XDP, as if the frame had come in by `lo`.
    pub fn xdp() -> Self {
        Self::Xdp(XdpMd::default())
    }

    /// tc, as if the frame were at this device (0: `lo`).
    pub fn tc(ifindex: u32) -> Self {
        Self::Tc(SkBuff {
            ifindex,
            ..SkBuff::default()
        })
    }
}

/// What a program made of a frame.
#[derive(Clone, Debug)]
pub struct TestRun {
    /// What it returned.
    pub retval: u32,
    /// The frame after it.
    pub data_out: Vec<u8>,
    /// The metadata that it put before the frame (XDP).
    pub data_meta: Vec<u8>,
    /// The context after it.
    pub context: Context,
}

/// Runs the program pinned at `path` once on `frame`. Device indices mean
/// those of the calling thread's namespace: see [`Namespace::enter`].
pub fn prog_test_run(path: &Path, frame: &[u8], context: Context) -> io::Result<TestRun> {
    test_run(&open_pinned(path)?, frame, context)
}

/// As [`prog_test_run`], for a program at hand.
pub fn test_run(program: &OwnedFd, frame: &[u8], context: Context) -> io::Result<TestRun> {
    // Room for what programs may push in front: tags, metadata.
    let mut out = vec![0; frame.len() + 512];
    let mut run = TestRunAttr {
        prog_fd: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_size_out: out.len() as u32,
        data_in: frame.as_ptr() as u64,
        data_out: out.as_mut_ptr() as u64,
        repeat: 1,
        ..TestRunAttr::default()
    };
    let (context, metadata) = match context {
        Context::Xdp(mut md) => {
            md.data_end = frame.len() as u32;
            let after = run.execute(md)?;
            (Context::Xdp(after), after.data as usize)
        }
        Context::Tc(skb) => (Context::Tc(run.execute(skb)?), 0),
    };
    out.truncate(run.data_size_out as usize);
    let data_out = out.split_off(metadata.min(out.len()));
    Ok(TestRun {
        retval: run.retval,
        data_out,
        data_meta: out,
        context,
    })
}

/// A test run of many repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// What the last repetition returned.
    pub verdict: u32,
    /// Time of one repetition, in ns of this thread's CPU time. The kernel's own figure is
    /// rounded down to whole ones, which is a fifth of what some goals allow.
    pub ns: f64,
}

/// Runs a program over and over on one frame. The kernel does not set the frame
/// back in between: what the program changes, its next repetition finds.
pub fn timed_run(program: &OwnedFd, frame: &[u8], repeat: u32) -> io::Result<Timed> {
    let mut run = TestRunAttr {
        prog_fd: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat,
        ..TestRunAttr::default()
    };
    let before = cpu_time();
    // SAFETY: the frame has the stated length and outlives the call; no output
    // is asked for.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut run) }?;
    Ok(Timed {
        verdict: run.retval,
        ns: (cpu_time() - before) / f64::from(repeat),
    })
}

/// What this thread has used, in ns.
fn cpu_time() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a timespec to be filled in; this clock is there since Linux 2.6.12.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Runs an XDP program on `packets` frames like this one, and does with each what
/// it says: a redirect sends it. Device indices mean those of the calling
/// thread's namespace. The frames' memory is used again, as the program left it.
pub fn live_run(program: &OwnedFd, frame: &[u8], packets: u32) -> io::Result<()> {
    let mut run = TestRunAttr {
        prog_fd: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat: packets,
        flags: LIVE_FRAMES,
        ..TestRunAttr::default()
    };
    // SAFETY: the frame has the stated length and outlives the call; no output
    // is asked for.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut run) }.map(drop)
}

/// The part of union bpf_attr for BPF_PROG_TEST_RUN.
#[repr(C)]
#[derive(Default)]
struct TestRunAttr {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

impl TestRunAttr {
    fn execute<C: Default>(&mut self, before: C) -> io::Result<C> {
        let mut after = C::default();
        (self.ctx_size_in, self.ctx_size_out) =
            (mem::size_of::<C>() as u32, mem::size_of::<C>() as u32);
        (self.ctx_in, self.ctx_out) = ((&raw const before) as u64, (&raw mut after) as u64);
        // SAFETY: every pointer in the request has its length beside it and
        // points to memory that outlives the call; C is a plain C structure,
        // for which any bytes are a value.
        unsafe { bpf(BPF_PROG_TEST_RUN, self) }?;
        Ok(after)
    }
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
    #[repr(C)]
    #[derive(Default)]
    struct LoadAttr {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
        prog_name: [u8; 16],
        prog_ifindex: u32,
        expected_attach_type: u32,
    }
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

/// The id by which `bpftool` knows a pinned link.
pub fn link_id(path: &Path) -> io::Result<u32> {
    // struct bpf_link_info begins as bpf_prog_info does.
    program_id(&open_pinned(path)?)
}

/// Whether the kernel has a link with this id.
pub fn link_exists(id: u32) -> io::Result<bool> {
    #[repr(C)]
    struct IdAttr {
        id: u32,
        next_id: u32,
        open_flags: u32,
    }
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
    #[repr(C)]
    struct LinkAttr {
        prog_fd: u32,
        target_ifindex: u32,
        attach_type: u32,
        flags: u32,
    }
    let mut attr = LinkAttr {
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
    #[repr(C)]
    struct QueryAttr {
        target_ifindex: u32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        prog_ids: u64,
        count: u32,
        padding: u32,
    }
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
    #[repr(C)]
    struct DetachAttr {
        link_fd: u32,
    }
    let link = open_pinned(path)?;
    let mut attr = DetachAttr {
        link_fd: link.as_raw_fd() as u32,
    };
    // SAFETY: the request holds no pointers; `link` is open.
    unsafe { bpf(BPF_LINK_DETACH, &mut attr) }.map(drop)
}

/// Takes a pinned program without a link off what comes in (tcx).
pub fn detach_tc(path: &Path, namespace: &Namespace, device: &str) -> io::Result<()> {
    #[repr(C)]
    struct DetachAttr {
        target_ifindex: u32,
        attach_bpf_fd: u32,
        attach_type: u32,
        attach_flags: u32,
    }
    let program = open_pinned(path)?;
    let mut attr = DetachAttr {
        target_ifindex: namespace.ifindex(device),
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_ATTACH_TYPE_TCX_INGRESS,
        attach_flags: 0,
    };
    // SAFETY: the request holds no pointers; `program` is open.
    namespace.enter(|| unsafe { bpf(BPF_PROG_DETACH, &mut attr) })?;
    Ok(())
}

fn object_at(command: libc::c_long, path: &Path, fd: u32) -> io::Result<RawFd> {
    #[repr(C)]
    struct ObjectAttr {
        pathname: u64,
        fd: u32,
        file_flags: u32,
    }
    let path = c_path(path);
    let mut attr = ObjectAttr {
        pathname: path.as_ptr() as u64,
        fd,
        file_flags: 0,
    };
    // SAFETY: the path is NUL-terminated and outlives the call.
    unsafe { bpf(command, &mut attr) }
}

/// # Safety
/// Every address in `attr` must be valid for what the command does with it.
pub(crate) unsafe fn bpf<A>(command: libc::c_long, attr: &mut A) -> io::Result<RawFd> {
    // SAFETY: `attr` has the stated size; the caller vouches for what it
    // points to. The kernel takes a shorter attr as filled up with zeros.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, mem::size_of::<A>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as RawFd)
}

pub(crate) fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: only called with a descriptor that bpf(2) has just returned.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
