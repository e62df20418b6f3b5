//! `alias_egress`: tc egress of the parent. Counts what this host itself sends
//! from an alias's address: `local` aliases, and alias devices of the same
//! namespace whose packets the routing table sends out of the parent directly.
//! It changes nothing.

use alias_common::word::Verdict;
use alias_ebpf::network::Class;
use alias_ebpf::{link, send};
use aya_ebpf::bindings::TC_ACT_UNSPEC;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;

use super::count::Row;
use super::lookup::{Copied, Table};
use super::{skb, tc_lookup};

#[classifier]
pub fn alias_egress(ctx: TcContext) -> i32 {
    // What came in by a device and is forwarded was not sent by this host; what
    // came in by a port was counted there.
    if skb::raw(&ctx).ingress_ifindex == 0 {
        let _ = count_own(&ctx);
    }
    TC_ACT_UNSPEC
}

#[inline(always)]
fn count_own(ctx: &TcContext) -> Option<()> {
    let packet = skb::packet(ctx);
    let link = link::parse(packet, skb::stripped_vlan(ctx)).ok()?;
    let source = send::source(packet, link).ok()??;
    let table = Table::own()?;
    let hit = tc_lookup::find_any(Copied::of(source.address), link.vlan)?;
    let verdict = hit.word.verdict_number();
    if verdict != Verdict::Local as u8 && verdict != Verdict::Device as u8 {
        return None;
    }
    Row::own()?.alias(table.steer(hit).id(), |cell| match source.class {
        Class::Data => {
            cell.tx_packets += skb::segments(ctx);
            cell.tx_bytes += u64::from(ctx.len());
        }
        Class::Neighbor | Class::Answer => cell.neighbor_tx += 1,
    });
    Some(())
}
