//! `alias_rx_tc`: the engine at tc, on the ingress of a parent in mode tc, in place of
//! `alias_rx`. It stands before `alias_deliver`, and needs no order for it: what is for an
//! alias device it delivers itself. `alias_deliver` meets what this passes on.
//!
//! The kernel has built an skb here, and merged what belongs together: a super-frame counts
//! as its segments, with the bytes that were on the wire.

use alias_common::counters::Handed;
use alias_common::record::{Steer, Target};
use alias_common::table::Hit;
use alias_common::word::Verdict;
use alias_ebpf::link::{self, EtherType};
use alias_ebpf::metadata::Metadata;
use alias_ebpf::network::{Class, IPV6_LEN};
use alias_ebpf::packet::{Mac, Truncated};
use alias_ebpf::{receive, rewrite};
use aya_ebpf::bindings::{__sk_buff, TC_ACT_OK, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::generated::{bpf_redirect, bpf_skb_store_bytes, bpf_skb_vlan_pop};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;

use super::count::Row;
use super::deliver::{deliver, note_delivery};
use super::lookup::{self, Copied, Table};
use super::{skb, tc_lookup};

#[classifier]
pub fn alias_rx_tc(ctx: TcContext) -> i32 {
    let (Some(row), Some(table)) = (Row::own(), Table::own()) else {
        return TC_ACT_UNSPEC;
    };
    let packet = skb::packet(&ctx);
    let Ok(link) = link::parse(packet, skb::stripped_vlan(&ctx)) else {
        row.parent().malformed += 1;
        return TC_ACT_UNSPEC;
    };
    if !link.is_for(table.station()) {
        row.parent().other_station += 1;
        return TC_ACT_UNSPEC;
    }
    let destination = match receive::destination(packet, link) {
        Ok(Some(destination)) => destination,
        Ok(None) => return miss(row),
        Err(Truncated) => {
            row.parent().malformed += 1;
            return TC_ACT_UNSPEC;
        }
    };
    let (class, tags) = (destination.class, link.tags() + u8::from(link.stripped));
    let (address, vlan) = (Copied::of(destination.address), link.vlan);
    // From here on there is no pointer into the packet.
    let Some(hit) = tc_lookup::find_any(address, vlan) else {
        if class == Class::Data {
            return miss(row);
        }
        // The link-local address of an alias device.
        return match lookup::find_link_local(address) {
            Some((ifindex, port))
                if (vlan.outer(), vlan.inner()) == (port.vlan_outer, port.vlan_inner) =>
            {
                row.alias(port.key, |cell| cell.neighbor_rx += 1);
                hand_over(&ctx, row, lookup::steer_to(ifindex, port), class, tags)
            }
            _ => miss(row),
        };
    };
    match class {
        Class::Data => row.rx(hit, skb::segments(&ctx), wire_len(ctx.skb.skb)),
        Class::Neighbor | Class::Answer => {
            let id = table.steer(hit).id();
            row.alias(id, |cell| cell.neighbor_rx += 1);
        }
    }
    act(&ctx, row, table, hit, class, tags)
}

#[inline(always)]
fn miss(row: Row) -> i32 {
    row.parent().miss += 1;
    TC_ACT_UNSPEC
}

/// Carries out the verdict of the alias at `hit`.
#[inline(always)]
fn act(ctx: &TcContext, row: Row, table: Table, hit: Hit, class: Class, tags: u8) -> i32 {
    let parent = row.parent();
    match Verdict::from_number(hit.word.verdict_number()) {
        Some(Verdict::Drop) => {
            parent.dropped += 1;
            TC_ACT_SHOT
        }
        Some(Verdict::Local) => {
            parent.local += 1;
            TC_ACT_UNSPEC
        }
        Some(Verdict::Device) => hand_over(ctx, row, table.steer(hit), class, tags),
        Some(Verdict::To) => redirect(ctx, row, table, table.steer(hit), tags),
        _ => miss(row),
    }
}

/// Delivers to an alias device. A frame that the parent's stack gets as well goes there at
/// once: `alias_deliver` would tell everybody of it a second time.
#[inline(always)]
fn hand_over(ctx: &TcContext, row: Row, steer: Steer, class: Class, tags: u8) -> i32 {
    row.parent().device += 1;
    match deliver(ctx, Metadata::new(steer, class, tags)) {
        TC_ACT_UNSPEC => TC_ACT_OK,
        verdict => verdict,
    }
}

/// Sends the frame out of the alias's target device. What becomes of it there, that device's
/// own statistics tell; that it is gone, `alias_undelivered` counts.
#[inline(always)]
fn redirect(ctx: &TcContext, row: Row, table: Table, steer: Steer, tags: u8) -> i32 {
    let target = table.target(steer.target());
    let ifindex = target.ifindex;
    if ifindex == 0 || !readdress(ctx, target, tags) {
        row.parent().no_target += 1;
        row.alias(steer.id(), |cell| cell.no_target += 1);
        return TC_ACT_SHOT;
    }
    row.parent().to += 1;
    note_delivery(ctx, Handed::TO | steer.id());
    // SAFETY: only notes where the skb goes when the program has returned.
    (unsafe { bpf_redirect(ifindex, 0) }) as i32
}

/// Removes the tags and gives the frame the target's MAC. False when the packet cannot be
/// changed.
#[inline(always)]
fn readdress(ctx: &TcContext, target: &Target, tags: u8) -> bool {
    for tag in 0..2 {
        // SAFETY: the program's own context; no packet pointer is live.
        if tag < tags && unsafe { bpf_skb_vlan_pop(ctx.skb.skb) } != 0 {
            return false;
        }
    }
    let Ok(station) = skb::packet(ctx).window::<{ size_of::<Mac>() }>(0) else {
        return false;
    };
    if !rewrite::applies(station[0], target) {
        return true;
    }
    let mac = target.mac;
    // SAFETY: six readable bytes; the kernel checks the offset.
    (unsafe { bpf_skb_store_bytes(ctx.skb.skb, 0, mac.as_ptr().cast(), 6, 0) }) == 0
}

/// Bytes that were on the wire: a super-frame has its headers once, and each of its segments
/// had them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn wire_len(skb: *mut __sk_buff) -> u64 {
    let ctx = TcContext::new(skb);
    let (len, segments) = (u64::from(ctx.len()), skb::segments(&ctx));
    if segments <= 1 {
        return len;
    }
    len + (segments - 1) * u64::from(headers_len(&ctx).unwrap_or(0))
}

/// Length of the headers that all segments of a super-frame have.
#[inline(always)]
fn headers_len(ctx: &TcContext) -> Option<u32> {
    /// IPPROTO_TCP, whose header says how long it is; that of UDP has 8 bytes.
    const TCP: u8 = 6;
    const UDP_LEN: u32 = 8;
    let packet = skb::packet(ctx);
    let link = link::parse(packet, skb::stripped_vlan(ctx)).ok()?;
    let (network_len, protocol) = match link.ethertype {
        EtherType::IPV4 => {
            let header = packet.window::<20>(link.network).ok()?;
            ((usize::from(header[0]) & 0xf) * 4, header[9])
        }
        EtherType::IPV6 => {
            let header = packet.window::<IPV6_LEN>(link.network).ok()?;
            (IPV6_LEN, header[6])
        }
        _ => return None,
    };
    let transport = link.network + network_len;
    let transport_len = match protocol {
        TCP => u32::from(packet.window::<14>(transport).ok()?[12] >> 4) * 4,
        _ => UDP_LEN,
    };
    Some(transport as u32 + transport_len)
}
