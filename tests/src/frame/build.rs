//! The composable builder: each layer is said once, outermost first, and
//! lengths and checksums are filled in at the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    BROADCAST, Mac, arp_op, ethertype, icmp_type,
    layers::{Network, Transport, V4},
    protocol,
};

/// Locally administered, from nobody's stock.
const DEFAULT_SOURCE: Mac = [0x02, 0, 0, 0, 0, 0x01];
const DEFAULT_DESTINATION: Mac = [0x02, 0, 0, 0, 0, 0x02];
/// What a driver pads to, without the checksum (IEEE 802.3).
const SHORTEST_FRAME: usize = 60;
/// RFC 4861: a neighbour message that was forwarded is invalid.
const ND_HOP_LIMIT: u8 = 255;

/// Which half of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// The question.
    Request,
    /// The answer.
    Reply,
}

/// A frame in the making; see [`frame`].
#[derive(Clone, Debug)]
pub struct Frame {
    source: Mac,
    destination: Mac,
    tags: Vec<(u16, u16)>,
    network: Network,
    transport: Transport,
    shortest: usize,
}

/// An Ethernet frame between two made-up stations, with nothing in it yet.
pub fn frame() -> Frame {
    Frame {
        source: DEFAULT_SOURCE,
        destination: DEFAULT_DESTINATION,
        tags: Vec::new(),
        network: Network::Raw {
            ethertype: 0,
            bytes: Vec::new(),
        },
        transport: Transport {
            protocol: 0,
            bytes: Vec::new(),
            checksum_at: None,
        },
        shortest: 0,
    }
}

/// Every proper prefix of a frame, the empty one first.
pub fn truncations(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..frame.len()).map(|length| &frame[..length])
}

impl Frame {
    /// The stations.
    pub fn between(mut self, source: Mac, destination: Mac) -> Self {
        (self.source, self.destination) = (source, destination);
        self
    }

    /// The destination station alone.
    pub fn to(mut self, destination: Mac) -> Self {
        self.destination = destination;
        self
    }

    /// A customer tag (0x8100) with this VLAN id; the first call is the outermost.
    pub fn vlan(self, id: u16) -> Self {
        self.tag(ethertype::VLAN, id)
    }

    /// A service tag (0x88a8).
    pub fn service_vlan(self, id: u16) -> Self {
        self.tag(ethertype::SERVICE_VLAN, id)
    }

    /// Any tag, with its priority bits.
    pub fn tag(mut self, tpid: u16, tci: u16) -> Self {
        self.tags.push((tpid, tci));
        self
    }

    /// Any other payload.
    pub fn raw(mut self, ethertype: u16, bytes: &[u8]) -> Self {
        self.network = Network::Raw {
            ethertype,
            bytes: bytes.to_vec(),
        };
        self
    }

    /// ARP (RFC 826) of any operation.
    pub fn arp(self, operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Self {
        // Ethernet (1), IPv4, their address lengths.
        let mut bytes = vec![0, 1, 8, 0, 6, 4];
        bytes.extend(operation.to_be_bytes());
        for (mac, ip) in [sender, target] {
            bytes.extend(mac);
            bytes.extend(ip.octets());
        }
        self.raw(ethertype::ARP, &bytes)
    }

    /// Who has `wanted`? Broadcast by the frame's source station.
    pub fn arp_request(self, sender: Ipv4Addr, wanted: Ipv4Addr) -> Self {
        let source = self.source;
        self.to(BROADCAST)
            .arp(arp_op::REQUEST, (source, sender), ([0; 6], wanted))
    }

    /// `sender` is at the frame's source station.
    pub fn arp_reply(self, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        let (source, destination) = (self.source, self.destination);
        self.arp(arp_op::REPLY, (source, sender), (destination, target))
    }

    /// IPv4, TTL 64.
    pub fn ipv4(mut self, source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        self.network = Network::V4(V4 {
            source,
            destination,
            options: Vec::new(),
            id: 0,
            fragment_offset: 0,
            more_fragments: false,
        });
        self
    }

    /// IPv6, hop limit 64.
    pub fn ipv6(mut self, source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        self.network = Network::V6 {
            source,
            destination,
            hop_limit: 64,
        };
        self
    }

    /// IPv4 or IPv6, as the two addresses are.
    #[track_caller]
    pub fn ip(self, source: IpAddr, destination: IpAddr) -> Self {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.ipv4(source, destination),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.ipv6(source, destination),
            _ => panic!("{source} -> {destination}: two families"),
        }
    }

