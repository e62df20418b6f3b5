//! BPF_PROG_TEST_RUN: a program on one packet, once, over and over, or for real.

use std::{
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use super::{attr::TestRunAttr, bpf, open_pinned};

/// enum bpf_cmd of linux/bpf.h.
const BPF_PROG_TEST_RUN: libc::c_long = 10;
/// BPF_F_TEST_XDP_LIVE_FRAMES.
const LIVE_FRAMES: u32 = 1 << 1;

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
/// those of the calling thread's namespace: see [`crate::Namespace::enter`].
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
