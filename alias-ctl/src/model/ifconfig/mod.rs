//! `ifconfig`'s command line as values. Four systems' grammars are one here: what
//! Linux, Solaris, BSD and AIX wrote does not contradict itself, so that all of it
//! is understood everywhere. A [`Style`] only chooses the listing's layout.
//!
//! Nothing here looks at the machine. Whether a name is a device's is asked later,
//! so names stay as they were written.

pub mod flags;
mod grammar;
mod options;
mod refusals;
#[cfg(test)]
mod tests;
mod words;

use std::net::{IpAddr, Ipv4Addr};

use crate::error::Refusal;
use crate::model::tcp_options::TcpChange;

pub use grammar::{fits_network, read};

/// What a command line asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ifconfig {
    /// Show devices and aliases.
    List(Listing),
    /// Change a device or an alias.
    Configure(Configure),
    /// Say which bits a flag word of a system has.
    Flags(Style, u64),
}

/// Why words are no command.
#[derive(Debug)]
pub enum Unread {
    /// They do not go together: usage.
    Usage(String),
    /// One of them is refused.
    Word(Refusal),
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Unread {
        Unread::Word(refusal)
    }
}

/// Whose listing it is, and whose flag words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Style {
    /// net-tools: `Link encap:`.
    #[default]
    Linux,
    /// FreeBSD: `flags=8843<UP,…> mtu 1500`.
    Bsd,
    /// The same with AIX's bits.
    Aix,
    /// Solaris: a block for each logical interface, `eth0:1: flags=1000843<UP,…,IPv4>`.
    Solaris,
}

impl Style {
    /// Their names, as a user is told of them.
    pub const NAMES: &str = "linux, bsd, aix or solaris";

    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Style> {
        Some(match name {
            "linux" => Style::Linux,
            "bsd" => Style::Bsd,
            "aix" => Style::Aix,
            "solaris" => Style::Solaris,
            _ => return None,
        })
    }
}

/// An address family with a word in the grammar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// `inet`.
    Inet,
    /// `inet6`.
    Inet6,
}

/// What to show.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listing {
    /// Only this device or alias.
    pub name: Option<String>,
    /// Only addresses of this family.
    pub family: Option<Family>,
    /// Which devices.
    pub state: State,
    /// How.
    pub form: Form,
    /// In whose layout.
    pub style: Style,
}

/// Which devices a listing has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum State {
    /// All.
    #[default]
    Any,
    /// Those that are up.
    Up,
    /// Those that are down.
    Down,
}

/// How a listing looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// Some lines for each.
    #[default]
    Blocks,
    /// `-l`: names on one line.
    Names,
    /// `-s`: a line for each.
    Table,
}

/// What to change. All of it is checked before any of it is done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Configure {
    /// Of which device or alias.
    pub name: String,
    /// Its addresses.
    pub address: Option<AddressChange>,
    /// The device itself.
    pub link: LinkChange,
    /// AIX's TCP options of its sockets.
    pub tcp: TcpChange,
    /// Solaris's `deprecated`: no source of what the host itself says.
    pub deprecated: Option<bool>,
    /// Solaris's `plumb`: an alias that is there already is not given another address.
    pub plumb: bool,
    /// Take the programs off, and the aliases with `cascade`.
    pub detach: bool,
    /// Aliases that stand in the way go too.
    pub cascade: bool,
}

/// A change of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressChange {
    /// An address alone: the alias's, or the device's first one.
    Assign(Given),
    /// `alias`, `add`: one more, in the lowest free slot; that it is there is fine.
    Add(Given),
    /// `firstalias` (AIX): the same.
    AddFirst(Given),
    /// `addif` (Solaris): one more, whose name is printed.
    AddLogical(Given),
    /// A mask or a broadcast address alone.
    Remask(Option<Mask>, Option<Broadcast>),
    /// `delete`, `-alias`, `remove` with an address (BSD): any may go.
    Remove(IpAddr),
    /// `del` (Linux): an alias; the device's own only after its aliases.
    Del(IpAddr),
    /// `removeif` (Solaris): an alias, and never the device's own.
    RemoveLogical(IpAddr),
    /// The address 0: the alias goes, or the device's own after its aliases.
    Clear,
    /// The alias that is named goes: `eth0:0-`, `eth0:0 delete`.
    Delete,
}

/// An address as given, with what was not given filled in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Given {
    /// The address.
    pub address: IpAddr,
    /// How much of it is its network's.
    pub length: Length,
    /// The broadcast address, if it was given.
    pub broadcast: Option<Broadcast>,
}

/// The prefix length of an address's network, in bits, and who says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// The user.
    Said(u8),
    /// Nobody: the address's class; of IPv6, the address alone.
    Usual(u8),
    /// Solaris's `netmask +`: the network that the device is in, else this.
    Known(u8),
}

/// A mask without an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mask {
    /// Its length in bits.
    Bits(u8),
    /// Solaris's `+`: that of the network which the device is in.
    Known,
}

/// A broadcast address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Broadcast {
    /// As written.
    Said(Ipv4Addr),
    /// Solaris's `+`: that of the network.
    Network,
}

/// A change of a device; `None` stays.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkChange {
    /// `up`, `down`.
    pub up: Option<bool>,
    /// `[-]arp`.
    pub arp: Option<bool>,
    /// `[-]promisc`.
    pub promisc: Option<bool>,
    /// `[-]allmulti`.
    pub allmulti: Option<bool>,
    /// `[-]multicast`.
    pub multicast: Option<bool>,
    /// `mtu`, in bytes.
    pub mtu: Option<u32>,
    /// `txqueuelen`, in packets.
    pub tx_queue_len: Option<u32>,
    /// `hw ether`, `ether`, `lladdr`.
    pub mac: Option<[u8; 6]>,
}

impl LinkChange {
    /// Whether it asks for anything but `up` or `down`.
    #[must_use]
    pub fn touches_device(&self) -> bool {
        LinkChange { up: None, ..*self } != LinkChange::default()
    }
}

/// The broadcast address of an address's network.
#[must_use]
pub fn broadcast_of(address: Ipv4Addr, prefix_len: u8) -> Ipv4Addr {
    let host = u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() | host)
}
