//! `tcp_apply`: sets an alias's TCP options on its sockets, except those that
//! the application set. It acts at three moments:
//!
//! - a connection is about to be opened: its local address is known, and nothing
//!   of it has been sent;
//! - a socket begins to listen on the alias's address: its largest segment goes
//!   into the answer to a SYN, for which no other program is asked;
//! - a connection was accepted, before the application has it. The kernel sizes its
//!   buffers right after.

use core::ptr;

use alias_common::tcp_options::{Grant, LocalAddress, TcpOption};
use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_SOCK_OPS_TCP_LISTEN_CB,
};
use aya_ebpf::helpers::generated::{bpf_get_netns_cookie, bpf_setsockopt};
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;

use crate::option::{SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, SOL_TCP, TCP_MAXSEG, TCP_NODELAY};
use crate::{NOTED, TCP_OPTIONS};

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// With any other value the kernel ignores the reply and assumes a failure.
const DONE: u32 = 1;

#[sock_ops]
pub fn tcp_apply(ctx: SockOpsContext) -> u32 {
    const SEGMENT: u8 = TcpOption::TcpMssdflt.bit();
    let wanted = match ctx.op() {
        BPF_SOCK_OPS_TCP_CONNECT_CB => u8::MAX,
        BPF_SOCK_OPS_TCP_LISTEN_CB => SEGMENT,
        // It has the listener's segment size, which was announced to the other side.
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => !SEGMENT,
        _ => return DONE,
    };
    let _ = apply(&ctx, wanted);
    DONE
}

#[inline(always)]
fn apply(ctx: &SockOpsContext, wanted: u8) -> Option<()> {
    let key = LocalAddress {
        address: local_address(ctx)?,
        // SAFETY: the context is live.
        netns_cookie: unsafe { bpf_get_netns_cookie(ctx.as_ptr()) },
    };
    // SAFETY: replaced as a whole by the controller, and not before this run ends.
    let Grant { options, .. } = *unsafe { TCP_OPTIONS.get(key) }?;
    // SAFETY: the context is live; the socket is checked before it is used, and so
    // is what is stored with it.
    let noted = unsafe {
        let socket = (*ctx.ops).__bindgen_anon_2.sk;
        if socket.is_null() {
            return None;
        }
        NOTED.get(socket).as_ref().copied().unwrap_or(0)
    };
    let wanted = options.given & wanted & !(noted as u8);
    for (option, level, name) in [
        (TcpOption::TcpMssdflt, SOL_TCP, TCP_MAXSEG),
        (TcpOption::TcpRecvspace, SOL_SOCKET, SO_RCVBUF),
        (TcpOption::TcpSendspace, SOL_SOCKET, SO_SNDBUF),
        (TcpOption::TcpNodelay, SOL_TCP, TCP_NODELAY),
    ] {
        if wanted & option.bit() != 0
            && let Some(mut value) = options.get(option)
        {
            // The controller has asked the kernel whether it takes such a value.
            // SAFETY: the context is live, and so is the value, an integer.
            unsafe {
                bpf_setsockopt(ctx.as_ptr(), level, name, (&raw mut value).cast(), 4);
            }
        }
    }
    Some(())
}

/// The socket's own address, mapped into IPv6.
#[inline(always)]
fn local_address(ctx: &SockOpsContext) -> Option<[u8; 16]> {
    // Word by word, since the kernel allows no wider access to its context. All of them
    // are read before the family is known, by volatile loads: otherwise the compiler would
    // merge two loads into one at a computed offset, which the kernel does not allow.
    // SAFETY: fields of the live context.
    let (v4, v6) = unsafe {
        let ops = ctx.ops;
        (
            ptr::read_volatile(&raw const (*ops).local_ip4),
            [
                ptr::read_volatile(&raw const (*ops).local_ip6[0]),
                ptr::read_volatile(&raw const (*ops).local_ip6[1]),
                ptr::read_volatile(&raw const (*ops).local_ip6[2]),
                ptr::read_volatile(&raw const (*ops).local_ip6[3]),
            ],
        )
    };
    let words = match ctx.family() {
        AF_INET => [0, 0, 0xffff_u32.to_be(), v4],
        AF_INET6 => v6,
        _ => return None,
    };
    let mut address = [0; 16];
    for (bytes, word) in address.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    Some(address)
}