    /// IPv4 options; their length must be a multiple of 4, at most 40.
    #[track_caller]
    pub fn options(mut self, options: &[u8]) -> Self {
        assert!(
            options.len().is_multiple_of(4) && options.len() <= 40,
            "IPv4 options"
        );
        self.v4().options = options.to_vec();
        self
    }

    /// Makes it an IPv4 fragment: `offset` in bytes, a multiple of 8.
    #[track_caller]
    pub fn fragment(mut self, id: u16, offset: u16, more: bool) -> Self {
        assert!(
            offset.is_multiple_of(8),
            "fragments begin at multiples of 8"
        );
        let v4 = self.v4();
        (v4.id, v4.fragment_offset, v4.more_fragments) = (id, offset, more);
        self
    }

    #[track_caller]
    fn v4(&mut self) -> &mut V4 {
        match &mut self.network {
            Network::V4(v4) => v4,
            _ => panic!("only after ipv4()"),
        }
    }

    /// Any transport, byte for byte.
    pub fn payload(mut self, protocol: u8, bytes: &[u8]) -> Self {
        self.transport = Transport {
            protocol,
            bytes: bytes.to_vec(),
            checksum_at: None,
        };
        self
    }

    /// UDP.
    pub fn udp(mut self, source: u16, destination: u16, data: &[u8]) -> Self {
        let length = u16::try_from(8 + data.len()).expect("a datagram of at most 64 KiB");
        let mut bytes = Vec::new();
        for field in [source, destination, length, 0] {
            bytes.extend(field.to_be_bytes());
        }
        bytes.extend(data);
        self.transport = Transport {
            protocol: protocol::UDP,
            bytes,
            checksum_at: Some(6),
        };
        self
    }

