//! `alias_lost`: the raw tracepoint `xdp_redirect_err`. The kernel looks at a
//! redirect's device only after `alias_rx` has returned; what it then refuses
//! (the device is down, its MTU too small) would otherwise vanish uncounted.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use super::count;
use super::maps::HEADER;

/// Position of the map's id among the tracepoint's arguments: device, program,
/// target, error, map type, map id, index (`trace/events/xdp.h`).
const MAP_ID: usize = 5;

#[raw_tracepoint(tracepoint = "xdp_redirect_err")]
pub fn alias_lost(ctx: RawTracePointContext) -> i32 {
    let map_id: u32 = ctx.arg(MAP_ID);
    if HEADER
        .get(0)
        .is_some_and(|header| header.devmap_id == map_id)
    {
        // Same CPU, same poll: the packet is the one redirected last.
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
