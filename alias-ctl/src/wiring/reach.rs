//! Whom a parent reaches, by its namespace's routes: the networks on its link, and what is
//! behind gateways. Those are who asks aliases.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alias_common::key::Vlan;

use crate::error::Result;
use crate::model::bits::bits;
use crate::netlink::Link;

use super::host::Host;

/// Of the parent's routes by gateways, so many are asked for: a default route, and a few.
const GATEWAYS: usize = 4;
/// Addresses of a network that are tried until one is not the namespace's own.
const TRIED: u32 = 8;

/// Those whom a parent reaches, by its namespace's main table.
pub(super) struct Peers {
    on_link: Vec<(IpAddr, u8)>,
    /// Network, its length, the gateway, and an address that is reached by it.
    pub(super) behind: Vec<(IpAddr, u8, IpAddr, IpAddr)>,
}

impl Peers {
    pub(super) fn of(host: &mut Host, link: &Link) -> Result<Peers> {
        let (mut on_link, mut behind) = (Vec::new(), Vec::new());
        for route in host.netlink.routes(Some(link.ifindex), None)? {
            let hop = route.hops.iter().find(|hop| hop.ifindex == link.ifindex);
            let Some(hop) = hop.filter(|_| route.kind == libc::RTN_UNICAST) else {
                continue;
            };
            if is_of_one_link(route.dst) {
                continue;
            }
            match hop.gateway {
                None if route.prefix_len > 0 => on_link.push((route.dst, route.prefix_len)),
                Some(gateway) if behind.len() < GATEWAYS => {
                    let sample = behind_gateway(host, link, route.dst, route.prefix_len)?;
                    behind.extend(
                        sample.map(|sample| (route.dst, route.prefix_len, gateway, sample)),
                    );
                }
                _ => {}
            }
        }
        on_link.sort_unstable();
        on_link.dedup();
        Ok(Peers { on_link, behind })
    }

    /// Whether anybody of the family of an address is reached.
    pub(super) fn reach(&self, source: IpAddr) -> bool {
        let on_link = self.on_link.iter().map(|(network, _)| network);
        let behind = self.behind.iter().map(|(network, ..)| network);
        on_link
            .chain(behind)
            .any(|network| network.is_ipv4() == source.is_ipv4())
    }

    /// Networks on the link of an alias's family. Of another VLAN than the parent's own
    /// nothing is known.
    pub(super) fn neighbours(&self, source: IpAddr, vlan: Vlan) -> Vec<(IpAddr, u8)> {
        let alike = |(network, _): &&(IpAddr, u8)| network.is_ipv4() == source.is_ipv4();
        match vlan {
            Vlan::NONE => self.on_link.iter().filter(alike).copied().collect(),
            _ => Vec::new(),
        }
    }
}

/// An address that this host reaches by a gateway of that device, of a route's network.
fn behind_gateway(
    host: &mut Host,
    link: &Link,
    network: IpAddr,
    prefix_len: u8,
) -> Result<Option<IpAddr>> {
    // For a default route: of networks that are on nobody's link (RFC 2544, RFC 6598, RFC
    // 5180), and of documentation's.
    let far: [IpAddr; 3] = match network {
        IpAddr::V4(_) => [
            Ipv4Addr::new(198, 19, 255, 254).into(),
            Ipv4Addr::new(100, 127, 255, 254).into(),
            Ipv4Addr::new(203, 0, 113, 254).into(),
        ],
        IpAddr::V6(_) => [
            Ipv6Addr::new(0x2001, 2, 0, 0xffff, 0, 0, 0, 0xfffe).into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0xffff, 0, 0, 0, 0xfffe).into(),
            Ipv6Addr::new(0x3fff, 0xfff, 0xffff, 0xffff, 0, 0, 0, 0xfffe).into(),
        ],
    };
    let candidates = match prefix_len {
        0 => far.to_vec(),
        _ => some_of(network, prefix_len).take(3).collect(),
    };
    for candidate in candidates {
        let way = host.netlink.way(None, candidate)?;
        let hop = way.and_then(|way| way.hops.first().copied());
        if hop.is_some_and(|hop| hop.ifindex == link.ifindex && hop.gateway.is_some()) {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// Addresses of a network, the first few.
pub(super) fn some_of(network: IpAddr, prefix_len: u8) -> impl Iterator<Item = IpAddr> {
    let host_bits = bits(network) - prefix_len;
    let first = u32::from(host_bits > 1);
    let end = match host_bits {
        0 => 1,
        1..=3 => 1 << host_bits,
        _ => TRIED + 1,
    };
    (first..end).map(move |n| match network {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + n).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(n)).into(),
    })
}

/// Whether it means nothing beyond one link: link-local, or a group.
pub(super) fn is_of_one_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
    }
}
