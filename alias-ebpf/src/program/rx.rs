//! `alias_rx`: XDP on the parent while no alias of it is a prefix and no alias type is
//! registered. It looks for neither.

use alias_common::key::{Vlan, WideKey};
use alias_common::table::{Buckets, Hit};
use alias_common::word::Word;
use alias_ebpf::link::Link;
use alias_ebpf::network::Class;
use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

use super::engine::{Engine, Reach};
use super::lookup::{self, Copied, Table};

/// A parent's table, in which a lookup ends in its position as it is: here, where most packets
/// come by, what hides it from the verifier would be the dearest part of a lookup among a
/// million. So the verifier walks what follows more than once.
struct Direct(Table);

impl Buckets for Direct {
    #[inline(always)]
    fn word(&self, position: u64) -> Option<Word> {
        self.0.word(position)
    }

    #[inline(always)]
    fn wide_is(&self, position: u64, key: &WideKey) -> bool {
        self.0.wide_is(position, key)
    }
}

/// There are no prefixes, and a frame of a family that is not built in is for no alias.
struct Plain;

impl Reach for Plain {
    #[inline(always)]
    fn find(table: Table, address: Copied, vlan: Vlan, class: Class) -> Option<Hit> {
        match class {
            Class::Data => lookup::find(&Direct(table), address, vlan),
            Class::Neighbor | Class::Answer => table.find(address, vlan),
        }
    }

    #[inline(always)]
    fn foreign(engine: Engine<'_>, _: Link<'_>) -> u32 {
        engine.miss()
    }
}

/// For native mode: takes frames of several fragments, so that the MTU may be
/// as large as the driver likes.
#[xdp(frags)]
pub fn alias_rx(ctx: XdpContext) -> u32 {
    receive(&ctx)
}

/// For generic mode, where every frame is made linear for a program that does
/// not take fragments. One that does is given a copy, and in copying Linux 6.18
/// loses the metadata. Only one of the two is ever loaded: they could not share
/// the devmap.
#[xdp]
pub fn alias_rx_generic(ctx: XdpContext) -> u32 {
    receive(&ctx)
}

#[inline(always)]
fn receive(ctx: &XdpContext) -> u32 {
    match Engine::start(ctx) {
        Some(engine) => engine.receive::<Plain>(),
        None => XDP_PASS,
    }
}
