//! What a configuration declares: devices, and the aliases each shall have.
//! Consecutive aliases that differ in nothing else are one [`Run`], so that a
//! million of them stay a few words.

use super::lifecycle::OnDown;
use std::net::IpAddr;

use alias_common::hearer::Hear;
use alias_common::key::Vlan;
use alias_common::tcp_options::TcpOptions;

use super::address::{Address, Range};
use super::alias_request::Target;
use super::name::{AliasName, alias_name};
use crate::error::{Refusal, Result};

/// A configuration: its devices in the order in which it names them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Declaration {
    /// The devices.
    pub parents: Vec<Parent>,
}

/// One device and its aliases.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parent {
    /// Its name.
    pub name: String,
    /// How it shall be attached.
    pub attachment: Attachment,
    /// Its aliases, in creation order.
    pub runs: Vec<Run>,
}

/// How a device shall be attached; `None` stays as it is, or becomes the default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Attachment {
    /// How XDP runs.
    pub mode: Option<Mode>,
    /// Number of slots.
    pub capacity: Option<u32>,
    /// Slots from this number on are refused.
    pub max_aliases: Option<u32>,
    /// Highest level of the journal, as in the header: 0 nothing, 2 warnings.
    pub log: Option<u8>,
    /// Where tc programs hang.
    pub tc: Option<Hook>,
    /// What becomes of its aliases when it goes down.
    pub on_parent_down: Option<OnDown>,
}

/// Where the engine runs on a device.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// In the driver, before a packet is built; refused where there is none.
    #[default]
    Native,
    /// In the stack, on any device, several times slower.
    Generic,
    /// At tc, where the kernel has built a packet, on any device.
    Tc,
    /// Native where the driver has it, else tc where the kernel has tcx, else generic.
    BestEffort,
}

/// Where tc programs hang.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// tcx, of Linux 6.6.
    Tcx,
    /// The clsact qdisc.
    Clsact,
}

/// Aliases in consecutive slots with consecutive addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Run {
    /// Slot of the first.
    pub start: u32,
    /// Address of the first. Families other than IPv4 and IPv6 do not count on.
    pub first: Address,
    /// How many they are; at least 1.
    pub count: u64,
    /// What they have in common.
    pub properties: Properties,
    /// The line of the file that says so, from 1; 0 for none.
    pub line: u32,
}

/// Everything of an alias but its name and address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Properties {
    /// Prefix length of the address on its device.
    pub prefix_len: u8,
    /// The VLAN it is scoped to.
    pub vlan: Vlan,
    /// What happens to its packets.
    pub target: Target,
    /// Whether its packets are matched.
    pub enabled: bool,
    /// Whether the neighbours are told.
    pub announce: bool,
    /// What its device hears beside announcements.
    pub hear: Hear,
    /// `local`: whether the host's own stack is not to take the address for its source;
    /// `None` for what is usual, which is yes of IPv6 and no of IPv4.
    pub deprecated: Option<bool>,
    /// TCP options of its sockets.
    pub tcp: TcpOptions,
}

impl Run {
    /// One past the last slot. Ranges that are longer than slots can be counted
    /// end at the last number there is.
    #[must_use]
    pub fn end(&self) -> u32 {
        let end = u64::from(self.start).saturating_add(self.count);
        u32::try_from(end).unwrap_or(u32::MAX)
    }

    /// Whether a slot is one of these.
    #[must_use]
    pub fn contains(&self, slot: u32) -> bool {
        (self.start..self.end()).contains(&slot)
    }

    /// The address of a slot of these.
    #[must_use]
    pub fn address(&self, slot: u32) -> Address {
        step(self.first, u64::from(slot - self.start)).unwrap_or(self.first)
    }

    /// The address of the last.
    #[must_use]
    pub fn last(&self) -> Address {
        step(self.first, self.count - 1).unwrap_or(self.first)
    }

    /// The same for some of these slots only.
    #[must_use]
    pub fn part(&self, start: u32, end: u32) -> Run {
        Run {
            start,
            first: self.address(start),
            count: u64::from(end - start),
            ..self.clone()
        }
    }

    /// The slot that has an address, if it is one of these.
    #[must_use]
    pub fn slot_of(&self, address: Address) -> Option<u32> {
        if kind(address) != kind(self.first) {
            return None;
        }
        let steps = number(address).checked_sub(number(self.first))?;
        (steps < u128::from(self.count)).then(|| self.start + steps as u32)
    }

    /// Its place in the order of [`Addresses`].
    fn place(&self) -> Place {
        place(self.first, self.properties.vlan)
    }
}

