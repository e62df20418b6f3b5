//! What is known of an alias. The datapath reads [`Steer`]; the [`Record`] is
//! the controller's, kept in the kernel so that no daemon has to remember it.

use crate::Plain;
use crate::hearer::Hear;
use crate::key::{Family, Vlan};
use crate::limits::MAX_ALIASES;
use crate::tcp_options::TcpOptions;

/// Where a packet with the verdict device or `to` is sent, one per table position.
///
/// ```text
///  63     56 55                  32 31                                   0
/// +---------+----------------------+--------------------------------------+
/// |  flags  |          id          |  ifindex of the port, or target key   |
/// +---------+----------------------+--------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(transparent)]
pub struct Steer(pub u64);

impl Steer {
    /// The alias device is in another namespace than its port.
    pub const PEER: u8 = 1;

    /// Packs the three parts; `id` is below [`MAX_ALIASES`].
    #[inline(always)]
    #[must_use]
    pub const fn new(target: u32, id: u32, flags: u8) -> Steer {
        Steer((flags as u64) << 56 | ((id & (MAX_ALIASES - 1)) as u64) << 32 | target as u64)
    }

    /// `device`: the port's ifindex. `to`: the key of the devmap and of its target.
    #[inline(always)]
    #[must_use]
    pub const fn target(self) -> u32 {
        self.0 as u32
    }

    /// The alias's id, which indexes the map `record`.
    #[inline(always)]
    #[must_use]
    pub const fn id(self) -> u32 {
        (self.0 >> 32) as u32 & (MAX_ALIASES - 1)
    }

    /// [`Steer::PEER`] or nothing.
    #[inline(always)]
    #[must_use]
    pub const fn flags(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

/// A device that `--to` names, one per devmap key.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Target {
    /// Its ifindex; 0 when the key is free.
    pub ifindex: u32,
    /// [`Target::REWRITE`] or nothing.
    pub flags: u32,
    /// Destination MAC that a redirected frame gets when `REWRITE` is set.
    pub mac: [u8; 6],
    /// Outer VLAN id of the aliases that lead here; 0 for none.
    pub vlan_outer: u16,
    /// Inner VLAN id; 0 for none.
    pub vlan_inner: u16,
    /// Zero.
    pub reserved: u16,
    /// Zero.
    pub reserved2: u32,
    /// Its name, padded with zero bytes: a device that reappears under it replaces it.
    pub name: [u8; 16],
    /// Zero, up to a cache line.
    pub reserved3: [u64; 3],
}

impl Target {
    /// Give redirected frames the destination `mac`.
    pub const REWRITE: u32 = 1;
}

// SAFETY: u32 x2, 6 bytes, u16 x3, u32, 16 bytes, u64 x3: 64 without padding (asserted
// below).
unsafe impl Plain for Target {}
const _: () = assert!(size_of::<Target>() == 64);

/// Which alias a port or a `--to` device belongs to (map `port`, by ifindex).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Port {
    /// A port: id of the alias whose device is behind it. A `--to` device: its
    /// devmap key.
    pub key: u32,
    /// A port: outer VLAN id of that alias; 0 for none.
    pub vlan_outer: u16,
    /// Inner VLAN id; 0 for none.
    pub vlan_inner: u16,
    /// Ethertype of that alias's family.
    pub ethertype: u16,
    /// Zero.
    pub reserved: u16,
    /// Zero.
    pub reserved2: u32,
    /// A port: cookie of the namespace that the device behind it is in, 0 for the
    /// parent's. A device may send from the address of every alias whose device is in the
    /// same namespace.
    pub netns_cookie: u64,
}

// SAFETY: u32, u16 x4, u32, u64: 24 bytes without padding (asserted below).
unsafe impl Plain for Port {}
const _: () = assert!(size_of::<Port>() == 24);

impl Port {
    /// As the map holds it.
    #[must_use]
    pub const fn bytes(self) -> [u8; 24] {
        // SAFETY: 24 bytes without padding (asserted above).
        unsafe { core::mem::transmute(self) }
    }
}

/// Life cycle of a record. It is written while its state is `Pending` and read only while
/// it is `Live`; what a crash leaves in another state, the next writer undoes or
/// finishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum State {
    /// No alias.
    Free = 0,
    /// Being created: to be undone if its creator was killed.
    Pending = 1,
    /// An alias.
    Live = 2,
    /// Being deleted: to be finished if its deleter was killed.
    Retiring = 3,
    /// No alias, and no other's to take: its slot's alias is being replaced, and what was
    /// counted for it by id goes on.
    Kept = 4,
}

impl State {
    /// The state with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<State> {
        Some(match number {
            0 => State::Free,
            1 => State::Pending,
            2 => State::Live,
            3 => State::Retiring,
            4 => State::Kept,
            _ => return None,
        })
    }
}

/// What the user asked for; the datapath sees `Device` for `Join` too.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum TargetKind {
    /// An alias device of its own.
    Device = 1,
    /// Another alias's device.
    Join = 2,
    /// A device that exists.
    To = 3,
    /// The parent's own stack.
    Local = 4,
    /// Nowhere.
    Drop = 5,
}

/// A number that is no target's: of a record that another version wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownTarget(pub u8);

impl TryFrom<u8> for TargetKind {
    type Error = UnknownTarget;

    fn try_from(number: u8) -> Result<TargetKind, UnknownTarget> {
        Ok(match number {
            1 => TargetKind::Device,
            2 => TargetKind::Join,
            3 => TargetKind::To,
            4 => TargetKind::Local,
            5 => TargetKind::Drop,
            unknown => return Err(UnknownTarget(unknown)),
        })
    }
}

