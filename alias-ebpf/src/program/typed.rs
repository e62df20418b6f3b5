//! The full engine. It has two things that `alias_rx` has not. Prefixes: where the address
//! itself is no alias, `alias_rx_types` looks for the longest prefix that contains it.
//! Families that are not built in: it passes their frames to the program of the type that
//! has their ethertype; that finds the address, and `alias_typed` continues as the engine
//! does for every other frame.

use alias_common::key::{Family, Vlan, WideKey};
use alias_common::table::Hit;
use alias_common::type_abi::{ENTRY, Found};
use alias_ebpf::link::Link;
use alias_ebpf::network::Class;
use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::helpers::generated::bpf_xdp_get_buff_len;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{PerCpuArray, ProgramArray};
use aya_ebpf::programs::XdpContext;

use super::engine::{Engine, Reach};
use super::lookup::{Copied, Table, find_prefix, find_wide};

#[map(name = "found")]
static FOUND: PerCpuArray<Found> = PerCpuArray::with_max_entries(1, 0);
/// Indexed by ethertype, so that there is nothing to search.
#[map(name = "by_ethertype")]
static BY_ETHERTYPE: ProgramArray = ProgramArray::with_max_entries(1 << 16, 0);

/// The tail call back, which the types' programs make; here only so that the map is
/// created and filled.
#[map(name = "engine")]
static ENGINE: ProgramArray = ProgramArray::with_max_entries(ENTRY + 1, 0);

/// There are prefixes, or types, or both.
struct Full;

impl Reach for Full {
    #[inline(always)]
    fn find(table: Table, address: Copied, vlan: Vlan, _: Class) -> Option<Hit> {
        match table.find(address, vlan) {
            Some(hit) => Some(hit),
            None => find_prefix(address, vlan),
        }
    }

    #[inline(always)]
    fn foreign(engine: Engine<'_>, link: Link<'_>) -> u32 {
        ask_type(engine, link)
    }
}

/// For native mode; see `alias_rx` for why there are two.
#[xdp(frags)]
pub fn alias_rx_types(ctx: XdpContext) -> u32 {
    receive(&ctx)
}

/// For generic mode.
#[xdp]
pub fn alias_rx_types_generic(ctx: XdpContext) -> u32 {
    receive(&ctx)
}

/// For native mode.
#[xdp(frags)]
pub fn alias_typed(ctx: XdpContext) -> u32 {
    typed(&ctx)
}

/// For generic mode.
#[xdp]
pub fn alias_typed_generic(ctx: XdpContext) -> u32 {
    typed(&ctx)
}

#[inline(always)]
fn receive(ctx: &XdpContext) -> u32 {
    match Engine::start(ctx) {
        Some(engine) => engine.receive::<Full>(),
        None => XDP_PASS,
    }
}

/// Passes the frame to its type. Returns only where no type has the ethertype.
#[inline(always)]
fn ask_type(engine: Engine<'_>, link: Link<'_>) -> u32 {
    if let Some(found) = FOUND.get_ptr_mut(0) {
        let question = Found {
            network: link.network as u32,
            vlan_outer: link.vlan.outer(),
            vlan_inner: link.vlan.inner(),
            tags: link.tags(),
            ..Found::default()
        };
        // SAFETY: this CPU's value; nothing else runs here until the verdict.
        unsafe { found.write(question) };
        // SAFETY: no value here has a destructor that would be skipped.
        unsafe { BY_ETHERTYPE.tail_call(engine.ctx, u32::from(link.ethertype.number())) };
    }
    engine.miss()
}

#[inline(always)]
fn typed(ctx: &XdpContext) -> u32 {
    let (Some(engine), Some(found)) = (Engine::start(ctx), FOUND.get(0)) else {
        return XDP_PASS;
    };
    match found.answer {
        Found::ADDRESS => {}
        Found::MALFORMED => return engine.malformed(),
        _ => return engine.miss(),
    }
    let vlan = Vlan::new(found.vlan_outer, found.vlan_inner);
    let key = WideKey::new(Family(found.family), &found.address, vlan);
    let Some(hit) = find_wide(&engine.table, &key) else {
        return engine.miss();
    };
    // Only the type knows where the frame ends, so the kernel is asked.
    // SAFETY: the program's own context.
    engine
        .row
        .rx(hit, 1, unsafe { bpf_xdp_get_buff_len(ctx.ctx) });
    engine.act(|| found.tags, Class::Data, hit)
}
