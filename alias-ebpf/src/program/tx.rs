//! What is sent by alias devices and behind `--to` devices.
//!
//! `alias_tx`, on the port of an alias device: what the alias may send goes out of the
//! parent, the rest is dropped and counted. `alias_return`, on a `--to` device: what comes
//! from an alias's address goes out of the parent, the rest is left to the host.

use alias_common::key::Vlan;
use alias_common::record::{Steer, Target};
use alias_common::table::Hit;
use alias_common::word::Verdict;
use alias_ebpf::link::{self, EtherType, HEADER_LEN, Link, SERVICE_TAG, TAG};
use alias_ebpf::network::{ARP_SENDER_MAC, Address, Class, ICMPV6, IPV6_LEN, ND_LEN};
use alias_ebpf::packet::{Packet, part, u16_of};
use alias_ebpf::send::{self, Claim, Refusal};
use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::helpers::generated::{
    bpf_l4_csum_replace, bpf_redirect, bpf_skb_store_bytes, bpf_skb_vlan_push,
};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use aya_log_ebpf::warn;

use super::count::Row;
use super::lookup::{Copied, Table};
use super::maps::{HEADER, PARENT_IFINDEX, PORT};
use super::{journal, lookup, skb, tc_lookup};

/// Where a permitted frame goes out.
struct Permit {
    id: u32,
    vlan: Vlan,
}

/// An alias by the port of its device.
struct Owner {
    permit: Permit,
    ethertype: EtherType,
}

#[classifier]
pub fn alias_tx(ctx: TcContext) -> i32 {
    match permit(&ctx) {
        Ok(permit) => send_out(&ctx, permit.vlan),
        Err(refusal) => refuse(&ctx, refusal),
    }
}

/// Checks the frame, counts it, and says on which VLAN it goes out.
#[inline(always)]
fn permit(ctx: &TcContext) -> Result<Permit, Refusal> {
    let table = Table::own().ok_or(Refusal::Mac)?;
    let packet = skb::packet(ctx);
    let link = link::parse(packet, skb::stripped_vlan(ctx))?;
    match send::claim(packet, link, table.station())? {
        Claim::As(source) => {
            let class = source.class;
            let copied = Copied::of(source.address);
            if copied.port() == Some(skb::raw(ctx).ifindex) {
                // From its link-local address a device sends neighbour solicitations and
                // multicast listener reports; they are counted with ARP and ND.
                let Owner { permit, .. } = owner(ctx).ok_or(Refusal::Address)?;
                count_sent(ctx, Class::Neighbor, permit.id);
                return Ok(permit);
            }
            let permit = own(ctx, table, copied).ok_or(Refusal::Address)?;
            count_sent(ctx, class, permit.id);
            Ok(permit)
        }
        Claim::Listener => {
            let Owner { permit, .. } = owner(ctx).ok_or(Refusal::Address)?;
            count_sent(ctx, Class::Neighbor, permit.id);
            Ok(permit)
        }
        Claim::Typed => {
            let ethertype = link.ethertype;
            let owner = owner(ctx).ok_or(Refusal::Address)?;
            if owner.ethertype != ethertype {
                return Err(Refusal::Protocol);
            }
            count_sent(ctx, Class::Data, owner.permit.id);
            Ok(owner.permit)
        }
    }
}

/// The alias of the source, if this port's device may send from it: an alias whose device
/// is behind this port, or behind another port of the same namespace. On the wire those
/// look the same, for all devices have the parent's MAC, and the namespace's routes choose
/// among them. The VLAN is not in the frame; without one, which is the common case, the
/// port needs no lookup.
#[inline(always)]
fn own(ctx: &TcContext, table: Table, copied: Copied) -> Option<Permit> {
    let untagged = tc_lookup::find_exact(copied, Vlan::NONE);
    let ifindex = skb::raw(ctx).ifindex;
    if let Some(hit) = untagged
        && let Some(steer) = steer_of(table, hit, Verdict::Device)
        && steer.target() == ifindex
    {
        return Some(Permit {
            id: steer.id(),
            vlan: Vlan::NONE,
        });
    }
    let port = lookup::port(ifindex)?;
    let vlan = Vlan::new(port.vlan_outer, port.vlan_inner);
    let hit = if vlan == Vlan::NONE {
        untagged
    } else {
        tc_lookup::find_exact(copied, vlan)
    };
    // An address that is an alias itself does not belong to a prefix.
    let hit = match hit {
        Some(hit) => hit,
        None => lookup::find_prefix(copied, vlan)?,
    };
    let steer = steer_of(table, hit, Verdict::Device)?;
    if steer.target() != ifindex && lookup::port(steer.target())?.netns_cookie != port.netns_cookie
    {
        return None;
    }
    Some(Permit {
        id: steer.id(),
        vlan,
    })
}

