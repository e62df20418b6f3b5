//! What a received frame says, as far as the tests ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Mac, ethertype, icmp_type, protocol};

/// A frame, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Destination station.
    pub destination: Mac,
    /// Source station.
    pub source: Mac,
    /// VLAN ids, outermost first.
    pub vlans: Vec<u16>,
    /// What follows the tags.
    pub ethertype: u16,
    /// Filled for ARP.
    pub arp: Option<Arp>,
    /// Filled for IPv4 and IPv6.
    pub ip: Option<Ip>,
}

/// An ARP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub operation: u16,
    /// Who says so.
    pub sender_mac: Mac,
    /// Whose address.
    pub sender: Ipv4Addr,
    /// Whom it is about.
    pub target: Ipv4Addr,
}

/// An IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Protocol, or next header: extension headers are not skipped.
    pub protocol: u8,
    /// What follows the header.
    pub body: Vec<u8>,
}

/// Reads a frame; `None` when it ends before what it announces.
pub fn read(frame: &[u8]) -> Option<Seen> {
    let destination = take(frame, 0)?;
    let source = take(frame, 6)?;
    let mut vlans = Vec::new();
    let mut at = 12;
    let ethertype = loop {
        match u16::from_be_bytes(take(frame, at)?) {
            ethertype::VLAN | ethertype::SERVICE_VLAN => {
                vlans.push(u16::from_be_bytes(take(frame, at + 2)?) & 0x0fff);
                at += 4;
            }
            other => break other,
        }
    };
    let payload = frame.get(at + 2..)?;
    let mut seen = Seen {
        destination,
        source,
        vlans,
        ethertype,
        arp: None,
        ip: None,
    };
    match ethertype {
        ethertype::ARP => seen.arp = Some(read_arp(payload)?),
        ethertype::IPV4 => seen.ip = Some(read_ipv4(payload)?),
        ethertype::IPV6 => seen.ip = Some(read_ipv6(payload)?),
        _ => {}
    }
    Some(seen)
}

impl Seen {
    /// The IP source, for a filter.
    pub fn ip_source(&self) -> Option<IpAddr> {
        self.ip.as_ref().map(|ip| ip.source)
    }

    /// Of an echo reply of either family: its identifier and sequence number.
    pub fn echo_reply(&self) -> Option<(u16, u16)> {
        let ip = self.ip.as_ref()?;
        let wanted = match ip.protocol {
            protocol::ICMP => icmp_type::ECHO_REPLY,
            protocol::ICMPV6 => icmp_type::V6_ECHO_REPLY,
            _ => return None,
        };
        (*ip.body.first()? == wanted).then(|| {
            Some((
                u16::from_be_bytes(take(&ip.body, 4)?),
                u16::from_be_bytes(take(&ip.body, 6)?),
            ))
        })?
    }

    /// Of a neighbour advertisement: its target and, from the option, the MAC.
    pub fn advertisement(&self) -> Option<(Ipv6Addr, Option<Mac>)> {
        let ip = self.ip.as_ref()?;
        if ip.protocol != protocol::ICMPV6 || *ip.body.first()? != icmp_type::ADVERTISEMENT {
            return None;
        }
        let target = Ipv6Addr::from(take::<16>(&ip.body, 8)?);
        // Target link-layer address, one unit of 8 bytes.
        let mac = match take(&ip.body, 24) {
            Some([2, 1]) => take(&ip.body, 26),
            _ => None,
        };
        Some((target, mac))
    }

    /// Of UDP: the destination port and the data.
    pub fn udp(&self) -> Option<(u16, &[u8])> {
        let ip = self.ip.as_ref().filter(|ip| ip.protocol == protocol::UDP)?;
        Some((u16::from_be_bytes(take(&ip.body, 2)?), ip.body.get(8..)?))
    }
}

fn read_arp(bytes: &[u8]) -> Option<Arp> {
    Some(Arp {
        operation: u16::from_be_bytes(take(bytes, 6)?),
        sender_mac: take(bytes, 8)?,
        sender: Ipv4Addr::from(take::<4>(bytes, 14)?),
        target: Ipv4Addr::from(take::<4>(bytes, 24)?),
    })
}

fn read_ipv4(bytes: &[u8]) -> Option<Ip> {
    let header = usize::from(*bytes.first()? & 0x0f) * 4;
    let length = usize::from(u16::from_be_bytes(take(bytes, 2)?));
    Some(Ip {
        source: Ipv4Addr::from(take::<4>(bytes, 12)?).into(),
        destination: Ipv4Addr::from(take::<4>(bytes, 16)?).into(),
        protocol: *bytes.get(9)?,
        body: bytes.get(header..length)?.to_vec(),
    })
}

fn read_ipv6(bytes: &[u8]) -> Option<Ip> {
    let length = usize::from(u16::from_be_bytes(take(bytes, 4)?));
    Some(Ip {
        source: Ipv6Addr::from(take::<16>(bytes, 8)?).into(),
        destination: Ipv6Addr::from(take::<16>(bytes, 24)?).into(),
        protocol: *bytes.get(6)?,
        body: bytes.get(40..40 + length)?.to_vec(),
    })
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Echo, frame, truncations};

    #[test]
    fn reads_what_the_builder_builds() {
        let (a, b) = (
            Ipv6Addr::LOCALHOST,
            "2001:db8::2".parse().expect("an address"),
        );
        let echo = read(
            &frame()
                .service_vlan(20)
                .vlan(10)
                .ipv6(a, b)
                .echo(Echo::Reply, 3, 4, b"")
                .build(),
        );
        let echo = echo.expect("a whole frame");
        assert_eq!(
            (echo.vlans.as_slice(), echo.echo_reply()),
            ([20, 10].as_slice(), Some((3, 4)))
        );
        assert_eq!(echo.ip_source(), Some(IpAddr::V6(a)));

        let mac = [2, 0, 0, 0, 0, 1];
        let advertisement =
            read(&frame().advertisement(a, b, a, 0x20).build()).expect("a whole frame");
        assert_eq!(advertisement.advertisement(), Some((a, Some(mac))));

        let (c, d) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 9));
        let udp =
            read(&frame().ipv4(c, d).udp(1, 2, b"x").padded().build()).expect("a whole frame");
        assert_eq!(udp.udp(), Some((2, b"x".as_slice())));
        let arp = read(&frame().arp_request(c, d).build()).and_then(|f| f.arp);
        assert_eq!(
            arp,
            Some(Arp {
                operation: 1,
                sender_mac: mac,
                sender: c,
                target: d
            })
        );
    }

    #[test]
    fn a_truncated_frame_is_no_frame() {
        let whole = frame()
            .vlan(1)
            .ipv4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)
            .udp(1, 2, b"")
            .build();
        assert!(truncations(&whole).all(|part| read(part).is_none()));
    }
}
