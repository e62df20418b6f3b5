//! The engine: one pass from a frame's first byte to its verdict, which is counted exactly
//! once. The programs that run it are in `rx` and `typed`.

use core::arch::asm;

use alias_common::key::Vlan;
use alias_common::record::{Steer, Target};
use alias_common::table::Hit;
use alias_common::word::Verdict;
use alias_ebpf::link::{self, EtherType, Link, TAG_LEN};
use alias_ebpf::metadata::{self, Metadata};
use alias_ebpf::network::Class;
use alias_ebpf::packet::{Packet, Truncated};
use alias_ebpf::receive::{self, Destination};
use alias_ebpf::rewrite::{self, Macs};
use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::generated::{
    bpf_redirect_map, bpf_xdp_adjust_head, bpf_xdp_adjust_meta, bpf_xdp_get_buff_len,
};
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;

use super::count::Row;
use super::journal;
use super::lookup::{self, Copied, Table, only_value};
use super::maps::{DEVMAP, FRAGMENTS_STAY, HEADER, SECRET};

/// What every frame needs: where to look up, where to count. Found first, while there are
/// no other values yet that a call would have to preserve.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    /// The program's context.
    pub ctx: &'a XdpContext,
    /// The index and what it leads to.
    pub table: Table,
    /// This CPU's counters.
    pub row: Row,
}

/// What an engine looks for: that of `alias_rx`, or the full one, which replaces it when
/// there are prefixes or alias types.
pub trait Reach {
    /// The alias that an address is for, to which a frame of this class goes.
    fn find(table: Table, address: Copied, vlan: Vlan, class: Class) -> Option<Hit>;
    /// The verdict on a frame of a family that is not built in.
    fn foreign(engine: Engine<'_>, link: Link<'_>) -> u32;
}

