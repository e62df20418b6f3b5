//! An skb as the tc programs see it.

use alias_common::key::Vlan;
use alias_ebpf::packet::Packet;
use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::programs::TcContext;

/// Longest run of headers that any stage looks at: Ethernet, two tags, IPv6,
/// ND with two options.
const HEADERS: u32 = 14 + 8 + 40 + 24 + 16;

/// The kernel's view of the skb.
#[inline(always)]
pub fn raw(ctx: &TcContext) -> &__sk_buff {
    // SAFETY: the program's own context, readable while it runs.
    unsafe { &*ctx.skb.skb }
}

/// The frame; headers that are in pages are made readable first.
#[inline(always)]
pub fn packet<'a>(ctx: &'a TcContext) -> Packet<'a> {
    let linear = ctx.data_end() - ctx.data();
    if linear < HEADERS as usize && linear < ctx.len() as usize {
        // A failure leaves the packet as it was, and the parser finds it short.
        let _ = ctx.pull_data(if ctx.len() < HEADERS {
            ctx.len()
        } else {
            HEADERS
        });
    }
    // SAFETY: the context's own bounds, read after the pull; callers take no
    // reference across a helper that changes the packet.
    unsafe { Packet::between(ctx.data(), ctx.data_end()) }
}

/// The VLAN of the tag that the kernel keeps beside the frame, if there is one.
#[inline(always)]
pub fn stripped_vlan(ctx: &TcContext) -> Option<Vlan> {
    let skb = raw(ctx);
    if skb.vlan_present == 0 {
        return None;
    }
    Some(Vlan::NONE.then(skb.vlan_tci as u16 & 0xfff))
}

/// Number of packets that a GSO super-frame stands for; 1 for any other.
#[inline(always)]
pub fn segments(ctx: &TcContext) -> u64 {
    let segments = raw(ctx).gso_segs;
    if segments == 0 {
        1
    } else {
        u64::from(segments)
    }
}

/// Offset of `dev` in `struct sk_buff` since Linux 4.17: after `next` and `prev`.
/// Only ever compared: were it another field, losses would not be counted.
const DEV: u64 = 16;

/// The kernel's address of the device an skb is on; 0 when it cannot be read.
#[inline(always)]
pub fn device(skb: u64) -> u64 {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel((skb + DEV) as *const u64) }.unwrap_or(0)
}
