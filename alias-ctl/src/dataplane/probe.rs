//! What the running kernel can do. Each answer comes from a trial or from the kernel's
//! own description of itself, never from its version: distributions carry features back
//! to kernels with lower numbers (RHEL 9's 5.14 has tcx).

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use memchr::memmem;

use super::{symbols, sys, transmit, unseen};

/// Largest MTU at which each frame surely lies in one page, and so in one fragment:
/// 4,096 bytes without `XDP_PACKET_HEADROOM` (256), `skb_shared_info` (320), an
/// Ethernet header (14) and two VLAN tags (8).
pub const LINEAR_MTU: u32 = 3_498;

/// What was asked, and what the kernel answered.
#[derive(Debug)]
pub struct Probe {
    /// What was asked for, as the field calls it.
    pub feature: &'static str,
    /// The answer; an error when it could not be found out.
    pub there: io::Result<bool>,
    /// What is so on a kernel without it.
    pub without: &'static str,
}

/// Every feature that is used where there is one, and done without where there is not.
/// As root: programs and maps are made for it, and gone when this returns.
#[must_use]
pub fn all() -> Vec<Probe> {
    vec![
        Probe {
            feature: "tcx",
            there: has_tcx(),
            without: "tc programs are attached by clsact filters, which other tools can replace",
        },
        Probe {
            feature: "XDP redirect of frames in several fragments",
            there: redirects_fragments(),
            without: "--to is refused on a parent in native mode with an MTU above 3498",
        },
        Probe {
            feature: "exchange of two directories on bpffs",
            there: can_exchange(),
            without: "a parent cannot grow: attach it with --capacity",
        },
        Probe {
            feature: "any TCP option from programs",
            there: sets_any_tcp_option(),
            without: "tcp_nodelay and tcp_mssdflt are refused",
        },
        Probe {
            feature: "addresses of the kernel's functions",
            there: Ok(symbols::redirect_site() != [0; 2]),
            without: "losses on the way to alias devices are not counted; \
                      sysctl -w kernel.kptr_restrict=1 as root, then attach anew",
        },
    ]
}

/// Whether tc programs can be attached by links. The trial names no device: without tcx
/// the attach type is refused (EINVAL) before the device is looked for (ENODEV).
///
/// # Errors
///
/// That of loading the program of the trial.
pub fn has_tcx() -> io::Result<bool> {
    let program = transmit::load(0)?;
    match sys::link_create(program.as_fd(), 0, sys::AttachType::TcxIngress, 0) {
        Err(error) => Ok(error.raw_os_error() != Some(libc::EINVAL)),
        Ok(_) => Ok(true),
    }
}

/// Whether a frame of several fragments can be redirected. The same change of the
/// kernel (Linux 6.3) gave devices their `xdp_features`, which the kernel's types name.
///
/// # Errors
///
/// That of reading the kernel's BTF.
pub fn redirects_fragments() -> io::Result<bool> {
    kernel_has(b"\0xdp_set_features_flag\0")
}

/// Whether `bpf_setsockopt` takes whatever `setsockopt(2)` takes of TCP: before one function
/// served both (Linux 6.1), it knew a list of its own, without `TCP_NODELAY` and
/// `TCP_MAXSEG`. To try it would take a connection.
///
/// # Errors
///
/// That of reading the kernel's BTF.
pub fn sets_any_tcp_option() -> io::Result<bool> {
    kernel_has(b"\0sol_tcp_sockopt\0")
}

/// Whether the kernel's types name this, with a zero byte on each side.
fn kernel_has(name: &[u8]) -> io::Result<bool> {
    let btf = fs::read("/sys/kernel/btf/vmlinux")?;
    Ok(memmem::find(&btf, name).is_some())
}

/// Whether two directories of bpffs can change places in one step (Linux 5.16).
fn can_exchange() -> io::Result<bool> {
    let bpffs = unseen::mount("bpf")?;
    let root = PathBuf::from(format!("/proc/self/fd/{}", bpffs.as_raw_fd()));
    let [one, other] = ["a", "b"].map(|name| root.join(name));
    fs::create_dir(&one)?;
    fs::create_dir(&other)?;
    Ok(sys::exchange(&one, &other).is_ok())
}
