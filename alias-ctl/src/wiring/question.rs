//! One question: an alias is asked for at a device that has settings by which it may keep
//! silent, and whether it does.

use std::net::IpAddr;

use alias_common::key::Vlan;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::error::Result;
use crate::model::address::Address;
use crate::model::bits::network;
use crate::netlink::{self, Conversation, Link};

use super::reach::some_of;
use super::sysctl::{Asked, Setting};

/// RT_SCOPE_LINK.
const SCOPE_LINK: u8 = 253;

/// A network of IPv4: its first address and its bits.
pub type Network = (IpAddr, u8);

/// Why questions, or what follows them, are dropped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Why {
    /// `arp_ignore` 8: for no address at all is answered.
    Never,
    /// `arp_ignore` 1, 2 or 3: the address is on no device, or not on the one that is
    /// asked; as those of a prefix.
    NotThere,
    /// `arp_ignore` 2: no address of the device has it and those of this network together.
    OtherNetwork(Network),
    /// `arp_filter`: what is said to those of this network leaves by another device.
    OtherWay(Network, String),
    /// `rp_filter`: the same.
    ReversePath(Network, String),
}

/// An alias about which a stack keeps silent.
#[derive(Clone, Debug)]
pub struct Silent {
    /// Its slot.
    pub slot: u32,
    /// The device that is asked, as its namespace calls it.
    pub device: String,
    /// The namespace of that, by inode; 0 for the parent's.
    pub netns_inode: u64,
    /// The value that counts.
    pub value: u32,
    /// Why.
    pub why: Why,
    /// What ends it: device or `all`, the setting, and its value.
    pub settings: Vec<(String, Setting, u32)>,
}

/// What is asked for, and where.
pub(super) struct Holder {
    slot: u32,
    address: Address,
    source: IpAddr,
    prefix_len: u8,
    vlan: Vlan,
    pub(super) device: u32,
    pub(super) inode: u64,
}

impl Holder {
    pub(super) fn of(link: &Link, slot: u32, record: &Record) -> Option<Holder> {
        let (device, inode) = match record.kind()? {
            TargetKind::Device | TargetKind::Join => (record.device_ifindex, record.netns_inode),
            TargetKind::Local => (link.ifindex, 0),
            TargetKind::To | TargetKind::Drop => return None,
        };
        let address = address_of(record);
        let prefix = address.prefix().map(|prefix| prefix.network);
        let source = address.ip().or(prefix).filter(IpAddr::is_ipv4)?;
        Some(Holder {
            slot,
            address,
            source,
            prefix_len: record.prefix_len,
            vlan: record.vlan(),
            device,
            inode,
        })
    }

    pub(super) const fn is_prefix(&self) -> bool {
        self.address.prefix().is_some()
    }
}

/// A device that may keep silent, and what it is asked for.
pub(super) struct Deaf {
    pub(super) device: String,
    pub(super) asked: Asked,
    pub(super) holders: Vec<Holder>,
}

/// One alias, asked for at one device.
pub(super) struct Question<'a> {
    pub(super) netlink: &'a mut Conversation,
    pub(super) addresses: &'a [netlink::Address],
    pub(super) neighbours: &'a [Network],
    pub(super) deaf: &'a Deaf,
    pub(super) holder: &'a Holder,
}

