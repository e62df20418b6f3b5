//! The grammar by examples: every way of saying a thing next to the thing.

use std::net::IpAddr;

use super::*;

/// Reads a command line, split at blanks.
fn command(line: &str) -> Result<Ifconfig, Unread> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    read(&words, Style::Linux)
}

fn given(address: &str) -> Given {
    let (address, length) = address.split_once('/').unwrap();
    Given {
        address: address.parse().unwrap(),
        length: Length::Said(length.parse().unwrap()),
        broadcast: None,
    }
}

/// The same where nobody said how long the prefix is.
fn usual(address: &str) -> Given {
    let Length::Said(length) = given(address).length else {
        panic!("{address}: not said");
    };
    Given {
        length: Length::Usual(length),
        ..given(address)
    }
}

fn assign(address: &str) -> Option<AddressChange> {
    Some(AddressChange::Assign(given(address)))
}

fn add(address: &str) -> Option<AddressChange> {
    Some(AddressChange::Add(given(address)))
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[track_caller]
fn check(line: &str, expected: Configure) {
    match command(line) {
        Ok(Ifconfig::Configure(found)) => assert_eq!(found, expected, "{line}"),
        other => panic!("{line}: {other:?}"),
    }
}

/// Each of these lines changes the addresses of its first word in this one way.
#[track_caller]
fn check_address(lines: &[&str], expected: Option<AddressChange>) {
    for line in lines {
        let name = line.split_whitespace().next().unwrap_or_default();
        let expected = Configure {
            name: name.to_owned(),
            address: expected,
            ..Configure::default()
        };
        check(line, expected);
    }
}

#[test]
fn an_aliass_address_in_any_order() {
    check_address(
        &[
            "eth0:0 198.51.100.8/24",
            "eth0:0 set 198.51.100.8/24",
            "eth0:0 198.51.100.8/24 no_dad",
            "eth0:0 198.51.100.8 netmask 255.255.255.0",
            "eth0:0 netmask 255.255.255.0 198.51.100.8",
            "eth0:0 netmask 0xffffff00 198.51.100.8",
            "eth0:0 netmask /24 198.51.100.8",
            "eth0:0 198.51.100.8/24 netmask 255.255.255.0",
            "eth0:0 198.51.100.8 prefixlen 24",
        ],
        assign("198.51.100.8/24"),
    );
    check_address(
        &[
            "eth0:0 2001:db8::8/64",
            "eth0:0 inet6 2001:db8::8 prefixlen 64",
        ],
        assign("2001:db8::8/64"),
    );
    check_address(
        &["eth0:0 2001:db8::8"],
        Some(AddressChange::Assign(usual("2001:db8::8/128"))),
    );
    check_address(
        &["eth0:0 198.51.100.8", "eth0:0 inet 198.51.100.8"],
        Some(AddressChange::Assign(usual("198.51.100.8/24"))),
    );
    let mut with_broadcast = given("198.51.100.8/24");
    with_broadcast.broadcast = Some(Broadcast::Said("198.51.100.255".parse().unwrap()));
    for line in [
        "eth0:0 198.51.100.8 netmask 255.255.255.0 broadcast 198.51.100.255 up",
        "eth0:0 up broadcast 198.51.100.255 198.51.100.8/24",
    ] {
        let up = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        let expected = Configure {
            name: "eth0:0".into(),
            address: Some(AddressChange::Assign(with_broadcast)),
            link: up,
            ..Configure::default()
        };
        check(line, expected);
    }
}

#[test]
fn the_classes_where_no_mask_is_given() {
    for (address, length) in [
        ("10.0.0.1", 8),
        ("166.66.66.66", 16),
        ("188.88.88.88", 16),
        ("199.99.99.99", 24),
    ] {
        let line = format!("eth0 {address} alias");
        let expected = usual(&format!("{address}/{length}"));
        check_address(&[line.as_str()], Some(AddressChange::Add(expected)));
    }
}

#[test]
fn one_more_address() {
    check_address(
        &[
            "eth0 add 10.16.32.8/20",
            "eth0 10.16.32.8 netmask 255.255.240.0 alias",
            "eth0 inet 10.16.32.8 netmask 255.255.240.0 alias",
            "eth0 alias 10.16.32.8 netmask 0xfffff000",
            "eth0 netmask 255.255.240.0 alias 10.16.32.8",
            "eth0 10.16.32.8/20 add",
        ],
        add("10.16.32.8/20"),
    );
    check_address(
        &[
            "eth0 add 2001:db8::8/64",
            "eth0 inet6 add 2001:db8::8/64",
            "eth0 inet6 2001:db8::8 prefixlen 64 alias",
        ],
        add("2001:db8::8/64"),
    );
}

#[test]
fn addresses_that_go() {
    check_address(
        &[
            "eth0 198.51.100.8 delete",
            "eth0 delete 198.51.100.8",
            "eth0 198.51.100.8 -alias",
            "eth0 -alias 198.51.100.8",
            "eth0 198.51.100.8 remove",
            "eth0 remove 198.51.100.8",
            "eth0 inet 198.51.100.8 netmask 255.255.255.0 delete",
            "eth0 198.51.100.8/24 delete",
        ],
        Some(AddressChange::Remove(ip("198.51.100.8"))),
    );
    check_address(
        &["eth0 del 198.51.100.8", "eth0 del 198.51.100.8/24"],
        Some(AddressChange::Del(ip("198.51.100.8"))),
    );
    check_address(
        &["eth0 inet6 del 2001:db8::8/64"],
        Some(AddressChange::Del(ip("2001:db8::8"))),
    );
    check_address(
        &["eth0:0 0.0.0.0", "eth0:0 0", "eth0 0.0.0.0"],
        Some(AddressChange::Clear),
    );
    check_address(
        &[
            "eth0:0-",
            "eth0:0- 0",
            "eth0:0- 192.0.2.77",
            "eth0:0- 224.0.0.1 netmask 255.255.255.0",
            "eth0:0 delete",
            "eth0:0 -alias",
        ],
        Some(AddressChange::Delete),
    );
}

#[test]
fn a_device_alone() {
    for line in ["lo 127.0.0.1", "lo:0 127.0.0.1"] {
        check_address(&[line], Some(AddressChange::Assign(usual("127.0.0.1/8"))));
    }
    check_address(
        &["eth0 netmask 255.255.0.0"],
        Some(AddressChange::Remask(Some(Mask::Bits(16)), None)),
    );
    check(
        "eth0 -arp promisc -allmulti multicast mtu 1400 txqueuelen 0 hw ether 02:00:5e:00:53:01 down",
        Configure {
            name: "eth0".into(),
            link: LinkChange {
                up: Some(false),
                arp: Some(false),
                promisc: Some(true),
                allmulti: Some(false),
                multicast: Some(true),
                mtu: Some(1400),
                tx_queue_len: Some(0),
                mac: Some([2, 0, 0x5e, 0, 0x53, 1]),
            },
            ..Configure::default()
        },
    );
    for line in ["eth0 detach --cascade", "--cascade eth0 detach"] {
        check(
            line,
            Configure {
                name: "eth0".into(),
                detach: true,
                cascade: true,
                ..Configure::default()
            },
        );
    }
}

#[test]
fn tcp_options_in_aixs_words() {
    let mut tcp = TcpChange::default();
    assert_eq!(tcp.read(&["tcp_nodelay", "1"]).unwrap(), 2);
    for line in [
        "eth0:0 198.51.100.8/24 tcp_nodelay 1",
        "eth0:0 tcp_nodelay 1 198.51.100.8 netmask 255.255.255.0",
    ] {
        let expected = Configure {
            name: "eth0:0".into(),
            address: assign("198.51.100.8/24"),
            tcp: tcp.clone(),
            ..Configure::default()
        };
        check(line, expected);
    }
}

#[test]
fn listings() {
    for (line, name, state, form, style) in [
        ("", None, State::Up, Form::Blocks, Style::Linux),
        ("-a", None, State::Any, Form::Blocks, Style::Linux),
        ("-s", None, State::Up, Form::Table, Style::Linux),
        ("-as", None, State::Any, Form::Table, Style::Linux),
        ("-l", None, State::Any, Form::Names, Style::Linux),
        ("-l -u", None, State::Up, Form::Names, Style::Linux),
        ("-d", None, State::Down, Form::Blocks, Style::Linux),
        ("-u", None, State::Up, Form::Blocks, Style::Linux),
        ("--style bsd", None, State::Any, Form::Blocks, Style::Bsd),
        ("--style=aix -a", None, State::Any, Form::Blocks, Style::Aix),
        ("eth0", Some("eth0"), State::Any, Form::Blocks, Style::Linux),
        (
            "eth0:0",
            Some("eth0:0"),
            State::Any,
            Form::Blocks,
            Style::Linux,
        ),
    ] {
        let expected = Listing {
            name: name.map(str::to_owned),
            family: None,
            state,
            form,
            style,
        };
        match command(line) {
            Ok(Ifconfig::List(found)) => assert_eq!(found, expected, "{line:?}"),
            other => panic!("{line:?}: {other:?}"),
        }
    }
    for line in ["-a inet6", "eth0 inet6", "-d inet6", "-l inet6"] {
        match command(line) {
            Ok(Ifconfig::List(found)) => {
                assert_eq!(found.family, Some(Family::Inet6), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn solaris() {
    let known = |address: &str, class: u8, broadcast: bool| Given {
        length: Length::Known(class),
        broadcast: broadcast.then_some(Broadcast::Network),
        ..given(address)
    };
    let up = LinkChange {
        up: Some(true),
        ..LinkChange::default()
    };
    for line in [
        "e1000g0:1 plumb 192.0.2.10 netmask + broadcast + up",
        "e1000g0:1 netmask + broadcast + 192.0.2.10 up plumb",
    ] {
        let expected = Configure {
            name: "e1000g0:1".into(),
            address: Some(AddressChange::Assign(known("192.0.2.10/0", 24, true))),
            link: up,
            plumb: true,
            ..Configure::default()
        };
        check(line, expected);
    }
    for name in ["eth0", "eth0:1"] {
        let expected = Configure {
            name: name.into(),
            plumb: true,
            ..Configure::default()
        };
        check(&format!("{name} plumb"), expected);
    }
    check_address(&["eth0:1 unplumb"], Some(AddressChange::Delete));
    check_address(
        &["eth0 addif 192.0.2.11/24", "eth0 192.0.2.11/24 addif"],
        Some(AddressChange::AddLogical(given("192.0.2.11/24"))),
    );
    check_address(
        &["eth0 removeif 192.0.2.11", "eth0 removeif 192.0.2.11/24"],
        Some(AddressChange::RemoveLogical(ip("192.0.2.11"))),
    );
    check_address(
        &["eth0 addif 10.1.2.3 netmask +"],
        Some(AddressChange::AddLogical(known("10.1.2.3/0", 8, false))),
    );
    check_address(
        &["eth0:1 netmask + broadcast +"],
        Some(AddressChange::Remask(
            Some(Mask::Known),
            Some(Broadcast::Network),
        )),
    );
    for (line, deprecated) in [("eth0:1 deprecated", true), ("eth0:1 -deprecated", false)] {
        let expected = Configure {
            name: "eth0:1".into(),
            deprecated: Some(deprecated),
            ..Configure::default()
        };
        check(line, expected);
    }
}

#[test]
fn aixs_first_alias() {
    check_address(
        &[
            "en0 firstalias 192.0.2.10/24",
            "en0 192.0.2.10/24 firstalias",
        ],
        Some(AddressChange::AddFirst(given("192.0.2.10/24"))),
    );
}

#[test]
fn listings_of_one_family() {
    for (line, state, family) in [
        ("-a4", State::Any, Family::Inet),
        ("-a6", State::Any, Family::Inet6),
        ("-au4", State::Up, Family::Inet),
        ("-ad6", State::Down, Family::Inet6),
        ("-4 --style solaris", State::Any, Family::Inet),
        ("-a6 inet6", State::Any, Family::Inet6),
    ] {
        match command(line) {
            Ok(Ifconfig::List(found)) => {
                assert_eq!((found.state, found.family), (state, Some(family)), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

/// A word of a system's manual is refused by its name, with what does it here; the rest
/// is unknown.
#[test]
fn words_that_others_know_have_a_way_here() {
    for (line, word, way) in [
        ("eth0 vhid 1 192.0.2.20 alias", "vhid", "keepalived"),
        (
            "eth0 192.0.2.20/24 alias advskew 100",
            "advskew",
            "keepalived",
        ),
        ("eth0 192.0.2.20/24 alias pass secret", "pass", "keepalived"),
        ("eth0 inet6 2001:db8::1 pltime 0", "pltime", "preferred_lft"),
        ("eth0 192.0.2.20/24 anycast", "anycast", "many hosts"),
        ("eth0 -no_dad", "-no_dad", "arping"),
        ("eth0 name web0", "name", "ip link set dev eth0 name"),
        (
            "eth0 description x",
            "description",
            "ip link set dev eth0 alias",
        ),
        ("eth0 -tso", "-tso", "ethtool -K eth0"),
        ("eth0 media 100baseTX", "media", "ethtool -s eth0"),
        ("eth0 vnet web", "vnet", "--netns"),
        ("eth0:1 zone web", "zone", "--netns"),
        ("eth0 metric 1", "metric", "ip route"),
        (
            "eth0 192.0.2.1 pointopoint 192.0.2.2",
            "pointopoint",
            "peer",
        ),
        ("eth0 create", "create", "ip link add"),
        ("eth0 group web", "group", "ip link set dev eth0 group"),
        (
            "eth0 transfer 192.0.2.1 toInterface en1",
            "transfer",
            "delete it there",
        ),
        ("eth0 auto-dhcp start", "auto-dhcp", "DHCP client"),
        ("eth0 brd 192.0.2.255", "brd", "broadcast"),
        ("eth0 dev eth1", "dev", "device's name comes first"),
        ("eth0 unplumb", "unplumb", "detach"),
        ("eth0 keepalive 5", "keepalive", "leave the word out"),
    ] {
        match command(line) {
            Err(Unread::Word(refusal)) => {
                assert_eq!(
                    (refusal.object.as_str(), refusal.errno),
                    (word, libc::EOPNOTSUPP),
                    "{line}"
                );
                assert!(refusal.hint.contains(way), "{line}: {refusal}");
                assert!(refusal.hint.starts_with("nothing was changed; "), "{line}");
                assert!(!refusal.hint.contains("DEVICE"), "{line}: {refusal}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn a_range_is_adds() {
    for (word, range) in [
        ("192.0.2.20-29/32", "192.0.2.20-192.0.2.29/32"),
        ("192.0.2.20-29", "192.0.2.20-192.0.2.29"),
        ("192.0.2.20-192.0.2.29/24", "192.0.2.20-192.0.2.29/24"),
        ("2001:db8::1-f/64", "2001:db8::1-2001:db8::f/64"),
    ] {
        for line in [
            format!("eth0 inet {word} alias"),
            format!("eth0 {word}"),
            format!("eth0:3 {word}"),
        ] {
            let Err(Unread::Word(refusal)) = command(&line) else {
                panic!("{line}: not refused");
            };
            assert_eq!(
                (refusal.object.as_str(), refusal.errno),
                (word, libc::EINVAL)
            );
            let expected = format!("alias-ctl add eth0 --range {range} --local");
            assert!(refusal.hint.contains(&expected), "{line}: {refusal}");
        }
    }
    for word in [
        "192.0.2.20-",
        "192.0.2.20-300",
        "192.0.2.20-29/x",
        "a-b",
        "-",
    ] {
        let Err(Unread::Word(refusal)) = command(&format!("eth0 {word}")) else {
            panic!("{word}: not refused");
        };
        assert_eq!(refusal.reason, "unknown word", "{word}");
    }
}

#[test]
fn what_does_not_go_together_is_usage() {
    for line in [
        "-u -d",
        "-ud",
        "-z",
        "-",
        "--nonsense",
        "-l eth0",
        "-a eth0 192.0.2.1",
        "-46",
        "-a4 inet6",
        "--style sunos",
        "--style",
        "--flags xyz",
        "--flags 8049 eth0",
    ] {
        assert!(matches!(command(line), Err(Unread::Usage(_))), "{line}");
    }
}

#[test]
fn words_that_are_refused() {
    for (line, word, errno) in [
        ("eth0:0 198.51.100.8 bogus", "bogus", libc::EINVAL),
        ("eth0 bogus", "bogus", libc::EINVAL),
        ("eth0:0- bogus", "bogus", libc::EINVAL),
        ("eth0 198.51.100.8 aliass", "aliass", libc::EINVAL),
        ("eth0 198.51.100", "198.51.100", libc::EINVAL),
        ("eth0 198.51.100.300 alias", "198.51.100.300", libc::EINVAL),
        ("eth0 198.51.100.8/33 alias", "33", libc::EINVAL),
        ("eth0 198.51.100.8/0 alias", "0", libc::EINVAL),
        ("eth0 224.1.1.1 alias", "224.1.1.1", libc::EINVAL),
        (
            "eth0:0 224.1.1.1 netmask 255.255.255.0",
            "224.1.1.1",
            libc::EINVAL,
        ),
        ("eth0:0 255.255.255.255", "255.255.255.255", libc::EINVAL),
        ("eth0:0 127.0.0.1", "127.0.0.1", libc::EINVAL),
        ("eth0 127.0.0.1 alias", "127.0.0.1", libc::EINVAL),
        ("eth0 0.0.0.0 alias", "0.0.0.0", libc::EINVAL),
        (
            "eth0 10.0.0.1 netmask 255.0.255.0 alias",
            "255.0.255.0",
            libc::EINVAL,
        ),
        (
            "eth0 10.0.0.1 netmask 0.0.0.0 alias",
            "0.0.0.0",
            libc::EINVAL,
        ),
        ("eth0 10.0.0.1 netmask", "netmask", libc::EINVAL),
        (
            "eth0 10.0.0.1/24 netmask 255.255.0.0",
            "10.0.0.1/24",
            libc::EINVAL,
        ),
        (
            "eth0:0 10.0.0.1/24 broadcast 10.0.1.255",
            "10.0.1.255",
            libc::EINVAL,
        ),
        ("eth0:0 10.0.0.1/24 broadcast", "broadcast", libc::EINVAL),
        ("eth0 add 2001:db8::1/129", "129", libc::EINVAL),
        ("eth0 inet6 add 192.0.2.1", "192.0.2.1", libc::EINVAL),
        ("eth0 inet add 2001:db8::1", "2001:db8::1", libc::EINVAL),
        (
            "eth0 add 2001:db8::1 netmask 255.255.255.0",
            "255.255.255.0",
            libc::EINVAL,
        ),
        ("eth0 192.0.2.1 192.0.2.2", "192.0.2.2", libc::EINVAL),
        ("eth0 192.0.2.1 add delete", "delete", libc::EINVAL),
        ("eth0 up down", "down", libc::EINVAL),
        ("eth0:1 deprecated -deprecated", "-deprecated", libc::EINVAL),
        ("eth0:1 plumb unplumb", "plumb", libc::EINVAL),
        ("eth0 plumb addif 192.0.2.1", "plumb", libc::EINVAL),
        ("eth0 addif", "eth0", libc::EINVAL),
        ("eth0 removeif", "eth0", libc::EINVAL),
        (
            "eth0 addif 192.0.2.1 removeif 192.0.2.1",
            "removeif",
            libc::EINVAL,
        ),
        (
            "eth0 addif 192.0.2.1 addif 192.0.2.2",
            "192.0.2.2",
            libc::EINVAL,
        ),
        ("eth0:1 unplumb 192.0.2.1", "192.0.2.1", libc::EINVAL),
        ("eth0:1 set", "set", libc::EINVAL),
        ("eth0:1 set web", "web", libc::EINVAL),
        ("eth0:1 2001:db8::1 netmask +", "+", libc::EINVAL),
        ("eth0:1 2001:db8::1 broadcast +", "+", libc::EINVAL),
        ("eth0 mtu 0", "0", libc::EINVAL),
        ("eth0 mtu -1", "-1", libc::EINVAL),
        ("eth0 mtu many", "many", libc::EINVAL),
        (
            "eth0 hw ether 01:00:5e:00:00:01",
            "01:00:5e:00:00:01",
            libc::EINVAL,
        ),
        ("eth0 hw ax25 x", "ax25", libc::EOPNOTSUPP),
        ("eth0 alias", "eth0", libc::EINVAL),
        ("eth0 delete", "eth0", libc::EINVAL),
        ("eth0:0 ipx 12345678", "ipx", libc::EAFNOSUPPORT),
        ("eth0:0 tcp_nodelay", "tcp_nodelay", libc::EINVAL),
        ("eth0:0 tcp_nodelay 2", "tcp_nodelay", libc::EINVAL),
        ("eth0 metric 2", "metric", libc::EOPNOTSUPP),
        (
            "eth0 192.0.2.1 pointopoint 192.0.2.2",
            "pointopoint",
            libc::EOPNOTSUPP,
        ),
    ] {
        match command(line) {
            Err(Unread::Word(refusal)) => {
                assert_eq!(
                    (refusal.object.as_str(), refusal.errno),
                    (word, errno),
                    "{line}"
                );
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn flag_words() {
    for (line, style, word) in [
        ("--style aix --flags e08084b", Style::Aix, 0xe08_084b),
        ("--flags 0x8943 --style bsd", Style::Bsd, 0x8943),
        (
            "--flags 2001000849 --style solaris",
            Style::Solaris,
            0x20_0100_0849,
        ),
    ] {
        match command(line) {
            Ok(found) => assert_eq!(found, Ifconfig::Flags(style, word), "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn broadcast_addresses() {
    for (address, length, expected) in [
        ("10.16.32.8", 20, "10.16.47.255"),
        ("192.0.2.9", 24, "192.0.2.255"),
        ("192.0.2.9", 32, "192.0.2.9"),
        ("10.0.0.1", 8, "10.255.255.255"),
        ("10.0.0.1", 0, "255.255.255.255"),
    ] {
        let found = broadcast_of(address.parse().unwrap(), length);
        assert_eq!(found.to_string(), expected, "{address}/{length}");
    }
}