    /// A TCP header without options or data.
    pub fn tcp(mut self, source: u16, destination: u16, flags: u8) -> Self {
        let mut bytes = Vec::new();
        for field in [source, destination] {
            bytes.extend(field.to_be_bytes());
        }
        // Sequence and acknowledgement; five words of header; flags; window.
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0x10, 0, 0, 0, 0, 0]);
        self.transport = Transport {
            protocol: protocol::TCP,
            bytes,
            checksum_at: Some(16),
        };
        self
    }

    /// ICMP or ICMPv6, as the network layer before it.
    pub fn icmp(mut self, kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Self {
        let protocol = match self.network {
            Network::V6 { .. } => protocol::ICMPV6,
            _ => protocol::ICMP,
        };
        let mut bytes = vec![kind, code, 0, 0];
        bytes.extend(rest);
        bytes.extend(data);
        self.transport = Transport {
            protocol,
            bytes,
            checksum_at: Some(2),
        };
        self
    }

    /// An echo of the family of the network layer before it.
    pub fn echo(self, half: Echo, id: u16, sequence: u16, data: &[u8]) -> Self {
        let kind = match (&self.network, half) {
            (Network::V6 { .. }, Echo::Request) => icmp_type::V6_ECHO_REQUEST,
            (Network::V6 { .. }, Echo::Reply) => icmp_type::V6_ECHO_REPLY,
            (_, Echo::Request) => icmp_type::ECHO_REQUEST,
            (_, Echo::Reply) => icmp_type::ECHO_REPLY,
        };
        let ([i0, i1], [s0, s1]) = (id.to_be_bytes(), sequence.to_be_bytes());
        self.icmp(kind, 0, [i0, i1, s0, s1], data)
    }

    /// Who has `wanted`? From `source` to its solicited-node group (RFC 4861),
    /// with the sender's MAC as option unless the source is unspecified.
    pub fn solicitation(self, source: Ipv6Addr, wanted: Ipv6Addr) -> Self {
        let [.., x, y, z] = wanted.octets();
        let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, x, y, z]);
        let option = (!source.is_unspecified()).then_some((1, self.source));
        self.to([0x33, 0x33, 0xff, x, y, z])
            .ipv6(source, group)
            .neighbour(icmp_type::SOLICITATION, [0; 4], wanted, option)
    }

    /// `target` is at the frame's source station. `flags`: R 0x80, S 0x40, O 0x20.
    pub fn advertisement(
        self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        target: Ipv6Addr,
        flags: u8,
    ) -> Self {
        let option = Some((2, self.source));
        self.ipv6(source, destination).neighbour(
            icmp_type::ADVERTISEMENT,
            [flags, 0, 0, 0],
            target,
            option,
        )
    }

    /// A neighbour message with at most one link-layer address option.
    fn neighbour(
        mut self,
        kind: u8,
        rest: [u8; 4],
        target: Ipv6Addr,
        option: Option<(u8, Mac)>,
    ) -> Self {
        let mut data = target.octets().to_vec();
        if let Some((kind, mac)) = option {
            // The length counts units of 8 bytes.
            data.extend([kind, 1]);
            data.extend(mac);
        }
        if let Network::V6 { hop_limit, .. } = &mut self.network {
            *hop_limit = ND_HOP_LIMIT;
        }
        self.icmp(kind, 0, rest, &data)
    }

    /// Pads with zeros to the shortest frame that Ethernet allows.
    pub fn padded(mut self) -> Self {
        self.shortest = SHORTEST_FRAME;
        self
    }

    /// The bytes.
    pub fn build(self) -> Vec<u8> {
        let mut bytes = [self.destination, self.source].concat();
        for (tpid, tci) in &self.tags {
            bytes.extend(tpid.to_be_bytes());
            bytes.extend(tci.to_be_bytes());
        }
        let (ethertype, packet) = self.network.packet(self.transport);
        bytes.extend(ethertype.to_be_bytes());
        bytes.extend(packet);
        bytes.resize(bytes.len().max(self.shortest), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::checksum;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok();
        digits.chunks(2).map(|p| pair(p).expect("hex")).collect()
    }

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().expect("an IPv4 address")
    }

    fn v6(text: &str) -> Ipv6Addr {
        text.parse().expect("an IPv6 address")
    }

    /// Expected bytes written by hand from the RFCs, checksums by another program.
    #[test]
    fn byte_for_byte() {
        let (src, dst) = (v4("192.0.2.1"), v4("198.51.100.8"));
        let tagged = frame()
            .service_vlan(20)
            .vlan(10)
            .ipv4(src, dst)
            .udp(1, 2, b"x");
        let arp = frame().arp_request(src, dst);
        for (what, built, expected) in [
            (
                "two tags, IPv4, UDP",
                tagged,
                "020000000002 020000000001 88a8 0014 8100 000a 0800
                 4500001d 00000000 4011 8e93 c0000201 c6336408
                 0001 0002 0009 9b9b 78",
            ),
            (
                "ARP request",
                arp,
                "ffffffffffff 020000000001 0806 0001 0800 06 04 0001
                 020000000001 c0000201 000000000000 c6336408",
            ),
        ] {
            assert_eq!(built.build(), hex(expected), "{what}");
        }
    }

    /// A checksum that is right makes the sum over everything zero.
    #[test]
    fn checksums_verify() {
        let (a, b) = (v6("2001:db8::1"), v6("2001:db8::2"));
        for (what, built, next) in [
            ("UDP", frame().ipv6(a, b).udp(7, 9, b"odd"), protocol::UDP),
            ("TCP", frame().ipv6(a, b).tcp(7, 9, 2), protocol::TCP),
            (
                "echo",
                frame().ipv6(a, b).echo(Echo::Request, 1, 2, b"abc"),
                protocol::ICMPV6,
            ),
            ("NS", frame().solicitation(a, b), protocol::ICMPV6),
            ("NA", frame().advertisement(a, b, a, 0x60), protocol::ICMPV6),
        ] {
            let bytes = built.build();
            let (addresses, body) = (&bytes[22..54], &bytes[54..]);
            let length = (body.len() as u32).to_be_bytes();
            assert_eq!(
                checksum(&[addresses, &length, &[0, next], body]),
                0,
                "{what}"
            );
        }
        let bytes = frame()
            .ipv4(v4("192.0.2.1"), v4("192.0.2.2"))
            .options(&[1, 1, 1, 0])
            .fragment(9, 1480, true)
            .echo(Echo::Reply, 1, 2, b"abc")
            .build();
        assert_eq!(bytes[14], 0x46, "header length with options");
        assert_eq!(checksum(&[&bytes[14..38]]), 0, "IPv4 header");
        assert_eq!(checksum(&[&bytes[38..]]), 0, "ICMP");
        assert_eq!(
            bytes[18..22],
            [0, 9, 0x20, 185],
            "id, more fragments, offset / 8"
        );
    }

    #[test]
    fn padding_and_truncation() {
        let bytes = frame()
            .arp_request(v4("192.0.2.1"), v4("192.0.2.9"))
            .padded()
            .build();
        assert_eq!(bytes.len(), SHORTEST_FRAME);
        assert_eq!(truncations(&bytes).count(), SHORTEST_FRAME);
        assert!(truncations(&bytes).all(|t| bytes.starts_with(t)));
    }
}