/// The `n`th address from `first` on, where addresses can be counted on.
fn step(first: Address, n: u64) -> Option<Address> {
    let range = Range {
        first: first.ip()?,
        count: n + 1,
        prefix_len: None,
    };
    let last = range.nth(n).into();
    // An IPv4 address that would be too large starts again at zero.
    (number(last) >= number(first)).then_some(last)
}

/// An address as a number.
fn number(address: Address) -> u128 {
    match address.ip() {
        Some(IpAddr::V4(v4)) => v4.to_bits().into(),
        Some(IpAddr::V6(v6)) => v6.to_bits(),
        None => u128::from_be_bytes(address.bytes()),
    }
}

/// VLAN ids, kind, address.
type Place = (u16, u16, (u16, u8), u128);

fn place(address: Address, vlan: Vlan) -> Place {
    (vlan.outer(), vlan.inner(), kind(address), number(address))
}

/// Family, and the length of a prefix, 0 for an address: only what agrees in both can
/// be the same.
fn kind(address: Address) -> (u16, u8) {
    let len = address.prefix().map_or(0, |prefix| prefix.len);
    (address.family().0, len)
}

/// The slot that a `join` names; `None` for another target.
#[must_use]
pub fn joined_slot(target: &Target) -> Option<u32> {
    match target {
        Target::Join { alias } => AliasName::parse(alias).ok()?.slot,
        _ => None,
    }
}

/// The runs of one parent, found by address.
pub struct Addresses<'a>(Vec<&'a Run>);

impl<'a> Addresses<'a> {
    /// Of these runs.
    #[must_use]
    pub fn of(runs: &'a [Run]) -> Addresses<'a> {
        let mut sorted: Vec<&Run> = runs.iter().collect();
        sorted.sort_unstable_by_key(|run| run.place());
        Addresses(sorted)
    }

    /// The slot that has an address on a VLAN.
    #[must_use]
    pub fn slot_of(&self, address: Address, vlan: Vlan) -> Option<u32> {
        let key = place(address, vlan);
        let behind = self.0.partition_point(|run| run.place() <= key);
        let run = self.0.get(behind.checked_sub(1)?)?;
        (run.properties.vlan == vlan)
            .then(|| run.slot_of(address))
            .flatten()
    }
}

impl Declaration {
    /// Checks what one alias says against another: no slot and no address twice.
    ///
    /// # Errors
    ///
    /// EEXIST, naming both lines.
    pub fn check(&self) -> Result<()> {
        self.parents.iter().try_for_each(Parent::check)
    }
}

impl Parent {
    fn check(&self) -> Result<()> {
        let twice = |object: String, first: &Run, second: &Run| {
            let (first, second) = (first.line.min(second.line), first.line.max(second.line));
            Refusal::new(
                object,
                "declare",
                format!("line {first} declares it, and line {second} again"),
                libc::EEXIST,
            )
            .hint("remove one of them")
        };
        let mut by_slot: Vec<&Run> = self.runs.iter().collect();
        by_slot.sort_unstable_by_key(|run| run.start);
        for pair in by_slot.windows(2) {
            if pair[0].end() > pair[1].start {
                let name = alias_name(&self.name, pair[1].start);
                return Err(twice(name, pair[0], pair[1]));
            }
        }
        let Addresses(by_address) = Addresses::of(&self.runs);
        for pair in by_address.windows(2) {
            let first = pair[1].first;
            if pair[0].properties.vlan == pair[1].properties.vlan
                && pair[0].slot_of(first).is_some()
            {
                return Err(twice(first.to_string(), pair[0], pair[1]));
            }
        }
        Ok(())
    }

    /// How many aliases it shall have.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.runs.iter().map(|run| run.count);
        counts.fold(0, u64::saturating_add)
    }
}