impl<'a> Engine<'a> {
    /// For the frame of this context.
    #[inline(always)]
    pub fn start(ctx: &'a XdpContext) -> Option<Engine<'a>> {
        let (row, table) = (Row::own()?, Table::own()?);
        Some(Engine { ctx, table, row })
    }

    /// Takes a frame from its first byte to its verdict.
    ///
    /// Each family has its own path through lookup and verdict, in the machine code too: on
    /// a shared one, IPv4 would carry the longer keys of IPv6 along.
    #[inline(always)]
    pub fn receive<R: Reach>(self) -> u32 {
        // SAFETY: the context's own bounds; nothing moves the packet before `act`
        // has used the last reference into it.
        let packet = unsafe { Packet::between(self.ctx.data(), self.ctx.data_end()) };
        let Ok(link) = link::parse(packet, None) else {
            return self.malformed();
        };
        if !link.is_for(self.table.station()) {
            return self.other_station();
        }
        let at = link.network;
        match link.ethertype {
            EtherType::IPV4 => match receive::ipv4(packet, at) {
                Ok(to) => self.decide::<R>(packet, link, to),
                Err(Truncated) => self.malformed(),
            },
            EtherType::IPV6 => match receive::ipv6(packet, at) {
                // Twice in the machine code: most packets are data, and carry no class along.
                Ok(to) if to.class == Class::Data => self.decide::<R>(packet, link, to),
                Ok(to) => self.decide::<R>(packet, link, self.of_any_class(to)),
                Err(Truncated) => self.malformed(),
            },
            EtherType::ARP => match receive::arp(packet, at) {
                Ok(Some(to)) => self.decide::<R>(packet, link, self.of_any_class(to)),
                Ok(None) => R::foreign(self, link),
                Err(Truncated) => self.malformed(),
            },
            _ => R::foreign(self, link),
        }
    }

    /// The same destination, which is a neighbour's; but the verifier does not know which of
    /// the two classes it is of, so that it walks the rest once.
    #[inline(always)]
    fn of_any_class<'p>(self, to: Destination<'p>) -> Destination<'p> {
        let answers = u64::from(to.class == Class::Answer);
        let answers = only_value(answers.wrapping_add(self.table.nothing()));
        Destination {
            class: if answers == 0 {
                Class::Neighbor
            } else {
                Class::Answer
            },
            ..to
        }
    }

    /// Looks up the alias that the frame is for, counts it, and carries out the verdict.
    #[inline(always)]
    fn decide<R: Reach>(self, packet: Packet<'_>, link: Link<'_>, to: Destination<'_>) -> u32 {
        // From here on there is no pointer into the packet, and the verifier need not know
        // how many tags there were, or which header gave the frame's end.
        let nothing = self.table.nothing();
        let linear = only_value(packet.linear_len() as u64);
        let end = only_value((to.end as u64).wrapping_add(nothing));
        let tagged = link.vlan.packed() | u64::from(link.tags()) << 24;
        let tagged = only_value(tagged.wrapping_add(nothing));
        let vlan = Vlan::from_packed(tagged);
        let address = Copied::of(to.address);
        let Some(hit) = R::find(self.table, address, vlan, to.class) else {
            return self.no_alias(address, vlan, to.class, (tagged >> 24) as u8);
        };
        self.count_received(linear, end, to.class, hit);
        self.act(|| (tagged >> 24) as u8, to.class, hit)
    }

    /// A unicast frame for another station: seen on a promiscuous device, or on a port of a
    /// bridge or a bond.
    #[inline(always)]
    fn other_station(self) -> u32 {
        self.row.parent().other_station += 1;
        XDP_PASS
    }

    /// For an address that is no alias; it may be the link-local one of an alias device.
    #[inline(always)]
    fn no_alias(self, address: Copied, vlan: Vlan, class: Class, tags: u8) -> u32 {
        if class == Class::Data {
            return self.miss();
        }
        let Some((ifindex, port)) = lookup::find_link_local(address) else {
            return self.miss();
        };
        if vlan != Vlan::new(port.vlan_outer, port.vlan_inner) {
            return self.miss();
        }
        let steer = lookup::steer_to(ifindex, port);
        self.row.parent().device += 1;
        self.row.alias(port.key, |cell| cell.neighbor_rx += 1);
        self.order_delivery(Metadata::new(steer, class, tags));
        XDP_PASS
    }

    /// A frame that is for no alias.
    #[inline(always)]
    pub fn miss(self) -> u32 {
        self.row.parent().miss += 1;
        XDP_PASS
    }

    /// A frame that ends before what its headers announce.
    #[inline(always)]
    pub fn malformed(self) -> u32 {
        self.row.parent().malformed += 1;
        XDP_PASS
    }

    #[inline(always)]
    fn count_received(self, linear: u64, end: u64, class: Class, hit: Hit) {
        match class {
            Class::Data => {
                let mut bytes = linear;
                // The helper costs more than the rest of counting, so it is asked
                // only when the headers announce more than the linear part holds.
                if end > linear {
                    // SAFETY: the program's own context.
                    bytes = unsafe { bpf_xdp_get_buff_len(self.ctx.ctx) };
                }
                self.row.rx(hit, 1, bytes);
            }
            Class::Neighbor | Class::Answer => {
                let id = self.table.steer(hit).id();
                self.row.alias(id, |cell| cell.neighbor_rx += 1);
            }
        }
    }

    /// Carries out the verdict of the alias at `hit`.
    #[inline(always)]
    pub fn act(self, tags: impl FnOnce() -> u8, class: Class, hit: Hit) -> u32 {
        let parent = self.row.parent();
        match Verdict::from_number(hit.word.verdict_number()) {
            Some(Verdict::Drop) => {
                parent.dropped += 1;
                XDP_DROP
            }
            Some(Verdict::Local) => {
                parent.local += 1;
                XDP_PASS
            }
            Some(Verdict::Device) => {
                parent.device += 1;
                self.order_delivery(Metadata::new(self.table.steer(hit), class, tags()));
                XDP_PASS
            }
            Some(Verdict::To) => self.redirect(self.table.steer(hit), tags()),
            _ => self.miss(),
        }
    }

    /// Leaves an order for `alias_deliver` in front of the frame. A driver without
    /// metadata refuses: then `alias_deliver` is told, once, to do its own lookup.
    #[inline(always)]
    fn order_delivery(self, order: Metadata) {
        // SAFETY: the program's own context.
        let refused = unsafe { bpf_xdp_adjust_meta(self.ctx.ctx, -(metadata::LEN as i32)) } != 0;
        let place = self.ctx.metadata();
        if refused || place + metadata::LEN > self.ctx.metadata_end() {
            if let Some(header) = HEADER.get_ptr_mut(0) {
                // SAFETY: a flag that is only ever set, by one aligned store.
                unsafe { (&raw mut (*header).metadata_refused).write_volatile(1) };
            }
            return;
        }
        // SAFETY: checked to lie between data_meta and data, 4-byte aligned because
        // the metadata area is.
        unsafe { (place as *mut [u64; 2]).write(order.to_words(SECRET.load())) };
    }

    /// Sends the frame out of the alias's target device.
    #[inline(always)]
    fn redirect(self, steer: Steer, tags: u8) -> u32 {
        let target = self.table.target(steer.target());
        if FRAGMENTS_STAY.load() != 0 && self.is_fragmented() {
            return self.lost(steer.id());
        }
        if !readdress(self.ctx, target, tags) {
            return self.no_target(steer.id());
        }
        // SAFETY: the flags' low bits are what to return when the devmap has no entry for
        // the key, which is so once the device is gone.
        let action = unsafe {
            bpf_redirect_map(
                (&raw const DEVMAP).cast_mut().cast(),
                u64::from(steer.target()),
                u64::from(XDP_DROP),
            )
        } as u32;
        if action == XDP_DROP {
            return self.no_target(steer.id());
        }
        let cell = self.row.parent();
        cell.to += 1;
        cell.last_to = u64::from(steer.id());
        action
    }

    /// Whether the frame has more than its linear part.
    #[inline(always)]
    fn is_fragmented(self) -> bool {
        let linear = (self.ctx.data_end() - self.ctx.data()) as u64;
        // SAFETY: the program's own context.
        (unsafe { bpf_xdp_get_buff_len(self.ctx.ctx) }) > linear
    }

    /// A frame that the kernel would drop without a word, not even to `alias_lost`: one of
    /// several fragments, before Linux 6.3.
    #[inline(always)]
    fn lost(self, id: u32) -> u32 {
        self.row.parent().lost += 1;
        self.row.alias(id, |cell| cell.lost += 1);
        XDP_DROP
    }

    #[inline(always)]
    fn no_target(self, id: u32) -> u32 {
        self.row.parent().no_target += 1;
        self.row.alias(id, |cell| cell.no_target += 1);
        if journal::open() {
            warn!(self.ctx, "id {}: its device is gone, packet dropped", id);
        }
        XDP_DROP
    }
}