#[inline(always)]
fn steer_of(table: Table, hit: Hit, verdict: Verdict) -> Option<Steer> {
    (hit.word.verdict_number() == verdict as u8).then(|| table.steer(hit))
}

/// The alias whose device this port belongs to.
#[inline(always)]
fn owner(ctx: &TcContext) -> Option<Owner> {
    let port = lookup::port(skb::raw(ctx).ifindex)?;
    Some(Owner {
        permit: Permit {
            id: port.key,
            vlan: Vlan::new(port.vlan_outer, port.vlan_inner),
        },
        ethertype: EtherType::new(port.ethertype),
    })
}

#[inline(always)]
fn parent_mac() -> Option<[u8; 6]> {
    Some(HEADER.get(0)?.mac)
}

#[inline(always)]
fn count_sent(ctx: &TcContext, class: Class, id: u32) {
    let Some(row) = Row::own() else { return };
    row.parent().tx += 1;
    row.alias(id, |cell| match class {
        Class::Data => {
            cell.tx_packets += skb::segments(ctx);
            cell.tx_bytes += u64::from(ctx.len());
        }
        Class::Neighbor | Class::Answer => cell.neighbor_tx += 1,
    });
}

#[inline(always)]
fn send_out(ctx: &TcContext, vlan: Vlan) -> i32 {
    if vlan.inner() != 0 && !push_tag(ctx, TAG, vlan.inner()) {
        return TC_ACT_SHOT;
    }
    let kind = if vlan.inner() != 0 { SERVICE_TAG } else { TAG };
    if vlan.outer() != 0 && !push_tag(ctx, kind, vlan.outer()) {
        return TC_ACT_SHOT;
    }
    // SAFETY: only notes where the skb goes when the program has returned.
    (unsafe { bpf_redirect(PARENT_IFINDEX.load(), 0) }) as i32
}

#[inline(always)]
fn push_tag(ctx: &TcContext, kind: EtherType, id: u16) -> bool {
    // SAFETY: the program's own context; no packet pointer is live.
    (unsafe { bpf_skb_vlan_push(ctx.skb.skb, kind.number().to_be(), id) }) == 0
}

#[inline(always)]
fn refuse(ctx: &TcContext, refusal: Refusal) -> i32 {
    let row = Row::own();
    if let Some(row) = row {
        row.parent().spoof += 1;
    }
    if let (Some(row), Some(Owner { permit, .. })) = (row, owner(ctx)) {
        row.alias(permit.id, |cell| cell.spoof += 1);
        if journal::open() {
            tell(ctx, permit.id, refusal);
        }
    }
    TC_ACT_SHOT
}

/// Writes of a dropped frame which alias sent it, in whose name, and why it is dropped.
#[inline(always)]
fn tell(ctx: &TcContext, id: u32, refusal: Refusal) {
    let reason = refusal as u8;
    match claimed(ctx) {
        Some(Claimed::V4(address)) => warn!(
            ctx,
            "id {}: spoofed frame dropped, from {:i}, reason {}", id, address, reason
        ),
        Some(Claimed::V6(address)) => warn!(
            ctx,
            "id {}: spoofed frame dropped, from {:i}, reason {}", id, address, reason
        ),
        None => warn!(ctx, "id {}: spoofed frame dropped, reason {}", id, reason),
    }
}

/// A source, copied out of its frame.
enum Claimed {
    V4(u32),
    V6([u8; 16]),
}

