//! Coming and going: deletion in any order leaves nothing of the deleted and
//! everything of the others; a dead controller changes nothing.

use std::net::{IpAddr, UdpSocket};

use alias_tests::{
    Lab, Mode, RawSocket,
    frame::{BROADCAST, frame, read},
    wait_for,
};

use crate::scene::{FAMILIES, Family, LIMIT, ORDERS, PLACES, Place, Scene, ip, modes};

/// Three aliases of one network: the kernel, left alone, removes all
/// secondary addresses of a network with the first.
#[track_caller]
fn check_deletion_orders(addresses: [&str; 3], length: u8, target: &str) {
    let lab = Lab::attached(Mode::Native);
    let empty = lab.snapshot();
    for order in ORDERS {
        for (slot, address) in addresses.iter().enumerate() {
            lab.ctl_ok(&[
                "add",
                &format!("eth0:{slot}"),
                &format!("{address}/{length}"),
                target,
            ]);
        }
        let mut left = vec![0, 1, 2];
        for slot in order {
            lab.ctl_ok(&["del", &format!("eth0:{slot}")]);
            left.retain(|&other| other != slot);
            let names: Vec<_> = left.iter().map(|slot| format!("eth0:{slot}")).collect();
            assert_eq!(
                lab.alias_names(),
                names,
                "{order:?} {target}, {slot} deleted"
            );
            for &other in &left {
                lab.b.ping_ok(addresses[other], 1);
            }
        }
        lab.assert_unchanged(&empty);
    }
}

const THREE_V4: [&str; 3] = ["198.51.100.8", "198.51.100.9", "198.51.100.10"];
const THREE_V6: [&str; 3] = ["2001:db8:5::8", "2001:db8:5::9", "2001:db8:5::10"];

#[test]
fn any_deletion_order_device_v4() {
    check_deletion_orders(THREE_V4, 24, "--device");
}

#[test]
fn any_deletion_order_device_v6() {
    check_deletion_orders(THREE_V6, 64, "--device");
}

#[test]
fn any_deletion_order_local_v4() {
    check_deletion_orders(THREE_V4, 24, "--local");
}

#[test]
fn any_deletion_order_local_v6() {
    check_deletion_orders(THREE_V6, 64, "--local");
}

#[test]
fn deletion_by_address_takes_that_alias_only() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    scene.lab.ctl_ok(&["del", "eth0", "198.51.100.8"]);
    assert_eq!(scene.lab.alias_names(), ["eth0:1"]);
    let before = scene.lab.snapshot();
    scene
        .lab
        .ctl_err(&["del", "eth0", "198.51.100.8"], "EADDRNOTAVAIL");
    scene.lab.assert_unchanged(&before);
    scene.lab.b.ping_ok("203.0.113.9", 1);
}

#[test]
fn deletion_leaves_nothing_behind() {
    for mode in modes() {
        for family in FAMILIES {
            for target in ["--device", "--local"] {
                let lab = Lab::attached(mode);
                let before = lab.snapshot();
                let bind =
                    |address: IpAddr| lab.a.enter(|| UdpSocket::bind((address, 0)).map(drop));
                let address = format!("{}/{}", family.alias(0), family.prefix_len());
                lab.ctl_ok(&["add", "eth0:0", &address, target]);
                lab.b.ping_ok(family.alias(0), 2);
                bind(family.alias_ip(0)).expect("a local address can be bound");

                lab.ctl_ok(&["del", "eth0:0"]);
                lab.assert_unchanged(&before);
                assert!(
                    bind(family.alias_ip(0)).is_err(),
                    "{family:?} {target}: still bound"
                );
                lab.b.ping_unanswered(family.alias(0));

                // A new alias in that slot starts at zero.
                lab.ctl_ok(&["add", "eth0:0", &address, target]);
                assert_eq!(
                    lab.counter("eth0:0", "rx_packets"),
                    0,
                    "{family:?} {target}"
                );
            }
        }
    }
}

#[test]
fn a_deleted_alias_does_not_answer_arp() {
    for place in PLACES {
        let scene = Scene::with_two(Mode::Native, Family::V4, place);
        let lab = &scene.lab;
        let at_b = RawSocket::open(&lab.b, "eth0");
        let ask = |wanted: &str| {
            let wanted = wanted.parse().expect("v4");
            let b = Family::V4.b().parse().expect("v4");
            at_b.send(
                &frame()
                    .between(lab.b.mac("eth0"), BROADCAST)
                    .arp_request(b, wanted)
                    .padded()
                    .build(),
            );
        };
        let sender = |got: &[u8]| {
            read(got)
                .and_then(|seen| seen.arp)
                .map(|arp| IpAddr::V4(arp.sender))
        };

        ask("198.51.100.8");
        at_b.expect("a reply for eth0:0", LIMIT, |got| {
            sender(got) == Some(ip("198.51.100.8"))
        });
        lab.ctl_ok(&["del", "eth0:0"]);
        // What eth0:0 said while it lived is read before the question.
        ask("203.0.113.9");
        at_b.expect("a reply for eth0:1", LIMIT, |got| {
            sender(got) == Some(ip("203.0.113.9"))
        });
        ask("198.51.100.8");
        ask("203.0.113.9");
        let earlier = at_b.all_before("the second reply for eth0:1", LIMIT, |got| {
            sender(got) == Some(ip("203.0.113.9"))
        });
        assert!(
            !earlier
                .iter()
                .any(|got| sender(got) == Some(ip("198.51.100.8"))),
            "{place:?}: a deleted alias has answered"
        );
    }
}

