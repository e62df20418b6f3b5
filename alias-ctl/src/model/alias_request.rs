//! What a user wants of aliases, checked as far as that goes without looking at
//! the machine.

use alias_common::hearer::Hear;
use alias_common::key::Vlan;

use super::address::{Address, Range};
use super::list::List;
use super::tcp_options::TcpChange;

/// What shall happen to an alias's packets.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// A device of its own, in a namespace (`None`: the parent's).
    Device {
        /// Name, path or process id of the namespace.
        netns: Option<String>,
    },
    /// The device of another alias, by its name.
    Join {
        /// The alias that has the device.
        alias: String,
    },
    /// A device that exists.
    To {
        /// Its name.
        device: String,
        /// Destination MAC of what is sent there; `None`: found out, or left.
        mac: Option<[u8; 6]>,
    },
    /// The parent's own stack.
    Local,
    /// Nowhere.
    Drop,
}

/// Aliases to make, all with one target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AliasRequest {
    /// Their addresses.
    pub addresses: Addresses,
    /// Prefix length each has on its device.
    pub prefix_len: u8,
    /// The VLAN they are scoped to.
    pub vlan: Vlan,
    /// What happens to their packets.
    pub target: Target,
    /// Tell the neighbours.
    pub announce: bool,
    /// What their devices hear beside announcements.
    pub hear: Hear,
    /// TCP options of their sockets.
    pub tcp: TcpChange,
}

/// One address for one slot, or many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// One, in a certain slot or in the lowest free one.
    One {
        /// The address.
        address: Address,
        /// The slot.
        slot: Option<u32>,
    },
    /// Many, in free slots from `start` on.
    Range {
        /// The addresses.
        range: Range,
        /// Where to begin to look for free slots.
        start: u32,
    },
    /// Those of a list, in free slots from `start` on.
    Listed {
        /// The addresses.
        list: List,
        /// Where to begin to look for free slots.
        start: u32,
    },
}

impl Addresses {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Addresses::One { .. } => 1,
            Addresses::Range { range, .. } => range.count,
            Addresses::Listed { list, .. } => list.addresses().len() as u64,
        }
    }
}