impl TargetKind {
    /// There is a device for it, its own or another alias's.
    #[must_use]
    pub const fn has_device(self) -> bool {
        match self {
            TargetKind::Device | TargetKind::Join => true,
            TargetKind::To | TargetKind::Local | TargetKind::Drop => false,
        }
    }

    /// Its address is the parent's own, whose stack answers for it.
    #[must_use]
    pub const fn has_address_on_parent(self) -> bool {
        match self {
            TargetKind::Local => true,
            TargetKind::Device | TargetKind::Join | TargetKind::To | TargetKind::Drop => false,
        }
    }

    /// Neighbours may be told where it is.
    #[must_use]
    pub const fn is_announced(self) -> bool {
        match self {
            TargetKind::Device | TargetKind::Join | TargetKind::To | TargetKind::Local => true,
            TargetKind::Drop => false,
        }
    }

    /// The groups that neighbours ask for it in are ours to join: the parent's own stack
    /// does not know of it.
    #[must_use]
    pub const fn needs_groups(self) -> bool {
        self.is_announced() && !self.has_address_on_parent()
    }
}

/// One alias; its index in the map `record` is its id, the lowest that was free when it was
/// made. Its slot is what its name says. There is one more entry, at the index that is the
/// capacity: the redo record. It holds what an alias that is
/// being changed is to become, so that the next writer can finish the change if this one
/// is killed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Record {
    /// A [`State`].
    pub state: u32,
    /// Address family number.
    pub family: u16,
    /// Prefix length of the address on its device; that of a prefix.
    pub prefix_len: u8,
    /// A [`TargetKind`].
    pub target: u8,
    /// The address in network order, padded with zero bytes.
    pub address: [u8; 16],
    /// Outer VLAN id it is scoped to; 0 for none.
    pub vlan_outer: u16,
    /// Inner VLAN id; 0 for none.
    pub vlan_inner: u16,
    /// Position of its bucket in the index; [`Record::NO_POSITION`] before it has one.
    pub position: u32,
    /// Bits of [`Record::ENABLED`] and the like.
    pub flags: u32,
    /// The alias device's ifindex, in its own namespace; 0 for none.
    pub device_ifindex: u32,
    /// Creation order within the parent, from 1.
    pub created: u64,
    /// The port's ifindex (device, join), or the `--to` device's.
    pub port_ifindex: u32,
    /// Join: the slot whose device is shared. To: the devmap key.
    pub link: u32,
    /// Inode of the alias device's namespace; 0 when it is the parent's.
    pub netns_inode: u64,
    /// Counted before the alias moved to its present position.
    pub base_rx_packets: u64,
    /// Counted before the alias moved to its present position.
    pub base_rx_bytes: u64,
    /// Packets dropped by verdict before the alias moved to its present position.
    pub base_policy: u64,
    /// Destination MAC for `--to`; zero for none.
    pub mac: [u8; 6],
    /// How the address is printed: an [`crate::alias_type::AddressFormat`].
    pub format: u8,
    /// Bytes of the address.
    pub address_len: u8,
    /// The N of `eth0:N`; in the redo record, that of the alias that it replaces.
    pub slot: u32,
    /// Id of that namespace in the parent's (IFLA_LINK_NETNSID) plus one; 0 when it is
    /// the parent's own.
    pub netnsid: u32,
    /// Cookie of that namespace: unlike the inode, it is never reused.
    pub netns_cookie: u64,
    /// TCP options of its sockets.
    pub tcp: TcpOptions,
    /// Ethertype of its family's frames: what its device may send.
    pub ethertype: u16,
    /// A [`Hear`]: what its device hears beside announcements.
    pub hear: u8,
    /// Zero.
    pub reserved3: u8,
}

impl Record {
    /// Packets for the alias are matched.
    pub const ENABLED: u32 = 1;
    /// The address was put on a device by the controller.
    pub const ADDRESSED: u32 = 2;
    /// The alias was announced to the neighbours, and so may be announced again.
    pub const ANNOUNCE: u32 = 4;
    /// In the redo record: it includes the counters of the alias that it replaces.
    pub const HARVESTED: u32 = 8;
    /// In the redo record: only TCP options change.
    pub const TCP_ONLY: u32 = 16;
    /// The alias was created by a configuration, which may change and delete it.
    pub const DECLARED: u32 = 32;
    /// The alias is a prefix: it matches every address that begins with it.
    pub const PREFIX: u32 = 64;
    /// `local`: the host's own stack is not to take the address for its source.
    pub const DEPRECATED: u32 = 128;
    /// Not in the index.
    pub const NO_POSITION: u32 = u32::MAX;

    /// Its target's kind; `None` for a number that is none's.
    #[must_use]
    pub fn kind(&self) -> Option<TargetKind> {
        TargetKind::try_from(self.target).ok()
    }

    /// There is a device for it, its own or another alias's.
    #[must_use]
    pub fn has_device(&self) -> bool {
        self.kind().is_some_and(TargetKind::has_device)
    }

    /// Whether its target is of a kind.
    #[must_use]
    pub const fn is(&self, kind: TargetKind) -> bool {
        self.target == kind as u8
    }

    /// The VLAN it is scoped to.
    #[must_use]
    pub const fn vlan(&self) -> Vlan {
        Vlan::new(self.vlan_outer, self.vlan_inner)
    }

    /// What its device hears beside announcements.
    #[must_use]
    pub const fn hear(&self) -> Hear {
        Hear(self.hear)
    }

    /// Its address family.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family(self.family)
    }
}

// SAFETY: fields are ordered without padding (size asserted below).
unsafe impl Plain for Record {}
const _: () = assert!(size_of::<Record>() == 128);
const _: () = assert!(core::mem::offset_of!(Record, created) == 40);
const _: () = assert!(core::mem::offset_of!(Record, mac) == 88);
