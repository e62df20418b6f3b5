//! `ifconfig` on aliases: made, changed and deleted in the words of three systems.

use alias_tests::{Lab, Mode};

use crate::ifconfig::{addresses, ifconfig, is_attached, ok, refused, with_two};
use crate::scene::{LIMIT, ORDERS, modes};

#[track_caller]
fn prefix_len(lab: &Lab, alias: &str) -> u64 {
    lab.row(alias)["prefix_len"].as_u64().expect("a length")
}

#[test]
fn an_alias_answers_and_is_counted() {
    for mode in modes() {
        let lab = Lab::attached(mode);
        ok(&lab, "eth0:0 198.51.100.8");
        ok(&lab, "eth0:1 203.0.113.9");
        assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1"]);
        assert_eq!(lab.row("eth0:0")["target"], "local");
        lab.b.ping_ok("198.51.100.8", 5);
        lab.wait_for_counter("eth0:0", "tx_packets", 5);
        assert_eq!(lab.counter("eth0:0", "rx_packets"), 5);
        assert_eq!(lab.counter("eth0:1", "rx_packets"), 0);
        // Said again, nothing happens, and what was counted stays.
        ok(&lab, "eth0:0 198.51.100.8");
        assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1"]);
        assert_eq!(lab.counter("eth0:0", "rx_packets"), 5);
    }
}

#[test]
fn ipv6_aliases_answer_too() {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0:0 2001:db8:5::8/64");
    ok(&lab, "eth0 inet6 add 2001:db8:6::9/64");
    for (alias, address) in [("eth0:0", "2001:db8:5::8"), ("eth0:1", "2001:db8:6::9")] {
        lab.b.ping_ok(address, 3);
        lab.wait_for_counter(alias, "tx_packets", 3);
    }
    ok(&lab, "eth0 inet6 del 2001:db8:6::9/64");
    assert_eq!(lab.alias_names(), ["eth0:0"]);
    lab.b.ping_unanswered("2001:db8:6::9");
    lab.b.ping_ok("2001:db8:5::8", 1);
}

#[test]
fn an_alias_is_announced_with_its_devices_mac() {
    let lab = Lab::attached(Mode::Native);
    let at_b = alias_tests::RawSocket::open(&lab.b, "eth0");
    let mac = lab.a.mac("eth0");
    ok(&lab, "eth0:0 198.51.100.8");
    at_b.expect("a gratuitous ARP request", LIMIT, |frame| {
        // RFC 5227, 3: sender and target are the address.
        frame[..6] == [0xff; 6]
            && frame[6..12] == mac
            && frame[12..14] == [0x08, 0x06]
            && frame[22..28] == mac
            && frame[28..32] == [198, 51, 100, 8]
            && frame[38..42] == [198, 51, 100, 8]
    });
}

#[test]
fn the_class_is_the_mask_where_none_is_given() {
    let lab = Lab::attached(Mode::Native);
    for (number, (address, expected)) in [
        ("166.66.66.66", 16),
        ("188.88.88.88", 16),
        ("199.99.99.99", 24),
        ("10.1.2.3", 8),
    ]
    .into_iter()
    .enumerate()
    {
        ok(&lab, &format!("eth0 {address} alias"));
        let alias = format!("eth0:{number}");
        assert_eq!(lab.row(&alias)["address"], address);
        assert_eq!(prefix_len(&lab, &alias), expected, "{address}");
    }
    refused(&lab, "eth0 224.1.2.3 alias", "EINVAL");
    refused(&lab, "eth0:9 224.1.2.3 netmask 255.255.255.0", "EINVAL");
    refused(&lab, "eth0 10.9.9.9 netmask 255.0.255.0 alias", "EINVAL");
}

#[test]
fn a_mask_makes_the_network_and_the_devices_address_stays() {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0 10.16.32.8 netmask 255.255.240.0 alias");
    assert_eq!(prefix_len(&lab, "eth0:0"), 20);
    assert!(addresses(&lab).contains(&"192.0.2.9/24".to_owned()));
    assert!(lab.a.ip("route show").contains("10.16.32.0/20 dev eth0"));
    lab.b.ping_ok("192.0.2.9", 1);
    lab.b.ping_ok("10.16.32.8", 1);
}

