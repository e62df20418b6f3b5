//! Aliases to make, with everything looked up and checked: what `lifecycle::create`
//! needs so that only the kernel can still refuse.

use alias_common::counters::RxCell;
use alias_common::hearer::Hear;
use alias_common::key::Vlan;
use alias_common::record::{Record, TargetKind};
use alias_common::tcp_options::TcpOptions;

use crate::model::address::Address;
use crate::netlink::{Link, Netns};

/// One alias to make.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Its slot, free or to be vacated.
    pub slot: u32,
    /// Its address, no other alias's.
    pub address: Address,
    /// Whether the controller shall put the address on a device.
    pub assign: bool,
    /// TCP options of its sockets.
    pub tcp: TcpOptions,
    /// What it takes over: creation number and counters. Zero for a new alias.
    pub past: Past,
}

/// What an alias that is changed keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// Creation number.
    pub created: u64,
    /// Received before.
    pub rx: RxCell,
    /// Dropped by verdict before.
    pub policy: u64,
    /// The alias was in this slot before; its record is kept for it, and what is counted by
    /// id goes on too.
    pub kept: bool,
}

impl Past {
    /// What a record says of the past.
    #[must_use]
    pub const fn of(record: &Record) -> Past {
        Past {
            created: record.created,
            rx: RxCell {
                packets: record.base_rx_packets,
                bytes: record.base_rx_bytes,
            },
            policy: record.base_policy,
            kept: record.created != 0,
        }
    }

    /// Writes the past into a record.
    pub const fn note(&self, record: &mut Record) {
        record.created = self.created;
        record.base_rx_packets = self.rx.packets;
        record.base_rx_bytes = self.rx.bytes;
        record.base_policy = self.policy;
    }
}

/// Aliases to make, all with one target.
pub struct Batch {
    /// The aliases.
    pub items: Vec<Item>,
    /// Prefix length on their devices.
    pub prefix_len: u8,
    /// The VLAN they are scoped to.
    pub vlan: Vlan,
    /// What happens to their packets.
    pub placement: Placement,
    /// Tell the neighbours.
    pub announce: bool,
    /// What their devices hear beside announcements.
    pub hear: Hear,
    /// Match their packets.
    pub enabled: bool,
    /// A configuration makes them, and may change or delete them.
    pub declared: bool,
    /// Whether the host's own stack is not to speak from them, where they are its own;
    /// `None`: as is usual of their family.
    pub deprecated: Option<bool>,
}

impl Batch {
    /// Whether one of them is a prefix.
    #[must_use]
    pub fn has_prefix(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.address.prefix().is_some())
    }

    /// Whether the host's own stack is not to speak from an alias of it. One of IPv6 would
    /// become the source of everything; IPv4 takes the first address of a subnet.
    #[must_use]
    pub fn deprecates(&self, address: Address) -> bool {
        match (&self.placement, self.deprecated) {
            (Placement::Local, Some(deprecated)) => deprecated,
            (Placement::Local, None) => address.is_ipv6(),
            _ => false,
        }
    }

    /// Whether its aliases have a device that may hear what is for everybody.
    #[must_use]
    pub const fn hears(&self) -> bool {
        matches!(self.placement, Placement::Device(_) | Placement::To(..))
    }
}

/// A target, found.
pub enum Placement {
    /// Devices of their own, in a namespace (`None`: the parent's).
    Device(Option<Netns>),
    /// The device of the alias in this slot.
    Join(u32),
    /// A device, and the MAC on its far side if frames must carry it.
    To(Box<Link>, Option<[u8; 6]>),
    /// The parent's own stack.
    Local,
    /// Nowhere.
    Drop,
}

impl Batch {
    /// How many records it needs: one for each alias but for those that have one.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.items.iter().filter(|item| !item.past.kept).count() as u32
    }
}

impl Placement {
    /// The kind that the record keeps.
    #[must_use]
    pub const fn kind(&self) -> TargetKind {
        match self {
            Placement::Device(_) => TargetKind::Device,
            Placement::Join(_) => TargetKind::Join,
            Placement::To(..) => TargetKind::To,
            Placement::Local => TargetKind::Local,
            Placement::Drop => TargetKind::Drop,
        }
    }
}

/// The records of one kind, with their slots.
pub fn of_kind(going: &[(u32, Record)], kind: TargetKind) -> impl Iterator<Item = &(u32, Record)> {
    going.iter().filter(move |(_, record)| record.is(kind))
}
