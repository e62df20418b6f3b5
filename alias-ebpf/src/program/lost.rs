//! Counts what the kernel drops after a program has redirected it.
//!
//! `alias_lost`, on the raw tracepoint `xdp_redirect_err`: a `--to` device that is
//! down or whose MTU is too small. `alias_undelivered`, on `kfree_skb`: an alias
//! device that is gone, or down in another namespace (for one that is down in its
//! parent's namespace, the port's own statistics count). Both run on the CPU that
//! redirected the packet, within the same call, so the packet that was noted last is the
//! one that is dropped.

use alias_common::counters::Handed;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use super::count::Row;
use super::maps::{DEVMAP_ID, HANDED, HEADER, PORT, REDIRECT_SITE};
use super::skb;

/// Position of the map's id among the arguments of `xdp_redirect_err`: device,
/// program, target, error, map type, map id, index (`trace/events/xdp.h`).
const MAP_ID: usize = 5;

#[raw_tracepoint(tracepoint = "xdp_redirect_err")]
pub fn alias_lost(ctx: RawTracePointContext) -> i32 {
    let map_id: u32 = ctx.arg(MAP_ID);
    if map_id != 0 && map_id == DEVMAP_ID.load() {
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
    let Some(handed) = HANDED.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's value.
    let handed = unsafe { &mut *handed };
    // Called for every packet that the system drops: this excludes nearly all.
    if handed.skb != skb || handed.generation != DEVMAP_ID.load() {
        return 0;
    }
    handed.skb = 0;
    let location: u64 = ctx.arg(LOCATION);
    let [start, end] = REDIRECT_SITE.load();
    // An skb's memory is soon reused for another packet: only one that is dropped in the
    // kernel's redirect function and still on the parent is the one that was noted.
    let failed = start <= location && location < end;
    let device = HEADER.get(0).map_or(0, |header| header.parent_device);
    if failed
        && device != 0
        && skb::device(skb) == device
        && let Some(row) = Row::own()
    {
        let cell = row.parent();
        if handed.port & Handed::TO != 0 {
            cell.to -= 1;
            cell.no_target += 1;
            row.alias(handed.port & !Handed::TO, |cell| cell.no_target += 1);
            return 0;
        }
        // If the generation before has counted it, this may go below zero: the sum of both
        // is right.
        cell.device -= 1;
        cell.undelivered += 1;
        // SAFETY: the value is 24 aligned bytes, written before the port was used.
        if let Some(port) = unsafe { PORT.get(handed.port) } {
            row.alias(port.key, |cell| cell.lost += 1);
        }
    }
    0
}