#[test]
fn an_alias_that_is_there_gets_another_address_and_keeps_the_rest() {
    let lab = with_two();
    lab.b.ping_ok("198.51.100.8", 3);
    lab.wait_for_counter("eth0:0", "tx_packets", 3);
    ok(&lab, "eth0:0 198.51.100.77 netmask 255.255.0.0");
    assert_eq!(lab.row("eth0:0")["address"], "198.51.100.77");
    assert_eq!(prefix_len(&lab, "eth0:0"), 16);
    assert_eq!(
        lab.counter("eth0:0", "rx_packets"),
        3,
        "it is the same alias"
    );
    lab.b.ping_ok("198.51.100.77", 2);
    lab.b.ping_unanswered("198.51.100.8");
    ok(&lab, "eth0:0 netmask 255.255.255.0");
    assert_eq!(prefix_len(&lab, "eth0:0"), 24);

    ok(&lab, "eth0:1- 0");
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9", "--drop"]);
    ok(&lab, "eth0:1 203.0.113.10");
    assert_eq!(lab.row("eth0:1")["target"], "drop", "it keeps its target");
}

#[test]
fn words_come_in_any_order() {
    let lab = Lab::attached(Mode::Native);
    for line in [
        "eth0:0 198.51.100.8 netmask 255.255.255.0 broadcast 198.51.100.255 up",
        "eth0:0 up broadcast 198.51.100.255 netmask 0xffffff00 198.51.100.8",
        "eth0:0 netmask /24 198.51.100.8",
        "eth0:0 inet 198.51.100.8/24",
    ] {
        ok(&lab, line);
        assert_eq!(lab.row("eth0:0")["address"], "198.51.100.8", "{line}");
        assert_eq!(prefix_len(&lab, "eth0:0"), 24, "{line}");
        ok(&lab, "eth0:0 down");
        assert!(lab.alias_names().is_empty(), "{line}");
    }
}

#[test]
fn every_way_to_delete_leaves_the_others() {
    for line in [
        "eth0:0- 0",
        "eth0:0-",
        "eth0:0- 192.0.2.77",
        "eth0:0 down",
        "eth0:0 0.0.0.0",
        "eth0:00 delete",
        "eth0 del 198.51.100.8",
        "eth0 198.51.100.8 delete",
        "eth0 198.51.100.8 -alias",
        "eth0 198.51.100.8 remove",
        "eth0 delete 198.51.100.8",
        "eth0 -alias 198.51.100.8",
        "eth0 remove 198.51.100.8",
        "eth0 inet 198.51.100.8 netmask 255.255.255.0 -alias",
    ] {
        let lab = with_two();
        ok(&lab, line);
        assert_eq!(lab.alias_names(), ["eth0:1"], "{line}");
        assert_eq!(
            addresses(&lab),
            ["192.0.2.9/24", "203.0.113.9/24", "2001:db8:0:1::9/64"],
            "{line}"
        );
        let routes = lab.a.ip("route show table all");
        assert!(!routes.contains("198.51.100"), "{line}: {routes}");
        lab.b.ping_ok("203.0.113.9", 1);
        lab.b.ping_unanswered("198.51.100.8");
    }
}

#[test]
fn what_is_not_there_cannot_be_deleted() {
    let lab = with_two();
    refused(&lab, "eth0:7- 0", "ENODEV");
    refused(&lab, "eth0:7 down", "ENODEV");
    refused(&lab, "eth0 del 198.51.100.99", "EADDRNOTAVAIL");
    refused(&lab, "eth0 198.51.100.99 delete", "EADDRNOTAVAIL");
    refused(&lab, "eth0:0 198.51.100.99 delete", "EADDRNOTAVAIL");
    refused(&lab, "eth9:0- 0", "ENODEV");
}

#[test]
fn three_aliases_of_a_network_go_in_any_order() {
    const ADDRESSES: [&str; 3] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
    let lab = Lab::attached(Mode::Native);
    for order in ORDERS {
        for (slot, address) in ADDRESSES.into_iter().enumerate() {
            ok(&lab, &format!("eth0:{slot} {address}"));
        }
        let mut left: Vec<usize> = vec![0, 1, 2];
        for going in order {
            ok(&lab, &format!("eth0:{going} down"));
            left.retain(|slot| *slot != going);
            let names: Vec<String> = left.iter().map(|slot| format!("eth0:{slot}")).collect();
            assert_eq!(lab.alias_names(), names, "{order:?}");
            for slot in &left {
                let address = format!("{}/24", ADDRESSES[*slot]);
                assert!(addresses(&lab).contains(&address), "{order:?}: {address}");
            }
            // The network's route goes with its last alias.
            let route = lab.a.ip("route show 198.51.100.0/24");
            assert_eq!(route.is_empty(), left.is_empty(), "{order:?}: {route}");
        }
    }
}

