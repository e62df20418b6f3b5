//! Valid frames with accidents: whatever a frame says, no stage panics, and an
//! address that is returned lies inside the frame. The seed is fixed, so a
//! failure comes again.

use std::ops::Range;

use alias_ebpf::everybody::{self, Cast};
use alias_ebpf::network::Address;
use alias_ebpf::packet::{Mac, Packet};
use alias_ebpf::send::{self, Claim};
use alias_ebpf::{link, receive};

use alias_common::key::Vlan;

use crate::wire::*;

const ROUNDS: u32 = 1_000_000;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// One frame of each shape that a stage knows.
fn shapes() -> Vec<Vec<u8>> {
    let mld = extension(ICMPV6, &icmpv6(143, &[0; 24]));
    let hidden = neighbour(136, ALIAS_V6, &option(2, OWN));
    let chain = extension(DESTINATION, &fragment(ICMPV6, 0, true, &hidden));
    let options = [option(1, OWN), vec![14, 1, 0, 0, 0, 0, 0, 0]].concat();
    let packets = [
        (IPV4, ipv4(OTHER_V4, ALIAS_V4, &[], b"datagram")),
        (IPV4, ipv4(ALIAS_V4, OTHER_V4, &[1; 40], b"datagram")),
        (ARP, arp(1, (OWN, ALIAS_V4), (NO_MAC, OTHER_V4))),
        (ARP, arp(2, (OTHER, OTHER_V4), (OWN, ALIAS_V4))),
        (IPV6, ipv6(OTHER_V6, ALIAS_V6, UDP, b"datagram")),
        (
            IPV6,
            ipv6(ALIAS_V6, OTHER_V6, ICMPV6, &icmpv6(128, &[0; 12])),
        ),
        (IPV6, ipv6(UNSPECIFIED, MLDV2_ROUTERS, HOP_BY_HOP, &mld)),
        (
            IPV6,
            ipv6(ALIAS_V6, GROUP, ICMPV6, &neighbour(135, OTHER_V6, &options)),
        ),
        (
            IPV6,
            ipv6(
                ALIAS_V6,
                OTHER_V6,
                ICMPV6,
                &neighbour(136, ALIAS_V6, &option(2, OWN)),
            ),
        ),
        (
            IPV6,
            ipv6(ALIAS_V6, ALL_NODES, ICMPV6, &icmpv6(133, &[0; 12])),
        ),
        (IPV6, ipv6(ALIAS_V6, ALL_NODES, HOP_BY_HOP, &chain)),
        (LLDP, vec![0; 46]),
    ];
    let tags = [
        &[][..],
        &[(TAG, 10)],
        &[(TAG, 0)],
        &[(SERVICE_TAG, 20), (TAG, 10)],
    ];
    let framed = |(ethertype, packet): &(u16, Vec<u8>)| {
        tags.map(|tags| frame(OWN, tags, *ethertype, packet))
    };
    packets.iter().flat_map(framed).collect()
}

/// Up to eight bytes changed, most of them near the front where the headers
/// are; every second frame is cut off somewhere.
fn mutate(random: &mut Random, shape: &[u8]) -> Box<[u8]> {
    let mut bytes = shape.to_vec();
    for _ in 0..random.below(9) {
        let span = if random.below(4) == 0 {
            bytes.len()
        } else {
            bytes.len().min(64)
        };
        let at = random.below(span);
        bytes[at] = match random.below(4) {
            0 => 0,
            1 => 0xff,
            2 => bytes[at] ^ (1 << random.below(8)),
            _ => random.next() as u8,
        };
    }
    if random.below(2) == 0 {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    bytes.into_boxed_slice()
}

fn span(bytes: &[u8]) -> Range<usize> {
    let start = bytes.as_ptr() as usize;
    start..start + bytes.len()
}

#[track_caller]
fn assert_inside(bytes: &[u8], part: &[u8]) {
    let (whole, part) = (span(bytes), span(part));
    assert!(
        whole.start <= part.start && part.end <= whole.end,
        "{part:x?} is outside of {whole:x?}: {bytes:02x?}"
    );
}

#[track_caller]
fn assert_address_inside(bytes: &[u8], address: Address<'_>) {
    match address {
        Address::V4(address) => assert_inside(bytes, address),
        Address::V6(address) => assert_inside(bytes, address),
    }
}

#[test]
fn no_mutation_leads_outside_of_the_frame() {
    let shapes = shapes();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut found, mut claimed, mut listened) = (0u32, 0u32, 0u32);
    for _ in 0..ROUNDS {
        let shape = &shapes[random.below(shapes.len())];
        let bytes = mutate(&mut random, shape);
        let packet = Packet::of(&bytes);
        let stripped = match random.below(8) {
            0 => Some(Vlan::NONE.then(random.next() as u16 & 0xfff)),
            _ => None,
        };
        let Ok(link) = link::parse(packet, stripped) else {
            continue;
        };
        assert_inside(&bytes, link.source);
        assert!(link.network <= bytes.len() && link.tags() + u8::from(link.stripped) <= 2);
        if let Ok(Some(destination)) = receive::destination(packet, link) {
            assert_address_inside(&bytes, destination.address);
            found += 1;
        }
        if let Ok(Some(source)) = send::source(packet, link) {
            assert_address_inside(&bytes, source.address);
        }
        match send::claim(packet, link, Mac::of(&OWN)) {
            Ok(Claim::As(source)) => {
                assert_address_inside(&bytes, source.address);
                assert!(link.tags() == 0 && !link.stripped && link.source == &OWN);
                claimed += 1;
            }
            Ok(Claim::Listener) => listened += 1,
            Ok(Claim::Typed) => {
                assert!(link.tags() == 0 && !link.stripped && link.source == &OWN);
            }
            Err(_) => {}
        }
        for cast in [Cast::Uni, Cast::Multi, Cast::Broad] {
            let _ = everybody::news(packet, link, cast);
        }
        let _ = send::carries_mac(packet, link.network + 40);
    }
    // The mutations are not so wild that nothing gets through.
    assert!(
        found > ROUNDS / 4 && claimed > ROUNDS / 50 && listened > ROUNDS / 1000,
        "{found} found, {claimed} claimed, {listened} listeners"
    );
}
