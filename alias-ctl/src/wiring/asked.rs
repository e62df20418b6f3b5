//! Whether a stack that is asked for an alias answers: settings of ARP and of reverse path
//! filtering (ip-sysctl) by which it keeps silent. It is the stack of the alias's device, in
//! that one's namespace; for `local` aliases the parent's.

use std::collections::{BTreeMap, HashMap};

use alias_common::record::Record;

use crate::error::Result;
use crate::model::bits::network;
use crate::netlink::{Conversation, Link, Netns};

use super::host::Host;
use super::question::{Deaf, Holder, Network, Question, Silent};
use super::sysctl::Asked;
use super::veth;

/// Aliases of a parent about which their stacks keep silent, where an address that stood on
/// the parent itself would be answered for, or nothing would be. A namespace that no name
/// and no process leads to is not looked into.
///
/// # Errors
///
/// That of asking the kernel.
pub fn silent<'a>(
    host: &mut Host,
    link: &Link,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
) -> Result<Vec<Silent>> {
    let mut groups: BTreeMap<(u64, u64), Vec<Holder>> = BTreeMap::new();
    for (slot, record) in aliases {
        if let Some(holder) = Holder::of(link, *slot, record) {
            let cookie = match holder.inode {
                0 => 0,
                _ => record.netns_cookie,
            };
            groups
                .entry((cookie, holder.inode))
                .or_default()
                .push(holder);
        }
    }
    let mut found = Vec::new();
    let elsewhere = groups.keys().filter(|(cookie, _)| *cookie != 0);
    let namespaces = veth::namespaces(elsewhere.map(|(cookie, inode)| (*inode, *cookie)));
    let mut neighbours = None;
    for ((cookie, _), holders) in groups {
        let netns = namespaces.get(&cookie);
        if cookie == 0 || netns.is_some() {
            found.extend(of_namespace(host, link, netns, holders, &mut neighbours)?);
        }
    }
    found.sort_by_key(|silent| silent.slot);
    Ok(found)
}

/// The same of one alias, whose device is in a namespace that is open; `None` is the
/// parent's.
///
/// # Errors
///
/// That of asking the kernel.
pub fn is_silent(
    host: &mut Host,
    link: &Link,
    netns: Option<&Netns>,
    (slot, record): (u32, &Record),
) -> Result<Option<Silent>> {
    let Some(holder) = Holder::of(link, slot, record) else {
        return Ok(None);
    };
    Ok(of_namespace(host, link, netns, vec![holder], &mut None)?.pop())
}

fn of_namespace(
    host: &mut Host,
    link: &Link,
    netns: Option<&Netns>,
    holders: Vec<Holder>,
    neighbours: &mut Option<Vec<Network>>,
) -> Result<Vec<Silent>> {
    let deaf = match netns {
        None => deaf(&mut host.netlink, holders)?,
        Some(netns) => netns.within(|| deaf(&mut Conversation::new()?, holders))??,
    };
    if deaf.is_empty() {
        return Ok(Vec::new());
    }
    let neighbours = known(neighbours, host, link)?;
    match netns {
        None => examine(&mut host.netlink, neighbours, &deaf),
        Some(netns) => netns.within(|| examine(&mut Conversation::new()?, neighbours, &deaf))?,
    }
}

/// The networks on a parent's link, of IPv4: those who ask for aliases are in them.
fn known<'a>(
    known: &'a mut Option<Vec<Network>>,
    host: &mut Host,
    link: &Link,
) -> Result<&'a [Network]> {
    if known.is_none() {
        let mut networks: Vec<Network> = host
            .netlink
            .addresses(Some(link.ifindex))?
            .iter()
            .filter(|found| found.address.is_ipv4() && found.prefix_len < 31)
            .map(|found| (network(found.address, found.prefix_len), found.prefix_len))
            .collect();
        networks.sort_unstable();
        networks.dedup();
        *known = Some(networks);
    }
    Ok(known.as_deref().unwrap_or_default())
}

/// The devices whose settings may silence them, of the calling thread's namespace. Mostly
/// there are none, and nothing more is asked.
fn deaf(netlink: &mut Conversation, holders: Vec<Holder>) -> Result<Vec<Deaf>> {
    let all = Asked::read("all");
    let mut devices: HashMap<u32, Vec<Holder>> = HashMap::new();
    for holder in holders {
        devices.entry(holder.device).or_default().push(holder);
    }
    let mut found = Vec::new();
    for (ifindex, holders) in devices {
        let Some(link) = netlink.link_by_index(ifindex)? else {
            continue;
        };
        let asked = Asked::read(&link.name).with(&all);
        let has_prefix = holders.iter().any(Holder::is_prefix);
        if !asked.is_open(has_prefix) {
            found.push(Deaf {
                device: link.name,
                asked,
                holders,
            });
        }
    }
    Ok(found)
}

fn examine(
    netlink: &mut Conversation,
    neighbours: &[Network],
    devices: &[Deaf],
) -> Result<Vec<Silent>> {
    let addresses = netlink.addresses(None)?;
    let mut found = Vec::new();
    for deaf in devices {
        for holder in &deaf.holders {
            let mut question = Question {
                netlink,
                addresses: &addresses,
                neighbours,
                deaf,
                holder,
            };
            found.extend(question.judge()?);
        }
    }
    Ok(found)
}