#[test]
fn add_takes_the_lowest_free_slot() {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0:1 198.51.100.1");
    ok(&lab, "eth0 add 198.51.100.2/24");
    ok(&lab, "eth0 add 198.51.100.3/24");
    assert_eq!(lab.alias_names(), ["eth0:1", "eth0:0", "eth0:2"]);
    assert_eq!(lab.row("eth0:0")["address"], "198.51.100.2");
}

#[test]
fn names_that_are_none_change_nothing() {
    let lab = with_two();
    for name in [
        "eth0:", "eth0:abc", "eth0:0,2", "eth0:0:1", "eth0:-1", "eth0:0x1", "eth0:-", "eth0:0--",
    ] {
        let message = refused(&lab, &format!("{name} 203.0.113.77"), "ENODEV");
        assert!(message.contains(&format!(" {name}: ")), "{name}: {message}");
    }
    refused(&lab, "eth9:0 203.0.113.77", "ENODEV");
    ok(&lab, "eth0:007 203.0.113.7");
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1", "eth0:7"]);
}

#[test]
fn refusals_of_the_engine_come_through() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&["--max-aliases", "2"])
        .build();
    ok(&lab, "eth0:255 198.51.100.8");
    refused(&lab, "eth0:1 198.51.100.8", "EEXIST");
    refused(&lab, "eth0:1 192.0.2.9", "EEXIST");
    refused(&lab, "eth0:1 ipx 198.51.100.8", "EAFNOSUPPORT");
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "1"]);
    let message = refused(&lab, "eth0:256 203.0.113.9", "ENOSPC");
    assert!(message.contains("limit 1"), "{message}");
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "0"]);
    refused(&lab, "eth0:1 203.0.113.9", "EINVAL");
    lab.b.ping_ok("198.51.100.8", 1);
    // Else the refused command is the first to see that its aliases are to go.
    lab.ctl_ok(&["set", "eth0", "--on-parent-down", "keep"]);
    lab.a.ip("link set eth0 down");
    refused(&lab, "eth0:1 203.0.113.9", "EIO");
}

#[test]
fn without_privilege_nothing_changes() {
    let lab = with_two();
    for line in [
        "eth0:2 203.0.113.10",
        "eth0:0 down",
        "eth0 mtu 1400",
        "eth0 del 198.51.100.8",
    ] {
        let words: Vec<&str> = ["ifconfig"].into_iter().chain(line.split(' ')).collect();
        let before = lab.snapshot();
        lab.ctl_err_unprivileged(&words, "EPERM");
        lab.assert_unchanged(&before);
    }
}

#[test]
fn a_disabled_alias_comes_up_again() {
    let lab = with_two();
    lab.ctl_ok(&["disable", "eth0:0"]);
    let block = ok(&lab, "eth0:0");
    assert!(!block.contains("UP"), "{block}");
    ok(&lab, "eth0:0 up");
    assert_eq!(lab.row("eth0:0")["enabled"], true);
    refused(&lab, "eth0:5 up", "ENODEV");
}

#[test]
fn an_alias_device_is_its_alias() {
    // `eth0:0` is a device's name too then: it still means the alias.
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    assert!(ok(&lab, "eth0:0").contains("inet addr:198.51.100.8"));
    ok(&lab, "eth0:0 198.51.100.9");
    assert_eq!(lab.row("eth0:0")["target"], "device");
    assert_eq!(lab.row("eth0:0")["address"], "198.51.100.9");
    ok(&lab, "eth0:0 down");
    assert!(lab.a.find_link("eth0:0").is_none());
}

#[test]
fn an_exact_device_name_wins() {
    let lab = with_two();
    lab.a.ip("link add x0 type veth peer name x1");
    lab.a.ip("link property add dev x0 altname eth0:5");
    ok(&lab, "eth0:5 203.0.113.50 netmask 255.255.255.0");
    assert!(lab.a.ip("addr show dev x0").contains("203.0.113.50/24"));
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1"]);
}

#[test]
fn a_parent_is_attached_by_its_first_alias_and_refused_as_a_whole() {
    let lab = Lab::plain();
    refused(&lab, "eth0:0 198.51.100.8 bogus", "EINVAL");
    assert!(!is_attached(&lab));
    refused(&lab, "eth0:0 192.0.2.9", "EEXIST");
    assert!(!is_attached(&lab), "not attached for nothing");
    assert_eq!(ifconfig(&lab, "eth0:0 198.51.100.8").code(), 0);
    lab.b.ping_ok("198.51.100.8", 1);
}

