//! Counting: every function adds to this CPU's row, and only there.
//!
//! Cells are plain memory without atomics. That is right because a CPU counts for
//! one packet at a time: the programs run in softirq context or with softirqs off,
//! and `alias_undelivered`, which runs wherever an skb is dropped, counts only
//! inside a redirect.

use alias_common::counters::{AliasCell, ParentCell, RxCell};
use alias_common::layout::Layout;
use alias_common::table::Hit;
use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;

use super::lookup::{below, layout};
use super::maps::{CAPACITY, COUNTERS};

/// A CPU's row, looked up once per frame.
#[derive(Clone, Copy)]
pub struct Row(*mut u8);

impl Row {
    /// This CPU's.
    #[inline(always)]
    pub fn own() -> Option<Row> {
        // SAFETY: takes nothing and cannot fail.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        COUNTERS.get_ptr_mut(cpu).map(|first| Row(first.cast()))
    }

    /// The parent's cell.
    #[inline(always)]
    pub fn parent(self) -> &'static mut ParentCell {
        // SAFETY: this CPU's (module documentation); a row begins with it.
        unsafe { &mut *self.0.cast() }
    }

    /// Received packets for the alias at `hit`.
    #[inline(always)]
    pub fn rx(self, hit: Hit, packets: u64, bytes: u64) {
        let cells = self.0.wrapping_add(Layout::RX).cast::<RxCell>();
        // SAFETY: this CPU's (module documentation), and a row has a cell for each
        // position, which a hit's is (see `Table`).
        let cell = unsafe { &mut *cells.add(hit.position as usize) };
        cell.packets += packets;
        cell.bytes += bytes;
    }

    /// Changes the cell of the alias with this id.
    #[inline(always)]
    pub fn alias(self, id: u32, change: impl FnOnce(&mut AliasCell)) {
        let (id, end) = (u64::from(id), u64::from(CAPACITY.load()));
        if id < end {
            let id = below(id, end);
            let cells = self.0.wrapping_add(layout().aliases()).cast::<AliasCell>();
            // SAFETY: this CPU's (module documentation), and a row has a cell for each
            // id.
            change(unsafe { &mut *cells.add(id as usize) });
        }
    }
}
