//! `tcp_note`: notes which options an application sets by itself, so that `tcp_apply` does
//! not change them. It runs before the kernel handles the call, and lets every call through
//! unchanged.

use alias_common::tcp_options::TcpOption;
use aya_ebpf::macros::cgroup_sockopt;
use aya_ebpf::programs::SockoptContext;

use crate::NOTED;
use crate::option::{
    SO_RCVBUF, SO_RCVBUFFORCE, SO_SNDBUF, SO_SNDBUFFORCE, SOL_SOCKET, SOL_TCP, TCP_MAXSEG,
    TCP_NODELAY,
};

/// Lets the kernel continue with the call.
const ALLOW: i32 = 1;
/// The kernel hands a program at most this many bytes of a value. A longer one is
/// refused unless the program says that it has not touched it.
const PAGE_SIZE: i32 = 4096;

const IPPROTO_TCP: u32 = 6;

#[cgroup_sockopt(setsockopt)]
pub fn tcp_note(ctx: SockoptContext) -> i32 {
    // SAFETY: the context is live; a zero length means the caller's own value.
    unsafe {
        if (*ctx.sockopt).optlen > PAGE_SIZE {
            (*ctx.sockopt).optlen = 0;
        } else {
            note(&ctx);
        }
    }
    ALLOW
}

/// # Safety
///
/// The context is live.
#[inline(always)]
unsafe fn note(ctx: &SockoptContext) {
    // SAFETY: by the caller, and the socket of a setsockopt is never null; the
    // verifier has checked each access.
    unsafe {
        let call = ctx.sockopt;
        let option = match ((*call).level, (*call).optname) {
            (SOL_SOCKET, SO_SNDBUF | SO_SNDBUFFORCE) => TcpOption::TcpSendspace,
            (SOL_SOCKET, SO_RCVBUF | SO_RCVBUFFORCE) => TcpOption::TcpRecvspace,
            (SOL_TCP, TCP_NODELAY) => TcpOption::TcpNodelay,
            (SOL_TCP, TCP_MAXSEG) => TcpOption::TcpMssdflt,
            _ => return,
        };
        let socket = (*call).__bindgen_anon_1.sk;
        // All of them are integers; the kernel refuses anything shorter.
        if (*call).optlen < 4 || (*socket).protocol != IPPROTO_TCP {
            return;
        }
        let noted = NOTED.get_or_create(socket);
        if !noted.is_null() {
            *noted |= u32::from(option.bit());
        }
    }
}