#[test]
fn tcp_options_are_words_too() {
    let lab = with_two();
    ok(&lab, "eth0:0 tcp_nodelay 1");
    assert_eq!(lab.row("eth0:0")["tcp"]["tcp_nodelay"], 1);
    ok(&lab, "eth0:2 198.51.100.12 tcp_nodelay 1");
    assert_eq!(lab.row("eth0:2")["tcp"]["tcp_nodelay"], 1);
    ok(&lab, "eth0:0 -tcp_nodelay");
    assert!(lab.row("eth0:0")["tcp"].is_null());
    refused(&lab, "eth0 tcp_nodelay 1", "EOPNOTSUPP");
    refused(&lab, "eth0:7 tcp_nodelay 1", "ENODEV");
    refused(&lab, "eth0:0 tcp_nodelay", "EINVAL");
}

/// Each alias has the route to its network, whoever has one there already.
#[test]
fn a_network_that_others_lead_to_has_its_route_here_too() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip_batch(
        "link add eth1 type veth peer name far1\n\
         link set eth1 up\n\
         link set far1 up\n",
    );
    let by_eth0 = |family: &str, network: &str| {
        let routes = lab.a.ip(&format!("{family} route show {network} dev eth0"));
        routes.lines().count()
    };
    for (family, network, first, second, neighbour) in [
        (
            "-4",
            "198.51.100.0/24",
            "198.51.100.8/24",
            "198.51.100.9/24",
            "198.51.100.1/24",
        ),
        (
            "-6",
            "2001:db8:5::/64",
            "2001:db8:5::8/64",
            "2001:db8:5::9/64",
            "2001:db8:5::1/64",
        ),
    ] {
        // By a device of the same host, then by another parent.
        lab.ctl_ok(&["add", "eth0:0", first]);
        lab.ctl_ok(&["ifconfig", "eth0:1", second]);
        assert_eq!(by_eth0(family, network), 1, "{network}");
        let nodad = if family == "-6" { "nodad" } else { "" };
        lab.b.ip(&format!("addr add {neighbour} dev eth0 {nodad}"));
        let (own, _) = second.split_once('/').expect("a length");
        lab.b.ping_ok(own, 2);
        lab.ctl_ok(&["del", "eth0:0"]);
        assert_eq!(by_eth0(family, network), 1, "{network}: eth0:1 is there");
        lab.ctl_ok(&["ifconfig", "eth1:0", first]);
        lab.ctl_ok(&["del", "eth1:0"]);
        lab.b.ping_ok(own, 1);
        lab.ctl_ok(&["del", "eth0:1"]);
        assert_eq!(
            by_eth0(family, network),
            0,
            "{network}: it went with the last"
        );
    }
}

/// What is on the device already leads nowhere else, and only its stack can count it.
#[test]
fn what_is_on_the_device_already_cannot_become_an_alias() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("addr add 192.0.2.60/24 dev eth0 label eth0:web");
    lab.ctl_ok(&["ifconfig", "eth0:0", "198.51.100.8"]);
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.9/24", "--local"]);
    for words in [
        &["ifconfig", "eth0:2", "192.0.2.9/24"][..],
        &["set", "eth0:0", "192.0.2.60", "--drop"],
        &["set", "eth0:1", "--drop"],
        &["set", "eth0:1", "--device"],
    ] {
        let before = lab.snapshot();
        lab.ctl_err(words, "EEXIST");
        lab.assert_unchanged(&before);
    }
    lab.b.ping_ok("192.0.2.9", 1);
    lab.b.ping_ok("192.0.2.60", 1);
}

#[test]
fn without_a_length_set_keeps_the_one_that_is_there() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["ifconfig", "eth0:0", "198.51.100.8"]);
    lab.ctl_ok(&["set", "eth0:0", "198.51.100.9"]);
    assert_eq!(prefix_len(&lab, "eth0:0"), 24);
    lab.ctl_ok(&["set", "eth0:0", "2001:db8:5::9"]);
    assert_eq!(prefix_len(&lab, "eth0:0"), 128);
}

#[test]
fn a_device_set_down_takes_its_aliases_at_once() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["ifconfig", "eth0:0", "198.51.100.8"]);
    lab.ctl_ok(&["ifconfig", "eth0", "down"]);
    assert_eq!(lab.alias_names(), [""; 0]);
    lab.ctl_ok(&["ifconfig", "eth0", "up"]);
    assert_eq!(lab.alias_names(), [""; 0]);
}

#[test]
fn a_limit_of_0_is_named_on_every_way() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "0"]);
    lab.ctl_err(&["ifconfig", "eth0", "add", "10.1.1.1"], "EINVAL");
    lab.ctl_err(&["ifconfig", "eth0:1", "10.1.1.1"], "EINVAL");
}
