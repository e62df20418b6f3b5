//! The part of a type that is the same in all: where the question is, and where
//! the answer goes.

use alias_common::type_abi::{ENTRY, Found, MAX_NETWORK};
use alias_ebpf::packet::{Packet, Truncated};
use aya_ebpf::bindings::xdp_action::XDP_PASS;
pub use aya_ebpf::bindings::xdp_md as Context;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{PerCpuArray, ProgramArray};
use aya_ebpf::programs::XdpContext;

use crate::Frame;

#[map(name = "found")]
static FOUND: PerCpuArray<Found> = PerCpuArray::with_max_entries(1, 0);
#[map(name = "engine")]
static ENGINE: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Answers the engine's question, and goes back to it.
#[inline(always)]
pub fn find<const N: usize>(
    ctx: *mut Context,
    family: u16,
    address: impl Fn(Frame<'_>) -> Result<Option<[u8; N]>, Truncated>,
) -> u32 {
    let ctx = XdpContext::new(ctx);
    let Some(found) = FOUND.get_ptr_mut(0) else {
        return XDP_PASS;
    };
    // SAFETY: this CPU's value; nothing else runs here until the verdict.
    let found = unsafe { &mut *found };
    // The engine writes no more; the verifier wants to see it.
    if found.network > MAX_NETWORK {
        return XDP_PASS;
    }
    // SAFETY: the context's own bounds; nothing moves the packet.
    let packet = unsafe { Packet::between(ctx.data(), ctx.data_end()) };
    match address(Frame::new(packet, found.network as usize)) {
        Ok(Some(address)) => {
            let mut padded = [0; 16];
            padded[..N].copy_from_slice(&address);
            found.address = padded;
            found.family = family;
            found.answer = Found::ADDRESS;
        }
        Ok(None) => found.answer = Found::NOTHING,
        Err(Truncated) => found.answer = Found::MALFORMED,
    }
    // SAFETY: nothing here waits to be dropped.
    unsafe { ENGINE.tail_call(&ctx, ENTRY) };
    // No engine is there: only when it has just gone.
    XDP_PASS
}