impl Question<'_> {
    /// Whether it is dropped, and why.
    pub(super) fn judge(&mut self) -> Result<Option<Silent>> {
        let found = match self.ignores() {
            Some(why) => Some((Setting::ArpIgnore, why)),
            None => self.leaves_elsewhere()?,
        };
        Ok(found.map(|(setting, why)| Silent {
            slot: self.holder.slot,
            device: self.deaf.device.clone(),
            netns_inode: self.holder.inode,
            value: self.deaf.asked.value(setting),
            settings: self.settings(setting),
            why,
        }))
    }

    /// `arp_ignore`, as the kernel has it in `arp_ignore()`.
    fn ignores(&self) -> Option<Why> {
        let holder = self.holder;
        let is_it = |found: &&netlink::Address| found.address == holder.source;
        let of_device = || {
            let here = |found: &&netlink::Address| found.ifindex == holder.device;
            self.addresses.iter().filter(here)
        };
        let has_both = |(asker, len): Network| {
            let mut ipv4 = of_device().filter(|found| found.address.is_ipv4());
            // The nearer of two networks is within the other.
            ipv4.any(|found| {
                found.prefix_len <= len
                    && network(found.address, found.prefix_len) == network(asker, found.prefix_len)
                    && network(found.address, found.prefix_len)
                        == network(holder.source, found.prefix_len)
            })
        };
        match self.deaf.asked.value(Setting::ArpIgnore) {
            1 if self.holder.is_prefix() || !of_device().any(|found| is_it(&found)) => {
                Some(Why::NotThere)
            }
            2 if self.holder.is_prefix() || !of_device().any(|found| is_it(&found)) => {
                Some(Why::NotThere)
            }
            2 => {
                let inside = |(net, len): &Network| network(holder.source, *len) == *net;
                let askers = self.askers().into_iter().filter(inside);
                askers
                    .into_iter()
                    .find(|asker| !has_both(*asker))
                    .map(Why::OtherNetwork)
            }
            3 => {
                let speaks = |found: &&netlink::Address| found.scope <= SCOPE_LINK;
                let is_there = self
                    .addresses
                    .iter()
                    .filter(is_it)
                    .any(|found| speaks(&found));
                (self.holder.is_prefix() || !is_there).then_some(Why::NotThere)
            }
            8 => Some(Why::Never),
            _ => None,
        }
    }

    /// `arp_filter` and `rp_filter`: whether what is said to those who ask leaves by the
    /// device that is asked.
    fn leaves_elsewhere(&mut self) -> Result<Option<(Setting, Why)>> {
        let asked = &self.deaf.asked;
        let filters = asked.value(Setting::ArpFilter) != 0;
        // A device without an address is as strict with 2 (`__fib_validate_source`).
        let strict = match asked.value(Setting::ReversePath) {
            0 => false,
            1 => true,
            _ => self.holder.is_prefix() && !self.has_ipv4(),
        };
        if !filters && !strict {
            return Ok(None);
        }
        for asker in self.askers() {
            let Some(by) = self.other_way(asker)? else {
                continue;
            };
            return Ok(Some(match strict {
                true => (Setting::ReversePath, Why::ReversePath(asker, by)),
                false => (Setting::ArpFilter, Why::OtherWay(asker, by)),
            }));
        }
        Ok(None)
    }

    fn has_ipv4(&self) -> bool {
        let here = |found: &netlink::Address| found.ifindex == self.holder.device;
        let mut ipv4 = self
            .addresses
            .iter()
            .filter(|found| found.address.is_ipv4());
        ipv4.any(here)
    }

    /// The networks of those who may ask: the alias's own, and those on the parent's link.
    fn askers(&self) -> Vec<Network> {
        let holder = self.holder;
        let mut askers = Vec::new();
        if !self.holder.is_prefix() && holder.prefix_len < 31 {
            let network = network(holder.source, holder.prefix_len);
            askers.push((network, holder.prefix_len));
        }
        // Of another VLAN nothing is known.
        if holder.vlan == Vlan::NONE {
            let others = self.neighbours.iter().filter(|net| !askers.contains(net));
            let others: Vec<Network> = others.copied().collect();
            askers.extend(others);
        }
        askers
    }

    /// The name of the other device by which those of a network are reached; `None` when it
    /// is the one that is asked, or when they are not reached at all.
    fn other_way(&mut self, (network, len): Network) -> Result<Option<String>> {
        for neighbour in some_of(network, len) {
            let way = match self.netlink.way(Some(self.holder.source), neighbour) {
                Ok(way) => way,
                // It is no address of the namespace's, which is found elsewhere.
                Err(error) if error.errno() == libc::EINVAL => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let Some(way) = way else {
                return Ok(None);
            };
            if way.kind != libc::RTN_UNICAST {
                continue;
            }
            let by = way.hops.first().map_or(0, |hop| hop.ifindex);
            if by == self.holder.device {
                return Ok(None);
            }
            let link = self.netlink.link_by_index(by)?;
            return Ok(link.map(|link| link.name));
        }
        Ok(None)
    }

    /// See [`Silent::settings`].
    fn settings(&self, setting: Setting) -> Vec<(String, Setting, u32)> {
        let device = &self.deaf.device;
        let wanted = match setting {
            // The larger counts.
            Setting::ReversePath if !self.holder.is_prefix() => {
                return vec![(device.clone(), setting, 2)];
            }
            Setting::ArpIgnore if !self.holder.is_prefix() => 1,
            Setting::ArpIgnore | Setting::ArpFilter | Setting::ReversePath => 0,
        };
        let (own, all) = self.deaf.asked.both(setting);
        [("all", all), (device.as_str(), own)]
            .into_iter()
            .filter(|(_, value)| *value > wanted)
            .map(|(of, _)| (of.to_owned(), setting, wanted))
            .collect()
    }
}