#[test]
fn the_list_is_in_the_order_of_creation() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.10/24"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    assert_eq!(lab.alias_names(), ["eth0:2", "eth0:0"]);
}

#[test]
fn a_deletion_that_is_refused_in_part_deletes_none() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::SameHost);
    let lab = &scene.lab;
    lab.a.ip("link add eth1 type veth peer name far1");
    lab.a.ip("link set eth1 up");
    lab.ctl_ok(&["add", "eth1:0", "198.18.0.1", "--drop"]);
    let before = lab.snapshot();
    for absent in ["eth0:7", "eth1:7"] {
        lab.ctl_err(&["del", "eth0:0", "eth1:0", absent], "ENODEV");
        lab.assert_unchanged(&before);
    }
}

/// Somebody deleted the device behind our back: what then says that it has made
/// the alias has made it.
#[test]
fn an_alias_that_lost_its_device_can_be_made_again() {
    let lab = Lab::attached(Mode::Native);
    let before = lab.snapshot();
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    let device = lab.device("eth0:0");
    lab.a.ip(&format!("link del {}", device));
    if lab.ctl(&["add", "eth0:0", "198.51.100.8/24"]).code() == 0 {
        lab.b.ping_ok("198.51.100.8", 1);
    }
    lab.ctl_ok(&["del", "eth0:0"]);
    lab.assert_unchanged(&before);
}

/// The route to a `local` alias's network may be somebody else's.
#[test]
fn a_route_that_was_there_before_stays() {
    let lab = Lab::attached(Mode::Native);
    lab.a
        .ip("route add 198.51.100.0/24 dev eth0 proto static metric 1000");
    let before = lab.snapshot();
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--local"]);
    lab.ctl_ok(&["del", "eth0:0"]);
    lab.assert_unchanged(&before);
}

/// Every command is a controller of its own: one that reads and one that
/// writes what is written already are killed in the middle of their work.
#[test]
fn a_killed_controller_changes_nothing() {
    let scene = Scene::with_two(Mode::Native, Family::V4, Place::OwnNamespace);
    let lab = &scene.lab;
    lab.b.ping_ok("198.51.100.8", 3);
    lab.wait_for_counter("eth0:0", "tx_packets", 3);
    let (before, pins) = (lab.snapshot(), lab.pins());
    for round in 1..=3 {
        let mut watching = lab.ctl_spawn(&["stats", "eth0:0", "--watch", "0.3"]);
        let writing = lab.ctl_spawn(&["enable", "eth0:0"]);
        lab.b.ping_ok("198.51.100.8", 3);
        assert!(watching.is_alive(), "it ended by itself");
        watching.kill();
        writing.kill();
        lab.assert_unchanged(&before);
        assert_eq!(lab.pins(), pins);
        lab.b.ping_ok("198.51.100.8", 3);
        // Three pings before, six in each round: never fewer, never reset.
        for counter in ["rx_packets", "tx_packets"] {
            lab.wait_for_counter("eth0:0", counter, 3 + 6 * round);
        }
    }
}

#[test]
fn the_alias_is_a_name_for_its_device() {
    for place in PLACES {
        for family in FAMILIES {
            let scene = Scene::with_two(Mode::Native, family, place);
            let home = scene.home("eth0:0");
            let device = scene.device("eth0:0");
            assert_ne!(
                device, "eth0",
                "ip falls back to eth0 when there is no such altname"
            );
            assert_eq!(
                home.ip_json("link show dev eth0:0")[0]["ifname"],
                device.as_str()
            );
            assert_eq!(
                home.mac("eth0:0"),
                scene.lab.a.mac("eth0"),
                "the parent's station"
            );
            assert_eq!(scene.lab.row("eth0:0")["device"], device.as_str());
        }
    }
}

#[test]
fn a_route_via_the_alias_works_and_goes_with_it() {
    let scene = Scene::with_one(Mode::Native, Family::V4, Place::OwnNamespace);
    let lab = &scene.lab;
    let home = scene.home("eth0:0");
    lab.b.ip("addr add 198.18.5.1/32 dev lo");
    home.ip("route add 198.18.5.0/24 via 192.0.2.1 dev eth0:0");
    home.ping_ok("198.18.5.1", 2);
    lab.wait_for_counter("eth0:0", "tx_packets", 2);
    lab.ctl_ok(&["del", "eth0:0"]);
    wait_for("the route to go with its device", LIMIT, || {
        home.ip("route show 198.18.5.0/24").trim().is_empty()
    });
    assert!(home.find_link("eth0:0").is_none());
}

#[test]
fn a_route_via_the_alias_on_the_same_host_goes_with_it() {
    let lab = Lab::attached(Mode::Native);
    let before = lab.snapshot();
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.a.link("eth0:0");
    lab.a.ip("route add 198.18.5.0/24 dev eth0:0");
    lab.ctl_ok(&["del", "eth0:0"]);
    lab.assert_unchanged(&before);
}
