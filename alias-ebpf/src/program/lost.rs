//! What the kernel drops after a program has sent it on would vanish uncounted.
//!
//! `alias_lost`, on the raw tracepoint `xdp_redirect_err`: a `--to` device that is
//! down or whose MTU is too small. `alias_undelivered`, on `kfree_skb`: an alias
//! device that is down or gone. Both run on the CPU and within the call that the
//! packet was sent on in, so the packet noted last is the one meant.

use alias_common::counters::DELIVERED_BESIDE;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use super::count;
use super::maps::{DROP_SITES, HEADER, PORT};

/// Position of the map's id among the arguments of `xdp_redirect_err`: device,
/// program, target, error, map type, map id, index (`trace/events/xdp.h`).
const MAP_ID: usize = 5;

#[raw_tracepoint(tracepoint = "xdp_redirect_err")]
pub fn alias_lost(ctx: RawTracePointContext) -> i32 {
    let map_id: u32 = ctx.arg(MAP_ID);
    if HEADER
        .get(0)
        .is_some_and(|header| header.devmap_id == map_id)
    {
        let mut slot = 0;
        count::parent(|cell| {
            cell.to -= 1;
            cell.lost += 1;
            slot = cell.last_to as u32;
        });
        count::alias(slot, |cell| cell.lost += 1);
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
    let mut port = None;
    count::parent(|cell| {
        // Every dropped packet of the system comes by: this decides for nearly all.
        if cell.last_skb != skb {
            return;
        }
        let location: u64 = ctx.arg(LOCATION);
        let [redirect, redirect_end, transmit, transmit_end] = DROP_SITES.load();
        let redirected = redirect <= location && location < redirect_end;
        let transmitted = transmit <= location && location < transmit_end;
        if redirected || (transmitted && cell.last_port & DELIVERED_BESIDE != 0) {
            cell.last_skb = 0;
            cell.device -= 1;
            cell.undelivered += 1;
            port = Some(cell.last_port as u32);
        }
    });
    if let Some(port) = port {
        // SAFETY: the value is four aligned bytes, read at once.
        if let Some(slot) = unsafe { PORT.get(port) } {
            count::alias(*slot, |cell| cell.lost += 1);
        }
    }
    0
}