/// Removes the tags and gives the frame the target's MAC. False when the
/// packet cannot be changed.
#[inline(always)]
fn readdress(ctx: &XdpContext, target: &Target, tags: u8) -> bool {
    const MACS_LEN: usize = size_of::<Macs>();
    let start = ctx.data();
    if start + MACS_LEN > ctx.data_end() {
        return false;
    }
    if tags == 0 {
        // SAFETY: checked against the packet's end.
        if rewrite::applies(unsafe { *(start as *const u8) }, target) {
            let [a, b, c, d, e, f] = target.mac;
            let (head, tail) = (u32::from_ne_bytes([a, b, c, d]), u16::from_ne_bytes([e, f]));
            // As instructions, because a frame is not aligned (`alias_ebpf::packet`).
            // SAFETY: six bytes, checked against the packet's end.
            unsafe {
                asm!(
                    "*(u32 *)({start} + 0) = {head}",
                    "*(u16 *)({start} + 4) = {tail}",
                    start = in(reg) start,
                    head = in(reg) u64::from(head),
                    tail = in(reg) u64::from(tail),
                    options(nostack),
                );
            }
        }
        return true;
    }
    // SAFETY: checked against the packet's end.
    let macs = rewrite::macs(unsafe { *(start as *const Macs) }, target);
    // SAFETY: the program's own context; every pointer is read again below.
    if unsafe { bpf_xdp_adjust_head(ctx.ctx, i32::from(tags) * TAG_LEN as i32) } != 0 {
        return false;
    }
    let start = ctx.data();
    if start + MACS_LEN > ctx.data_end() {
        return false;
    }
    // SAFETY: checked against the packet's end.
    unsafe { (start as *mut Macs).write(macs) };
    true
}