/// In whose name a frame is; `None` for one that is too short or of another family.
#[inline(always)]
fn claimed(ctx: &TcContext) -> Option<Claimed> {
    let packet = skb::packet(ctx);
    let link = link::parse(packet, skb::stripped_vlan(ctx)).ok()?;
    Some(match send::source(packet, link).ok()??.address {
        Address::V4(address) => Claimed::V4(u32::from_be_bytes(*address)),
        Address::V6(address) => Claimed::V6(*address),
    })
}

#[classifier]
pub fn alias_return(ctx: TcContext) -> i32 {
    match adopt(&ctx) {
        Some(vlan) => send_out(&ctx, vlan),
        None => TC_ACT_UNSPEC,
    }
}

/// Finds the alias that the frame is from, counts it, and gives it the parent's MAC where
/// the sender has a MAC of its own.
#[inline(always)]
fn adopt(ctx: &TcContext) -> Option<Vlan> {
    let packet = skb::packet(ctx);
    let link = link::parse(packet, skb::stripped_vlan(ctx)).ok()?;
    if link.stripped || link.tags() != 0 {
        return None;
    }
    let source = send::source(packet, link).ok()??;
    // SAFETY: as above; of a `--to` device only the key is set.
    let key = unsafe { PORT.get(skb::raw(ctx).ifindex) }?.key;
    let table = Table::own()?;
    let target = table.target(key);
    let vlan = Vlan::new(target.vlan_outer, target.vlan_inner);
    let class = source.class;
    let hit = tc_lookup::find_any(Copied::of(source.address), vlan)?;
    let steer = steer_of(table, hit, Verdict::To)?;
    if steer.target() != key {
        return None;
    }
    count_sent(ctx, class, steer.id());
    if target.flags & Target::REWRITE != 0 {
        impersonate(ctx, packet, link, parent_mac()?)?;
    }
    Some(vlan)
}

/// Replaces the sender's MAC with the parent's: in the Ethernet header, in ARP and in ND.
/// So a neighbour learns the MAC whose frames the NIC accepts.
#[inline(always)]
fn impersonate(ctx: &TcContext, packet: Packet<'_>, link: Link<'_>, mac: [u8; 6]) -> Option<()> {
    let mut option = None;
    if link.ethertype == EtherType::IPV6 {
        let at = link.network + IPV6_LEN;
        let is_icmpv6 = packet.window::<IPV6_LEN>(link.network).ok()?[6] == ICMPV6;
        if is_icmpv6 && send::carries_mac(packet, at) {
            let there = packet.window::<8>(at + ND_LEN).ok()?;
            let was = [
                u16_of(part::<2, 2, 8>(there)),
                u16_of(part::<4, 2, 8>(there)),
                u16_of(part::<6, 2, 8>(there)),
            ];
            option = Some((at, was));
        }
    }
    let is_arp = link.ethertype == EtherType::ARP;
    // From here on the packet changes: no reference from above is used again.
    store(ctx, 6, &mac)?;
    if is_arp {
        store(ctx, HEADER_LEN + ARP_SENDER_MAC, &mac)?;
    }
    if let Some((at, was)) = option {
        for word in 0..3 {
            let old = was[word];
            let new = u16::from_ne_bytes([mac[word * 2], mac[word * 2 + 1]]);
            // SAFETY: the program's own context; the checksum is at byte 2.
            let failed = unsafe {
                bpf_l4_csum_replace(
                    ctx.skb.skb,
                    (at + 2) as u32,
                    u64::from(old),
                    u64::from(new),
                    2,
                )
            };
            if failed != 0 {
                return None;
            }
        }
        store(ctx, at + ND_LEN + 2, &mac)?;
    }
    Some(())
}

#[inline(always)]
fn store(ctx: &TcContext, at: usize, mac: &[u8; 6]) -> Option<()> {
    // SAFETY: six readable bytes; the kernel checks the offset.
    let failed = unsafe { bpf_skb_store_bytes(ctx.skb.skb, at as u32, mac.as_ptr().cast(), 6, 0) };
    (failed == 0).then_some(())
}
