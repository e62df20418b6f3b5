//! `alias_deliver`: tc ingress of the parent, after GRO. Delivers a frame to the alias
//! device that `alias_rx` has chosen for it. It counts nothing, because `alias_rx` has.

use alias_common::counters::Handed;
use alias_common::key::Vlan;
use alias_common::record::Steer;
use alias_common::word::Verdict;
use alias_ebpf::metadata::{LEN, Metadata};
use alias_ebpf::network::Class;
use alias_ebpf::{link, receive};
use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::generated::{
    bpf_clone_redirect, bpf_redirect, bpf_redirect_peer, bpf_skb_vlan_pop,
};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;

use super::lookup::{self, Copied, Table};
use super::maps::{DEVMAP_ID, HANDED, HEADER, SECRET};
use super::{everybody, skb, tc_lookup};

#[classifier]
pub fn alias_deliver(ctx: TcContext) -> i32 {
    match order(&ctx).or_else(|| look_up(&ctx)) {
        Some(order) => deliver(&ctx, order),
        None if everybody::concerns(&ctx) && !everybody::tell(&ctx, 0) => TC_ACT_SHOT,
        None => TC_ACT_UNSPEC,
    }
}

/// The delivery order in front of the frame.
#[inline(always)]
fn order(ctx: &TcContext) -> Option<Metadata> {
    let raw = skb::raw(ctx);
    let place = raw.data_meta as usize;
    if place + LEN > raw.data as usize {
        return None;
    }
    // SAFETY: checked to lie between data_meta and data.
    Metadata::from_words(unsafe { *(place as *const [u64; 2]) }, SECRET.load())
}

/// The same by a lookup, for a driver whose frames have no metadata.
#[inline(always)]
fn look_up(ctx: &TcContext) -> Option<Metadata> {
    let header = HEADER.get_ptr(0)?;
    // SAFETY: the map's value; a flag, read by one load.
    if unsafe { (&raw const (*header).metadata_refused).read_volatile() } == 0 {
        return None;
    }
    let packet = skb::packet(ctx);
    let link = link::parse(packet, skb::stripped_vlan(ctx)).ok()?;
    let table = Table::own()?;
    if !link.is_for(table.station()) {
        return None;
    }
    let destination = receive::destination(packet, link).ok()??;
    let (class, tags) = (destination.class, link.tags() + u8::from(link.stripped));
    let address = Copied::of(destination.address);
    let vlan = link.vlan;
    let steer = match tc_lookup::find_any(address, vlan) {
        Some(hit) if hit.word.verdict_number() == Verdict::Device as u8 => table.steer(hit),
        Some(_) => return None,
        None => {
            if class == Class::Data {
                return None;
            }
            let (ifindex, port) = lookup::find_link_local(address)?;
            if vlan != Vlan::new(port.vlan_outer, port.vlan_inner) {
                return None;
            }
            lookup::steer_to(ifindex, port)
        }
    };
    Some(Metadata::new(steer, class, tags))
}

#[inline(always)]
pub(super) fn deliver(ctx: &TcContext, order: Metadata) -> i32 {
    // A tag that the NIC removed before XDP could see it: the frame is on a VLAN that
    // the lookup did not know of. It is not for the alias.
    if order.tags() == 0 && skb::raw(ctx).vlan_present != 0 {
        return TC_ACT_UNSPEC;
    }
    // ARP and ND may have news for others too.
    if order.flags() & Metadata::NEIGHBOR != 0 {
        if !everybody::tell(ctx, order.port()) {
            return TC_ACT_SHOT;
        }
        // An alias device in its parent's namespace shares the routing table with it: the
        // parent may have sent the ARP request or the solicitation from the alias's address,
        // and needs the answer as well.
        if order.flags() == Metadata::NEIGHBOR | Metadata::ANSWER && order.tags() == 0 {
            // SAFETY: the program's own context; no packet pointer is live.
            unsafe { bpf_clone_redirect(ctx.skb.skb, order.port(), 0) };
            return TC_ACT_UNSPEC;
        }
    }
    for tag in 0..2 {
        if tag < order.tags() {
            // SAFETY: the program's own context; no packet pointer is live.
            if unsafe { bpf_skb_vlan_pop(ctx.skb.skb) } != 0 {
                return TC_ACT_SHOT;
            }
        }
    }
    note_delivery(ctx, order.port());
    // Both deliver to the alias device. In another namespace, a peer redirect enters its
    // ingress at once. In the same one the kernel refuses that, so the frame is sent out
    // of the port and arrives through the backlog.
    // SAFETY: both only note where the skb goes when the program has returned.
    if order.flags() & Steer::PEER != 0 {
        (unsafe { bpf_redirect_peer(order.port(), 0) }) as i32
    } else {
        (unsafe { bpf_redirect(order.port(), 0) }) as i32
    }
}

/// Remembers the skb for `alias_undelivered`: only after this program has returned does
/// the kernel find that the device is down or gone.
#[inline(always)]
pub(super) fn note_delivery(ctx: &TcContext, port: u32) {
    if let Some(handed) = HANDED.get_ptr_mut(0) {
        // SAFETY: this CPU's value. The context of a tc program is the skb itself.
        unsafe {
            handed.write(Handed {
                skb: ctx.skb.skb as u64,
                port,
                generation: DEVMAP_ID.load(),
            });
        }
    }
    let Some(header) = HEADER.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: a word that every CPU sets to the same value, by aligned loads and
    // stores.
    unsafe {
        let device = &raw mut (*header).parent_device;
        if device.read_volatile() == 0 {
            device.write_volatile(skb::device(ctx.skb.skb as u64));
        }
    }
}
