//! The engine: one pass from a frame's first byte to its verdict; each way out
//! counts once. The programs that run it are in `rx` and `typed`.

use alias_common::record::Target;
use alias_common::table::Hit;
use alias_common::word::Verdict;
use alias_ebpf::link::{self, Link, TAG_LEN};
use alias_ebpf::metadata::{self, Metadata};
use alias_ebpf::network::Class;
use alias_ebpf::packet::Packet;
use alias_ebpf::receive::{self, Destination};
use alias_ebpf::rewrite::{self, Macs};
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::generated::{
    bpf_redirect_map, bpf_xdp_adjust_head, bpf_xdp_adjust_meta, bpf_xdp_get_buff_len,
};
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;

use super::maps::{DEVMAP, HEADER, TARGET};
use super::{count, journal, lookup};

/// Takes a frame from its first byte to its verdict. One of a family that is not
/// built in is `foreign`'s, which is asked for nothing else.
#[inline(always)]
pub fn receive(ctx: &XdpContext, foreign: impl FnOnce(&XdpContext, Link<'_>) -> u32) -> u32 {
    // SAFETY: the context's own bounds; nothing moves the packet before `act`
    // has used the last reference into it.
    let packet = unsafe { Packet::between(ctx.data(), ctx.data_end()) };
    let Ok(link) = link::parse(packet, None) else {
        return malformed();
    };
    let Ok(destination) = receive::destination(packet, link) else {
        return malformed();
    };
    let Some(destination) = destination else {
        return foreign(ctx, link);
    };
    let Some(hit) = lookup::find(destination.address, link.vlan) else {
        return miss();
    };
    if hit.word.verdict_number() == Verdict::Disabled as u8 {
        return miss();
    }
    count_received(ctx, packet, destination, hit);
    act(ctx, link.tags, destination.class, hit)
}

/// A frame that is no alias's.
#[inline(always)]
pub fn miss() -> u32 {
    count::parent(|cell| cell.miss += 1);
    XDP_PASS
}

/// A frame that ends before what its headers announce.
#[inline(always)]
pub fn malformed() -> u32 {
    count::parent(|cell| cell.malformed += 1);
    XDP_PASS
}

#[inline(always)]
fn count_received(ctx: &XdpContext, packet: Packet<'_>, destination: Destination<'_>, hit: Hit) {
    match destination.class {
        Class::Data => {
            let mut bytes = packet.linear_len() as u64;
            // The helper costs more than the rest of counting, so it is asked
            // only when the headers announce more than the linear part holds.
            if destination.end > packet.linear_len() {
                // SAFETY: the program's own context.
                bytes = unsafe { bpf_xdp_get_buff_len(ctx.ctx) };
            }
            count::rx(hit, bytes);
        }
        Class::Neighbor | Class::Answer => {
            if let Some(steer) = lookup::steer(hit) {
                count::alias(steer.slot(), |cell| cell.neighbor_rx += 1);
            }
        }
    }
}

#[inline(always)]
pub fn act(ctx: &XdpContext, tags: u8, class: Class, hit: Hit) -> u32 {
    match Verdict::from_number(hit.word.verdict_number()) {
        Some(Verdict::Drop) => {
            count::parent(|cell| cell.dropped += 1);
            XDP_DROP
        }
        Some(Verdict::Local) => {
            count::parent(|cell| cell.local += 1);
            XDP_PASS
        }
        Some(Verdict::Device) => {
            count::parent(|cell| cell.device += 1);
            order_delivery(ctx, hit, class, tags);
            XDP_PASS
        }
        Some(Verdict::To) => redirect(ctx, hit, tags),
        _ => miss(),
    }
}

/// Leaves an order for `alias_deliver` in front of the frame. A driver without
/// metadata refuses: then `alias_deliver` is told, once, to look up by itself.
#[inline(always)]
fn order_delivery(ctx: &XdpContext, hit: Hit, class: Class, tags: u8) {
    let Some(steer) = lookup::steer(hit) else {
        return;
    };
    // SAFETY: the program's own context.
    let refused = unsafe { bpf_xdp_adjust_meta(ctx.ctx, -(metadata::LEN as i32)) } != 0;
    let place = ctx.metadata();
    if refused || place + metadata::LEN > ctx.metadata_end() {
        if let Some(header) = HEADER.get_ptr_mut(0) {
            // SAFETY: a flag that is only ever set, by one aligned store.
            unsafe { (&raw mut (*header).metadata_refused).write_volatile(1) };
        }
        return;
    }
    // SAFETY: checked to lie between data_meta and data, 4-byte aligned because
    // the metadata area is.
    unsafe { (place as *mut [u32; 2]).write(Metadata::new(steer, class, tags).to_words()) };
}

/// Sends the frame out of the alias's target device.
#[inline(always)]
fn redirect(ctx: &XdpContext, hit: Hit, tags: u8) -> u32 {
    let Some(steer) = lookup::steer(hit) else {
        return XDP_ABORTED;
    };
    let Some(target) = TARGET.get(steer.target()) else {
        return XDP_ABORTED;
    };
    if (tags != 0 || target.flags & Target::REWRITE != 0) && !readdress(ctx, target, tags) {
        return no_target(ctx, steer.slot());
    }
    // SAFETY: the flags' low bits are what to return when the key is empty,
    // which is how a device that is gone shows.
    let action = unsafe {
        bpf_redirect_map(
            (&raw const DEVMAP).cast_mut().cast(),
            u64::from(steer.target()),
            u64::from(XDP_DROP),
        )
    } as u32;
    if action == XDP_DROP {
        return no_target(ctx, steer.slot());
    }
    count::parent(|cell| {
        cell.to += 1;
        cell.last_to = u64::from(steer.slot());
    });
    action
}

#[inline(always)]
fn no_target(ctx: &XdpContext, slot: u32) -> u32 {
    count::parent(|cell| cell.no_target += 1);
    count::alias(slot, |cell| cell.no_target += 1);
    if journal::open() {
        warn!(ctx, "slot {}: its device is gone, packet dropped", slot);
    }
    XDP_DROP
}

/// Takes off the tags and gives the frame the target's MAC. False when the
/// packet cannot be changed.
#[inline(always)]
fn readdress(ctx: &XdpContext, target: &Target, tags: u8) -> bool {
    const MACS_LEN: usize = size_of::<Macs>();
    let start = ctx.data();
    if start + MACS_LEN > ctx.data_end() {
        return false;
    }
    // SAFETY: checked against the packet's end.
    let macs = rewrite::macs(unsafe { *(start as *const Macs) }, target);
    if tags != 0 {
        // SAFETY: the program's own context; every pointer is taken anew below.
        let moved = unsafe { bpf_xdp_adjust_head(ctx.ctx, i32::from(tags) * TAG_LEN as i32) };
        if moved != 0 {
            return false;
        }
    }
    let start = ctx.data();
    if start + MACS_LEN > ctx.data_end() {
        return false;
    }
    // SAFETY: checked against the packet's end.
    unsafe { (start as *mut Macs).write(macs) };
    true
}
