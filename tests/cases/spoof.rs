//! An alias speaks for its own address and for no other: what it forges
//! reaches nobody and is counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alias_tests::{
    Mode, RawSocket,
    frame::{Frame, frame, read},
    wait_for,
};

use crate::scene::{Family, LIMIT, Place, Scene, modes};

const FOREIGN_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);
const FOREIGN_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x66);

/// Both stations and the EtherType, in front of an untagged packet.
const ETHERNET_HEADER: usize = 14;

/// Sends each frame from alias 0's device; host B must see none of them.
#[track_caller]
fn check(mode: Mode, family: Family, forged: impl Fn(Frame) -> Vec<(&'static str, Frame)>) {
    let scene = Scene::with_one(mode, family, Place::OwnNamespace);
    let lab = &scene.lab;
    let home = scene.home("eth0:0");
    let device = scene.device("eth0:0");
    let (at_alias, at_b) = (
        RawSocket::open(home, &device),
        RawSocket::open(&lab.b, "eth0"),
    );
    let station = frame().between(home.mac(&device), lab.b.mac("eth0"));

    for (number, (what, built)) in (1u16..).zip(forged(station.clone())) {
        let what = format!("{mode:?} {family:?}: {what}");
        let before = lab.counter("eth0:0", "dropped.spoof");
        // What to look for, whatever tag or padding comes or goes on the way.
        let packet = built.clone().build().split_off(ETHERNET_HEADER);
        at_alias.send(&built.padded().build());
        // An honest packet behind it, on the same way: when it is there, the
        // forged one would have been.
        let honest = station.clone().ip(family.alias_ip(0), family.b_ip());
        at_alias.send(&honest.udp(5, number, b"honest").padded().build());
        let earlier = at_b.all_before(&format!("the honest packet after {what}"), LIMIT, |got| {
            read(got).is_some_and(|f| f.udp() == Some((number, b"honest")))
        });
        let carries = |got: &Vec<u8>| got.windows(packet.len()).any(|part| part == packet);
        assert!(!earlier.iter().any(carries), "{what}: host B received it");
        wait_for(&format!("{what}: dropped.spoof to rise"), LIMIT, || {
            lab.counter("eth0:0", "dropped.spoof") > before
        });
    }
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address} is IPv6"),
    }
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(address) => panic!("{address} is IPv4"),
    }
}

#[test]
fn a_forged_ipv4_source_or_arp_sender_reaches_nobody() {
    let (a, b) = (Ipv4Addr::new(192, 0, 2, 9), v4(Family::V4.b_ip()));
    for mode in modes() {
        check(mode, Family::V4, |f| {
            vec![
                (
                    "a foreign source",
                    f.clone().ipv4(FOREIGN_V4, b).udp(5, 9, b"forged"),
                ),
                (
                    "the parent's source",
                    f.clone().ipv4(a, b).udp(5, 9, b"forged"),
                ),
                (
                    "a foreign fragment",
                    f.clone()
                        .ipv4(FOREIGN_V4, b)
                        .fragment(1, 8, true)
                        .payload(17, b"forged!!"),
                ),
                (
                    "another family",
                    f.clone()
                        .ipv6(FOREIGN_V6, v6(Family::V6.b_ip()))
                        .udp(5, 9, b"forged"),
                ),
                (
                    "a foreign ARP request",
                    f.clone().arp_request(FOREIGN_V4, b),
                ),
                ("a foreign ARP reply", f.clone().arp_reply(FOREIGN_V4, b)),
                ("the parent's ARP reply", f.clone().arp_reply(a, b)),
            ]
        });
    }
}

#[test]
fn a_forged_ipv6_source_or_advertised_target_reaches_nobody() {
    let (own, b) = (v6(Family::V6.alias_ip(0)), v6(Family::V6.b_ip()));
    for mode in modes() {
        check(mode, Family::V6, |f| {
            vec![
                (
                    "a foreign source",
                    f.clone().ipv6(FOREIGN_V6, b).udp(5, 9, b"forged"),
                ),
                (
                    "another family",
                    f.clone()
                        .ipv4(FOREIGN_V4, v4(Family::V4.b_ip()))
                        .udp(5, 9, b"forged"),
                ),
                (
                    "a foreign target",
                    f.clone().advertisement(own, b, FOREIGN_V6, 0x60),
                ),
                (
                    "a foreign source and target",
                    f.clone().advertisement(FOREIGN_V6, b, FOREIGN_V6, 0x60),
                ),
                (
                    "a foreign solicitation",
                    f.clone().solicitation(FOREIGN_V6, b),
                ),
            ]
        });
    }
}
