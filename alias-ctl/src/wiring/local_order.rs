//! Which address of an IPv4 subnet is its first: the kernel takes that for the source of
//! what the host says into it. It is the host's own where there is one, else the oldest
//! alias's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use crate::error::Result;
use crate::netlink::outcome::all_gone;
use crate::netlink::{Address, Link, Request, RouteSpec};

use super::host::Host;
use super::local_form::{Assigned, Form};
use super::local_network::{self, BY_KERNEL, Network};

/// The aliases whose addresses are to be put on a device anew, with what it has of them:
/// they stand before one that is to be the first, or not with their own prefix length though
/// they may. `addresses` are the device's, in the kernel's order.
#[must_use]
pub fn misplaced<'a>(
    addresses: &'a [Address],
    assigned: &[Assigned],
) -> Vec<(Assigned, &'a Address)> {
    let by_ip: HashMap<IpAddr, &Assigned> = assigned
        .iter()
        .filter(|one| one.ip.is_ipv4())
        .map(|one| (one.ip, one))
        .collect();
    if by_ip.is_empty() {
        return Vec::new();
    }
    let sources = || addresses.iter().filter(|found| found.address.is_ipv4());
    // What others labelled `eth0:6` is an alias too, though none of ours.
    let is_labelled =
        |found: &Address| (found.label.as_deref()).is_some_and(|label| label.contains(':'));
    let is_own = |found: &Address| {
        found.is_source() && !by_ip.contains_key(&found.address) && !is_labelled(found)
    };
    let has_own = sources().any(is_own);
    // Of each subnet the first address, and the one that is to be it.
    let mut subnets: BTreeMap<Network, (&Address, Option<&Address>, &Assigned)> = BTreeMap::new();
    for found in sources().filter(|found| found.is_source()) {
        if let Some(one) = by_ip.get(&found.address)
            && let Some(network) = local_network::of(one)
            && found.prefix_len == one.prefix_len
        {
            let entry = subnets.entry(network).or_insert((found, None, one));
            if one.age() < entry.2.age() {
                entry.2 = one;
            }
        }
    }
    for found in sources().filter(|found| found.is_source()) {
        let len = found.prefix_len;
        let network = (crate::model::bits::network(found.address, len), len);
        if let Some(entry) = subnets.get_mut(&network) {
            if !found.is_secondary() {
                entry.0 = found;
            }
            if is_own(found) && entry.1.is_none() {
                entry.1 = Some(found);
            }
        }
    }
    let is_wrong = |network: &Network| {
        subnets
            .get(network)
            .is_some_and(|(first, own, oldest)| match own {
                Some(_) => !is_own(first),
                None => first.address != oldest.ip && by_ip.contains_key(&first.address),
            })
    };
    sources()
        .filter_map(|found| Some((**by_ip.get(&found.address)?, found)))
        .filter(|(one, found)| {
            let stands_apart = Form::of(found) == Form::Apart || found.prefix_len != one.prefix_len;
            let Some(network) = local_network::of(one).filter(|_| !stands_apart) else {
                return has_own && stands_apart;
            };
            let stays = |(_, own, oldest): &(&Address, Option<&Address>, &Assigned)| {
                own.is_none() && oldest.ip == one.ip
            };
            is_wrong(&network) && !subnets.get(&network).is_some_and(stays)
        })
        .collect()
}

/// Takes these addresses off, the youngest first, and calls `again` to put them on; routes
/// that had them as their source are there afterwards.
///
/// # Errors
///
/// What the kernel refused.
pub(super) fn anew(
    host: &mut Host,
    link: &Link,
    misplaced: &[(Assigned, &Address)],
    again: impl FnOnce(&mut Host) -> Result<()>,
) -> Result<()> {
    let sources: HashSet<IpAddr> = misplaced.iter().map(|(one, _)| one.ip).collect();
    let routes = host.netlink.routes(Some(link.ifindex), None)?;
    let lost: Vec<Request> = routes
        .iter()
        .filter(|route| route.protocol != BY_KERNEL && !local_network::is_ours(route))
        .filter(|route| {
            route
                .prefsrc
                .is_some_and(|source| sources.contains(&source))
        })
        .map(|route| Request::add_route(&RouteSpec::of(route)))
        .collect();
    let mut youngest_first: Vec<&(Assigned, &Address)> = misplaced.iter().collect();
    youngest_first.sort_by_key(|(one, _)| std::cmp::Reverse(one.age()));
    let requests: Vec<Request> = youngest_first
        .iter()
        .map(|(_, found)| Request::delete_address(&found.spec()))
        .collect();
    all_gone(host.netlink.batch(&requests)?)?;
    let put = again(host);
    // One that cannot be there any more is the operator's to mend.
    host.netlink.batch(&lost)?;
    put
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, secondary: bool, scope: u8) -> Address {
        let (ip, len) = text.split_once('/').unwrap();
        Address {
            ifindex: 2,
            address: ip.parse().unwrap(),
            prefix_len: len.parse().unwrap(),
            label: None,
            broadcast: None,
            scope,
            flags: u32::from(secondary),
            metric: None,
            protocol: 0,
        }
    }

    fn alias(slot: u32, text: &str, created: u64) -> Assigned {
        let (ip, len) = text.split_once('/').unwrap();
        Assigned {
            slot,
            ip: ip.parse().unwrap(),
            prefix_len: len.parse().unwrap(),
            created,
            deprecated: false,
        }
    }

    #[test]
    fn the_hosts_own_comes_first_and_then_the_oldest() {
        let own = || address("192.0.2.1/24", false, 0);
        type Case = (&'static str, Vec<Address>, Vec<Assigned>, &'static [u32]);
        let cases: [Case; 7] = [
            (
                "behind the host's own",
                vec![own(), address("192.0.2.10/24", true, 0)],
                vec![alias(0, "192.0.2.10/24", 1)],
                &[],
            ),
            (
                "before it",
                vec![
                    address("192.0.2.10/24", false, 0),
                    address("192.0.2.1/24", true, 0),
                ],
                vec![alias(0, "192.0.2.10/24", 1)],
                &[0],
            ),
            (
                "apart, and the host has none",
                vec![address("192.0.2.10/32", false, 254)],
                vec![alias(0, "192.0.2.10/24", 1)],
                &[],
            ),
            (
                "apart, and the host has one",
                vec![address("192.0.2.10/32", false, 254), own()],
                vec![alias(0, "192.0.2.10/24", 1)],
                &[0],
            ),
            (
                "a network of aliases, the oldest first",
                vec![
                    own(),
                    address("198.51.100.8/24", false, 0),
                    address("198.51.100.9/24", true, 0),
                ],
                vec![
                    alias(3, "198.51.100.8/24", 1),
                    alias(1, "198.51.100.9/24", 2),
                ],
                &[],
            ),
            (
                "the oldest was put back, behind the others",
                vec![
                    own(),
                    address("198.51.100.9/24", false, 0),
                    address("198.51.100.8/24", true, 0),
                ],
                vec![
                    alias(3, "198.51.100.8/24", 1),
                    alias(1, "198.51.100.9/24", 2),
                ],
                &[1],
            ),
            (
                "another length is another subnet",
                vec![address("192.0.2.10/25", false, 0), own()],
                vec![alias(0, "192.0.2.10/25", 1)],
                &[],
            ),
        ];
        for (what, addresses, assigned, expected) in cases {
            let found: Vec<u32> = misplaced(&addresses, &assigned)
                .iter()
                .map(|(one, _)| one.slot)
                .collect();
            assert_eq!(found, expected, "{what}");
        }
    }
}
