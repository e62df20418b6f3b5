//! What the kernel drops after a program has sent it on would vanish uncounted.
//!
//! `alias_lost`, on the raw tracepoint `xdp_redirect_err`: a `--to` device that is
//! down or whose MTU is too small. `alias_undelivered`, on `kfree_skb`: an alias
//! device that is gone, or down in another namespace (one that is down beside its
//! parent is in its port's own statistics). Both run on the CPU and within the call that the
//! packet was sent on in, so the packet noted last is the one meant.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use super::count::Row;
use super::maps::{HEADER, PORT, REDIRECT_SITE};
use super::skb;

/// Position of the map's id among the arguments of `xdp_redirect_err`: device,
/// program, target, error, map type, map id, index (`trace/events/xdp.h`).
const MAP_ID: usize = 5;

#[raw_tracepoint(tracepoint = "xdp_redirect_err")]
pub fn alias_lost(ctx: RawTracePointContext) -> i32 {
    let map_id: u32 = ctx.arg(MAP_ID);
    if map_id != 0
        && HEADER
            .get(0)
            .is_some_and(|header| header.devmap_id == map_id)
    {
        if let Some(row) = Row::own() {
            let cell = row.parent();
            cell.to -= 1;
            cell.lost += 1;
            row.alias(cell.last_to as u32, |cell| cell.lost += 1);
        }
    }
    0
}

/// Positions among the arguments of `kfree_skb`: skb, location, reason, socket
/// (`trace/events/skb.h`).
const SKB: usize = 0;
const LOCATION: usize = 1;

#[raw_tracepoint(tracepoint = "kfree_skb")]
pub fn alias_undelivered(ctx: RawTracePointContext) -> i32 {
    let skb: u64 = ctx.arg(SKB);
    let Some(row) = Row::own() else {
        return 0;
    };
    let cell = row.parent();
    // Every dropped packet of the system comes by: this decides for nearly all.
    if cell.last_skb != skb {
        return 0;
    }
    cell.last_skb = 0;
    let location: u64 = ctx.arg(LOCATION);
    let [start, end] = REDIRECT_SITE.load();
    // An skb's memory is soon another packet's: only one that is still on the
    // parent, where a redirect gives up, is the one that was noted.
    let failed = start <= location && location < end;
    let device = HEADER.get(0).map_or(0, |header| header.parent_device);
    if failed && device != 0 && skb::device(skb) == device {
        cell.device -= 1;
        cell.undelivered += 1;
        // SAFETY: the value is twelve aligned bytes that were there before the port.
        if let Some(port) = unsafe { PORT.get(cell.last_port as u32) } {
            row.alias(port.key, |cell| cell.lost += 1);
        }
    }
    0
}
