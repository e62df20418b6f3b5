//! Layers as bytes: where lengths and checksums are filled in.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{checksum, ethertype, protocol};

#[derive(Clone, Debug)]
pub(super) enum Network {
    Raw {
        ethertype: u16,
        bytes: Vec<u8>,
    },
    V4(V4),
    V6 {
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
    },
}

#[derive(Clone, Debug)]
pub(super) struct V4 {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) options: Vec<u8>,
    pub(super) id: u16,
    pub(super) fragment_offset: u16,
    pub(super) more_fragments: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Transport {
    pub(super) protocol: u8,
    pub(super) bytes: Vec<u8>,
    /// Where the checksum over the pseudo header goes; `None`: as it is.
    pub(super) checksum_at: Option<usize>,
}

impl Network {
    /// The EtherType, and all that follows it.
    pub(super) fn packet(self, transport: Transport) -> (u16, Vec<u8>) {
        match self {
            Self::Raw { ethertype, bytes } => (ethertype, bytes),
            Self::V4(v4) => (ethertype::IPV4, v4.packet(transport)),
            Self::V6 {
                source,
                destination,
                hop_limit,
            } => (
                ethertype::IPV6,
                v6_packet(source, destination, hop_limit, transport),
            ),
        }
    }
}

impl V4 {
    fn packet(self, transport: Transport) -> Vec<u8> {
        let protocol = transport.protocol;
        let body = transport.finish(&self.source.octets(), &self.destination.octets());
        let header_length = 20 + self.options.len();
        let length = u16::try_from(header_length + body.len()).expect("a packet of at most 64 KiB");
        let fragment = (self.fragment_offset / 8) | (u16::from(self.more_fragments) << 13);
        let mut packet = vec![0x40 | (header_length / 4) as u8, 0];
        for field in [length, self.id, fragment] {
            packet.extend(field.to_be_bytes());
        }
        packet.extend([64, protocol, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(&self.options);
        let sum = checksum(&[&packet]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(body);
        packet
    }
}

fn v6_packet(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    transport: Transport,
) -> Vec<u8> {
    let protocol = transport.protocol;
    let body = transport.finish(&source.octets(), &destination.octets());
    let length = u16::try_from(body.len()).expect("a packet of at most 64 KiB");
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([protocol, hop_limit]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(body);
    packet
}

impl Transport {
    /// Fills the checksum in. Plain ICMP alone has no pseudo header (RFC 792).
    fn finish(mut self, source: &[u8], destination: &[u8]) -> Vec<u8> {
        let Some(at) = self.checksum_at else {
            return self.bytes;
        };
        let length = (self.bytes.len() as u32).to_be_bytes();
        let protocol = [0, self.protocol];
        let sum = if self.protocol == protocol::ICMP {
            checksum(&[&self.bytes])
        } else {
            checksum(&[source, destination, &length, &protocol, &self.bytes])
        };
        // RFC 768: a UDP checksum of zero means that there is none.
        let sum = if sum == 0 && self.protocol == protocol::UDP {
            0xffff
        } else {
            sum
        };
        self.bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        self.bytes
    }
}