/// Puts aliases that come in creation order together to runs.
pub fn fold(aliases: impl Iterator<Item = (u32, Address, Properties)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (slot, address, properties) in aliases {
        if let Some(last) = runs.last_mut()
            && last.end() == slot
            && step(last.first, last.count) == Some(address)
            && last.properties == properties
        {
            last.count += 1;
            continue;
        }
        runs.push(Run {
            start: slot,
            first: address,
            count: 1,
            properties,
            line: 0,
        });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::prefix::Prefix;

    fn ip(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn properties(vlan: u16) -> Properties {
        Properties {
            prefix_len: 24,
            vlan: Vlan::new(vlan, 0),
            target: Target::Drop,
            enabled: true,
            announce: true,
            hear: Hear::NOTHING,
            deprecated: None,
            tcp: TcpOptions::default(),
        }
    }

    fn run(start: u32, addresses: &str, vlan: u16, line: u32) -> Run {
        let range = Range::parse(addresses).unwrap();
        Run {
            start,
            first: range.first.into(),
            count: range.count,
            properties: properties(vlan),
            line,
        }
    }

    fn prefix(start: u32, text: &str, line: u32) -> Run {
        Run {
            start,
            first: Address::Prefix(Prefix::parse(text).unwrap()),
            count: 1,
            properties: properties(0),
            line,
        }
    }

    #[test]
    fn what_is_declared_twice_names_both_lines() {
        for (runs, expected) in [
            (
                vec![run(0, "198.18.0.0/30", 0, 1), run(4, "198.18.0.4/30", 0, 2)],
                None,
            ),
            (
                vec![run(3, "198.18.0.4/30", 0, 2), run(0, "198.18.0.0/30", 0, 5)],
                Some("eth0:3"),
            ),
            (
                vec![run(0, "198.18.0.0/30", 0, 2), run(9, "198.18.0.3/32", 0, 5)],
                Some("198.18.0.3"),
            ),
            (
                vec![run(9, "198.18.0.3/32", 0, 2), run(0, "198.18.0.0/30", 0, 5)],
                Some("198.18.0.3"),
            ),
            (
                vec![run(0, "198.18.0.0/30", 0, 2), run(9, "198.18.0.3/32", 7, 5)],
                None,
            ),
            (
                vec![
                    run(0, "2001:db8::/126", 0, 2),
                    run(9, "2001:db8::3/128", 0, 5),
                ],
                Some("2001:db8::3"),
            ),
            (
                vec![run(0, "198.18.0.5/32", 0, 2), run(9, "::c612:5/128", 0, 5)],
                None,
            ),
            (
                vec![run(0, "198.18.0.0/30", 0, 2), prefix(9, "198.18.0.0/24", 5)],
                None,
            ),
            (
                vec![
                    prefix(0, "198.18.0.0/24", 2),
                    prefix(9, "198.18.0.0/25", 5),
                    prefix(10, "2001:db8::/32", 6),
                    run(11, "2001:db8::/126", 0, 7),
                ],
                None,
            ),
            (
                vec![prefix(9, "198.18.0.0/24", 5), prefix(0, "198.18.0.0/24", 2)],
                Some("198.18.0.0/24"),
            ),
        ] {
            let declaration = Declaration {
                parents: vec![Parent {
                    name: "eth0".into(),
                    runs,
                    ..Parent::default()
                }],
            };
            let found = declaration.check().err();
            assert_eq!(
                found.as_ref().map(|refusal| refusal.object.as_str()),
                expected
            );
            if let Some(refusal) = found {
                assert_eq!(refusal.reason, "line 2 declares it, and line 5 again");
                assert_eq!(refusal.errno, libc::EEXIST);
            }
        }
    }

    #[test]
    fn slots_by_address() {
        let runs = [
            run(10, "198.18.0.0/30", 0, 1),
            run(20, "198.18.0.0/30", 7, 2),
            run(30, "2001:db8::/126", 0, 3),
        ];
        let addresses = Addresses::of(&runs);
        for (address, vlan, expected) in [
            ("198.18.0.0", 0, Some(10)),
            ("198.18.0.3", 0, Some(13)),
            ("198.18.0.4", 0, None),
            ("198.17.255.255", 0, None),
            ("198.18.0.3", 7, Some(23)),
            ("198.18.0.3", 8, None),
            ("2001:db8::2", 0, Some(32)),
            ("::c612:1", 0, None),
        ] {
            let vlan = properties(vlan).vlan;
            let found = addresses.slot_of(ip(address), vlan);
            assert_eq!(found, expected, "{address} {vlan:?}");
        }
    }

    #[test]
    fn consecutive_aliases_fold() {
        let alias = |slot: u32, address: &str, vlan| (slot, ip(address), properties(vlan));
        for (aliases, expected) in [
            (vec![], vec![]),
            (
                vec![alias(5, "198.18.0.255", 0), alias(6, "198.18.1.0", 0)],
                vec![2],
            ),
            (
                vec![alias(5, "198.18.0.1", 0), alias(7, "198.18.0.2", 0)],
                vec![1, 1],
            ),
            (
                vec![alias(6, "198.18.0.1", 0), alias(5, "198.18.0.2", 0)],
                vec![1, 1],
            ),
            (
                vec![alias(5, "198.18.0.1", 0), alias(6, "198.18.0.3", 0)],
                vec![1, 1],
            ),
            (
                vec![alias(5, "198.18.0.1", 0), alias(6, "198.18.0.2", 7)],
                vec![1, 1],
            ),
            (
                vec![alias(5, "198.18.0.1", 0), alias(6, "2001:db8::2", 0)],
                vec![1, 1],
            ),
        ] {
            let counts: Vec<u64> = fold(aliases.into_iter())
                .iter()
                .map(|run| run.count)
                .collect();
            assert_eq!(counts, expected);
        }
    }
}
