//! Counting: every function adds to this CPU's cell, and only there.
//!
//! Cells are plain memory without atomics. That is right because a CPU counts for
//! one packet at a time: the programs run in softirq context or with softirqs off,
//! and `alias_undelivered`, which runs wherever an skb is dropped, counts only
//! inside a redirect.

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::table::Hit;
use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;

use super::maps::{ALIAS, CAPACITY, PARENT, POSITIONS, RX};

#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { bpf_get_smp_processor_id() }
}

/// A received packet for the alias at `hit`.
#[inline(always)]
pub fn rx(hit: Hit, bytes: u64) {
    if let Some(cell) = RX.get_ptr_mut(cpu() * POSITIONS.load() + hit.position) {
        // SAFETY: this CPU's cell (module documentation).
        let cell: &mut RxCell = unsafe { &mut *cell };
        cell.packets += 1;
        cell.bytes += bytes;
    }
}

/// Changes this CPU's cell of the alias in `slot`.
#[inline(always)]
pub fn alias(slot: u32, change: impl FnOnce(&mut AliasCell)) {
    if let Some(cell) = ALIAS.get_ptr_mut(cpu() * CAPACITY.load() + slot) {
        // SAFETY: this CPU's cell (module documentation).
        change(unsafe { &mut *cell });
    }
}

/// Changes this CPU's cell of the parent.
#[inline(always)]
pub fn parent(change: impl FnOnce(&mut ParentCell)) {
    if let Some(cell) = PARENT.get_ptr_mut(cpu()) {
        // SAFETY: this CPU's cell (module documentation).
        change(unsafe { &mut *cell });
    }
}
