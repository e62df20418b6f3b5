//! Frames out of a device, without a packet socket: closing one waits for a grace
//! period (`packet_release` of Linux 6.18, 14 ms measured), which a script that adds
//! aliases one by one would pay for each. A program of four instructions that is
//! run once for each frame does the same in microseconds.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use super::sys::{bpf, owned};

const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_TEST_RUN: u32 = 10;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;

/// How long a full transmit queue is waited for, where nobody said how long all may take,
/// and the length of each wait.
const FULL_PATIENCE: Duration = Duration::from_secs(1);
const FULL_PAUSE: Duration = Duration::from_millis(1);
/// The pace: so many frames at once, and no more of them than one burst in this time,
/// which makes 10,000 a second. Every one is a broadcast that all hosts of the link take
/// in, and that switches and routers count against a limit.
const BURST: usize = 100;
const BURST_TIME: Duration = Duration::from_millis(10);
/// NET_XMIT_DROP and NET_XMIT_CN of linux/netdevice.h: the queue was full.
const NET_XMIT_DROP: i32 = 1;
const NET_XMIT_CN: i32 = 2;

/// `struct bpf_insn`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    const fn new(code: u8, destination: u8, immediate: i32) -> Instruction {
        Instruction {
            code,
            registers: destination,
            offset: 0,
            immediate,
        }
    }
}

/// `return bpf_clone_redirect(skb, ifindex, 0)`: the frame leaves by the device, and
/// what the device said is returned. R1 is the packet.
const fn program(ifindex: u32) -> [Instruction; 4] {
    // BPF_ALU64 | BPF_MOV | BPF_K, BPF_JMP | BPF_CALL, BPF_JMP | BPF_EXIT.
    const MOVE: u8 = 0xb7;
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    const BPF_FUNC_CLONE_REDIRECT: i32 = 13;
    [
        Instruction::new(MOVE, 2, ifindex.cast_signed()),
        Instruction::new(MOVE, 3, 0),
        Instruction::new(CALL, 0, BPF_FUNC_CLONE_REDIRECT),
        Instruction::new(EXIT, 0, 0),
    ]
}

/// Part of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
struct LoadAttribute {
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
}

/// Part of `union bpf_attr` for BPF_PROG_TEST_RUN.
#[repr(C)]
struct RunAttribute {
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

/// Sends frames, each with its Ethernet header, out of a device of the calling
/// thread's namespace, at a bounded pace. A full transmit queue is waited out. Returns how
/// many were sent: all, or those that could be until `deadline`.
///
/// # Errors
///
/// ENETDOWN when the device is down, ENODEV when it is gone, ENOBUFS when its queue
/// stayed full for a second, EPERM without CAP_BPF.
pub fn transmit(ifindex: u32, frames: &[Vec<u8>], deadline: Option<Instant>) -> io::Result<usize> {
    if frames.is_empty() {
        return Ok(0);
    }
    let program = load(ifindex)?;
    let is_over = |now: Instant| deadline.is_some_and(|deadline| now >= deadline);
    let mut began = Instant::now();
    for (sent, frame) in frames.iter().enumerate() {
        if sent != 0 && sent % BURST == 0 {
            thread::sleep(BURST_TIME.saturating_sub(began.elapsed()));
            began = Instant::now();
            if is_over(began) {
                return Ok(sent);
            }
        }
        let give_up = Instant::now() + FULL_PATIENCE;
        loop {
            match run(program.as_fd(), frame)? {
                0 => break,
                NET_XMIT_DROP | NET_XMIT_CN => {
                    let now = Instant::now();
                    if is_over(now) {
                        return Ok(sent);
                    }
                    if now >= give_up {
                        return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
                    }
                    thread::sleep(FULL_PAUSE);
                }
                // The helper's way of saying that there is no such device.
                error if error == -libc::EINVAL => {
                    return Err(io::Error::from_raw_os_error(libc::ENODEV));
                }
                error => return Err(io::Error::from_raw_os_error(error.saturating_neg())),
            }
        }
    }
    Ok(frames.len())
}

/// The program that sends out of this device. Nothing runs it here.
pub(super) fn load(ifindex: u32) -> io::Result<OwnedFd> {
    let instructions = program(ifindex);
    let mut attribute = LoadAttribute {
        prog_type: BPF_PROG_TYPE_SCHED_CLS,
        insn_cnt: instructions.len() as u32,
        insns: instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name: *b"alias_announce\0\0",
    };
    bpf(BPF_PROG_LOAD, &mut attribute).map(owned)
}

/// Runs the program on a frame; returns what it returned.
fn run(program: BorrowedFd<'_>, frame: &[u8]) -> io::Result<i32> {
    let mut attribute = RunAttribute {
        prog_fd: program.as_raw_fd().cast_unsigned(),
        retval: 0,
        data_size_in: frame.len() as u32,
        data_size_out: 0,
        data_in: frame.as_ptr() as u64,
        data_out: 0,
        repeat: 1,
        duration: 0,
        ctx_size_in: 0,
        ctx_size_out: 0,
        ctx_in: 0,
        ctx_out: 0,
        flags: 0,
        cpu: 0,
        batch_size: 0,
        padding: 0,
    };
    loop {
        match bpf(BPF_PROG_TEST_RUN, &mut attribute) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|_| attribute.retval.cast_signed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aya_obj::generated::bpf_attr;

    use super::super::sys::layout::same;
    use super::*;

    #[test]
    fn loads_and_runs() {
        same!(LoadAttribute, bpf_attr:
            prog_type = __bindgen_anon_3.prog_type,
            insn_cnt = __bindgen_anon_3.insn_cnt,
            insns = __bindgen_anon_3.insns,
            license = __bindgen_anon_3.license,
            log_level = __bindgen_anon_3.log_level,
            log_size = __bindgen_anon_3.log_size,
            log_buf = __bindgen_anon_3.log_buf,
            kern_version = __bindgen_anon_3.kern_version,
            prog_flags = __bindgen_anon_3.prog_flags,
            prog_name = __bindgen_anon_3.prog_name,
        );
        same!(RunAttribute, bpf_attr:
            prog_fd = test.prog_fd,
            retval = test.retval,
            data_size_in = test.data_size_in,
            data_size_out = test.data_size_out,
            data_in = test.data_in,
            data_out = test.data_out,
            repeat = test.repeat,
            duration = test.duration,
            ctx_size_in = test.ctx_size_in,
            ctx_size_out = test.ctx_size_out,
            ctx_in = test.ctx_in,
            ctx_out = test.ctx_out,
            flags = test.flags,
            cpu = test.cpu,
            batch_size = test.batch_size,
        );
    }
}
