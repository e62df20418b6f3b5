//! An alias of one VLAN: found by address and tag together; the tag goes on
//! the way in and comes back on the way out.

use alias_tests::{
    Lab, Mode, RawSocket,
    frame::{Echo, frame, read},
};

use crate::scene::{FAMILIES, Family, LIMIT, Place, Scene, from_b_to_a, modes};

const VLAN: u16 = 10;

/// Alias 0 in VLAN 10, in a namespace that knows host B's station already:
/// host B's own stack has no VLAN device that would answer.
#[track_caller]
fn scene(mode: Mode, family: Family) -> Scene {
    let mut scene = Scene::empty(Lab::builder().mode(mode), family, Place::OwnNamespace);
    scene.add("eth0:0", 0, &["--vlan", "10"]);
    let [a, b, c, d, e, f] = scene.lab.b.mac("eth0");
    let device = scene.device("eth0:0");
    scene.home("eth0:0").ip(&format!(
        "neigh replace {} lladdr {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} dev {device} nud permanent",
        family.b()
    ));
    scene
}

#[test]
fn a_tagged_echo_is_answered_with_the_same_tag() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = scene(mode, family);
            let lab = &scene.lab;
            assert_eq!(lab.row("eth0:0")["vlan"], VLAN);
            let at_b = RawSocket::open(&lab.b, "eth0");
            for sequence in 0..5 {
                let request = from_b_to_a(lab)
                    .vlan(VLAN)
                    .ip(family.b_ip(), family.alias_ip(0))
                    .echo(Echo::Request, 30, sequence, b"tagged");
                at_b.send(&request.padded().build());
                let reply = at_b.expect(
                    &format!("{mode:?} {family:?}: echo {sequence}"),
                    LIMIT,
                    |got| read(got).and_then(|f| f.echo_reply()) == Some((30, sequence)),
                );
                let reply = read(&reply).expect("a whole frame");
                assert_eq!(reply.vlans, [VLAN], "{mode:?} {family:?}");
                assert_eq!(reply.ip_source(), Some(family.alias_ip(0)));
                assert_eq!(reply.source, lab.a.mac("eth0"));
            }
            lab.wait_for_counter("eth0:0", "rx_packets", 5);
            lab.wait_for_counter("eth0:0", "tx_packets", 5);
        }
    }
}

#[test]
fn a_tagged_arp_request_is_answered_with_the_same_tag() {
    for mode in modes() {
        let scene = scene(mode, Family::V4);
        let lab = &scene.lab;
        let at_b = RawSocket::open(&lab.b, "eth0");
        let (b, alias) = (
            "192.0.2.1".parse().expect("v4"),
            "198.51.100.8".parse().expect("v4"),
        );
        let request = frame()
            .between(lab.b.mac("eth0"), [0xff; 6])
            .vlan(VLAN)
            .arp_request(b, alias);
        at_b.send(&request.padded().build());
        let reply = at_b.expect("a tagged ARP reply", LIMIT, |got| {
            read(got)
                .is_some_and(|f| f.vlans == [VLAN] && f.arp.is_some_and(|arp| arp.sender == alias))
        });
        let arp = read(&reply).and_then(|f| f.arp).expect("ARP");
        assert_eq!(arp.sender_mac, lab.a.mac("eth0"), "{mode:?}");
    }
}

#[test]
fn another_tag_or_none_is_not_matched() {
    for mode in modes() {
        for family in FAMILIES {
            let scene = scene(mode, family);
            let lab = &scene.lab;
            let (at_a, at_b) = (
                RawSocket::open(&lab.a, "eth0"),
                RawSocket::open(&lab.b, "eth0"),
            );
            let to_alias = from_b_to_a(lab);
            for (what, start) in [
                ("untagged", to_alias.clone()),
                ("VLAN 11", to_alias.clone().vlan(11)),
                (
                    "VLAN 10 inside of 20",
                    to_alias.clone().service_vlan(20).vlan(VLAN),
                ),
            ] {
                let built = start.ip(family.b_ip(), family.alias_ip(0));
                let sent = built.echo(Echo::Request, 31, 1, b"other").padded().build();
                at_b.send(&sent);
                at_a.expect(&format!("{mode:?} {family:?}: {what}"), LIMIT, |got| {
                    got == sent
                });
            }
            assert_eq!(
                lab.counter("eth0:0", "rx_packets"),
                0,
                "{mode:?} {family:?}"
            );
        }
    }
}
