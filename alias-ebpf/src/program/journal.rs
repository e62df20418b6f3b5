//! Rare events for a human reader, through aya-log. Off unless the parent was
//! attached with `--log`, at most ten per second and CPU, and never on the path of
//! a packet that is delivered as it should be.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;

/// When this CPU last wrote, in nanoseconds since boot.
#[map(name = "journal_gate")]
static GATE: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

const INTERVAL_NS: u64 = 100_000_000;

/// Whether an event may be written now.
#[inline(always)]
pub fn open() -> bool {
    let Some(last) = GATE.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: takes nothing and cannot fail.
    let now = unsafe { bpf_ktime_get_ns() };
    // SAFETY: this CPU's value; our programs do not interrupt one another.
    let last = unsafe { &mut *last };
    if now - *last < INTERVAL_NS {
        return false;
    }
    *last = now;
    true
}
