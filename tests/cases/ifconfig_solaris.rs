//! `ifconfig` in Solaris's words, and what AIX and FreeBSD have beside Linux's.

use alias_tests::{Lab, Mode};

use crate::ifconfig::{addresses, ifconfig, is_attached, ok, refused, with_two};

#[track_caller]
fn prefix_len(lab: &Lab, alias: &str) -> u64 {
    lab.row(alias)["prefix_len"].as_u64().expect("a length")
}

#[test]
fn a_logical_interface_comes_and_goes() {
    let lab = Lab::attached(Mode::Native);
    // It comes with its address: without one there is nothing to match.
    let plumbed = ifconfig(&lab, "eth0:1 plumb").ok();
    assert!(
        plumbed.stderr.contains("ifconfig eth0:1 ADDRESS"),
        "{plumbed}"
    );
    assert!(lab.alias_names().is_empty());
    ok(&lab, "eth0 plumb");
    ok(&lab, "eth0:1 plumb 192.0.2.10 netmask + broadcast + up");
    assert_eq!(prefix_len(&lab, "eth0:1"), 24, "as the parent's network");
    assert_eq!(
        ok(&lab, "eth0 addif 192.0.2.11/24 up"),
        "Created new logical interface eth0:0\n"
    );
    assert_eq!(
        ok(&lab, "eth0 addif 198.51.100.12 netmask 255.255.255.0 up"),
        "Created new logical interface eth0:2\n"
    );
    for address in ["192.0.2.10", "192.0.2.11", "198.51.100.12"] {
        lab.b.ping_ok(address, 1);
    }
    let before = lab.snapshot();
    ok(&lab, "eth0:1 plumb 192.0.2.10 netmask + broadcast + up");
    ok(&lab, "eth0:1 plumb");
    lab.assert_unchanged(&before);
    ok(&lab, "eth0 removeif 192.0.2.11");
    assert_eq!(lab.alias_names(), ["eth0:1", "eth0:2"]);
    ok(&lab, "eth0:2 unplumb");
    ok(&lab, "eth0:1 unplumb");
    assert_eq!(addresses(&lab), ["192.0.2.9/24", "2001:db8:0:1::9/64"]);
}

#[test]
fn a_plus_is_the_network_that_is_known() {
    let lab = Lab::attached(Mode::Native);
    lab.a.ip("addr add 172.16.5.9/20 dev eth0");
    ok(&lab, "eth0:1 172.16.5.10 netmask + broadcast +");
    assert_eq!(prefix_len(&lab, "eth0:1"), 20, "the device's own network");
    ok(&lab, "eth0:2 10.1.2.3 netmask +");
    assert_eq!(prefix_len(&lab, "eth0:2"), 8, "else the class");
    ok(&lab, "eth0:2 set 10.1.2.3/16");
    assert_eq!(prefix_len(&lab, "eth0:2"), 16);
    let message = refused(
        &lab,
        "eth0:3 172.16.5.11 netmask + broadcast 172.16.255.255",
        "EINVAL",
    );
    assert!(message.contains("write 172.16.15.255"), "{message}");
    ok(&lab, "eth0 netmask + broadcast +");
    assert!(
        lab.a
            .ip("addr show dev eth0")
            .contains("192.0.2.9/24 brd 192.0.2.255")
    );
}

#[test]
fn what_would_lose_something_is_refused() {
    let lab = with_two();
    let message = refused(&lab, "eth0:0 plumb 198.51.100.77 netmask + up", "EEXIST");
    assert!(message.contains("198.51.100.8"), "{message}");
    refused(&lab, "eth0 addif 198.51.100.8/24 up", "EEXIST");
    refused(&lab, "eth0 removeif 198.51.100.99", "EADDRNOTAVAIL");
    let message = refused(&lab, "eth0 removeif 192.0.2.9", "EINVAL");
    assert!(
        message.contains("ifconfig eth0 192.0.2.9 delete"),
        "{message}"
    );
    refused(&lab, "eth0:7 unplumb", "ENODEV");
    let message = refused(&lab, "eth0 unplumb", "EOPNOTSUPP");
    assert!(message.contains("ifconfig eth0 detach"), "{message}");
}

#[test]
fn what_is_deprecated_is_no_source() {
    let lab = Lab::attached(Mode::Native);
    let is_deprecated = |address: &str| {
        let shown = lab.a.ip("addr show dev eth0");
        let line = shown.lines().find(|line| line.contains(address));
        line.unwrap_or_else(|| panic!("{address}: {shown}"))
            .contains("deprecated")
    };
    let source = || lab.a.ip("-6 route get 2001:db8:0:1::1");
    // Its address is the longer match, so that the kernel would choose it.
    ok(&lab, "eth0:6 2001:db8:0:1::3/64 -deprecated");
    assert!(source().contains("src 2001:db8:0:1::3 "), "{}", source());
    ok(&lab, "eth0:6 deprecated");
    assert!(is_deprecated("2001:db8:0:1::3/"));
    assert!(source().contains("src 2001:db8:0:1::9 "), "{}", source());
    lab.b.ping_ok("2001:db8:0:1::3", 1);
    let shown = ok(&lab, "--style solaris eth0:6");
    assert!(shown.contains(",DEPRECATED,"), "{shown}");
    ok(&lab, "eth0:6 -deprecated");
    assert!(!is_deprecated("2001:db8:0:1::3/"));
    ok(&lab, "eth0 addif 198.51.100.8/24 deprecated up");
    assert!(is_deprecated("198.51.100.8/24"));
    lab.b.ping_ok("198.51.100.8", 1);
    let message = refused(&lab, "eth0 deprecated", "EOPNOTSUPP");
    assert!(message.contains("preferred_lft 0"), "{message}");
    lab.ctl_ok(&["add", "eth0:9", "198.51.100.9/24", "--device"]);
    refused(&lab, "eth0:9 deprecated", "EOPNOTSUPP");
}

#[test]
fn solaris_listing() {
    let lab = with_two();
    let index = lab.a.ifindex("eth0");
    ok(&lab, "eth0:2 2001:db8:5::8/64");
    lab.ctl_ok(&["disable", "eth0:1"]);
    let [a, b, c, d, e, f] = lab.a.mac("eth0");
    let ether = format!("\tether {a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}\n");
    let up = "flags=1000843<UP,BROADCAST,RUNNING,MULTICAST,IPv4>";
    let shown = ok(&lab, "--style solaris -a");
    for block in [
        format!(
            "eth0: {up} mtu 1500 index {index}\n\
             \tinet 192.0.2.9 netmask ffffff00\n{ether}"
        ),
        format!(
            "eth0:0: {up} mtu 1500 index {index}\n\
             \tinet 198.51.100.8 netmask ffffff00 broadcast 198.51.100.255\n"
        ),
        format!(
            "eth0:1: flags=1000802<BROADCAST,MULTICAST,IPv4> mtu 1500 index {index}\n\
             \tinet 203.0.113.9 netmask ffffff00 broadcast 203.0.113.255\n"
        ),
        format!(
            "eth0:2: flags=2040841<UP,RUNNING,MULTICAST,DEPRECATED,IPv6> mtu 1500 index {index}\n\
             \tinet6 2001:db8:5::8/64\n"
        ),
    ] {
        assert!(shown.contains(&block), "{block}\nin\n{shown}");
    }
    assert!(
        shown.find("IPv6>") > shown.rfind("IPv4>"),
        "IPv4 first: {shown}"
    );
    let inet6 = ok(&lab, "--style solaris -a6");
    assert!(!inet6.contains("IPv4"), "{inet6}");
    assert!(inet6.contains("eth0:2: "), "{inet6}");
    let inet = ok(&lab, "--style solaris -a4");
    assert!(!inet.contains("IPv6"), "{inet}");
    let alone = ok(&lab, "--style solaris eth0");
    assert!(
        alone.contains("eth0: ") && !alone.contains("eth0:0"),
        "{alone}"
    );
    assert!(ok(&lab, "--style solaris -ad").contains("eth0:1: "));
}

#[test]
fn bsds_alias_said_twice_is_one() {
    let lab = Lab::attached(Mode::Native);
    for line in [
        "eth0 inet 192.0.2.10 netmask 255.255.255.255 alias",
        "eth0 inet6 2001:db8:0:1::10 prefixlen 128 alias",
        "eth0 add 198.51.100.8/24",
    ] {
        ok(&lab, line);
        let before = lab.snapshot();
        ok(&lab, line);
        lab.assert_unchanged(&before);
    }
    lab.b.ping_ok("192.0.2.10", 2);
    lab.wait_for_counter("eth0:0", "tx_packets", 2);
    ok(&lab, "eth0:0 inet 192.0.2.10 netmask 255.255.255.255 alias");
    // Another mask is another mask, of the same alias.
    ok(&lab, "eth0 inet 192.0.2.10 netmask 255.255.255.0 alias");
    assert_eq!(prefix_len(&lab, "eth0:0"), 24);
    assert_eq!(lab.counter("eth0:0", "rx_packets"), 2);
    lab.ctl_ok(&["disable", "eth0:0"]);
    ok(&lab, "eth0 inet 192.0.2.10/24 alias up");
    assert_eq!(lab.row("eth0:0")["enabled"], true);
    ok(&lab, "eth0 inet 192.0.2.11/24 alias no_dad");
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1", "eth0:2", "eth0:3"]);
}

#[test]
fn words_of_bsd_that_are_others_are_refused_by_name() {
    let lab = Lab::attached(Mode::Native);
    for (line, word, way) in [
        (
            "eth0 vhid 1 advskew 100 pass x alias 192.0.2.20/32",
            "vhid",
            "keepalived",
        ),
        (
            "eth0 alias 192.0.2.20/32 advskew 100",
            "advskew",
            "keepalived",
        ),
        ("eth0 alias 192.0.2.20/32 pass x", "pass", "keepalived"),
    ] {
        let message = refused(&lab, line, "EOPNOTSUPP");
        assert!(message.contains(&format!(" {word}: ")), "{message}");
        assert!(message.contains(way), "{message}");
    }
    let message = refused(&lab, "eth0 inet 192.0.2.20-29/32 alias", "EINVAL");
    let way = "alias-ctl add eth0 --range 192.0.2.20-192.0.2.29/32 --local";
    assert!(message.contains(way), "{message}");
}

#[test]
fn aixs_words() {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0 198.51.100.8/24 alias");
    let first = ifconfig(&lab, "eth0 firstalias 203.0.113.9 netmask 0xffffff00").ok();
    assert!(first.stderr.contains("ip route change"), "{first}");
    lab.b.ping_ok("203.0.113.9", 1);
    ok(&lab, "eth0 firstalias 203.0.113.9 netmask 0xffffff00");
    assert_eq!(lab.alias_names(), ["eth0:0", "eth0:1"]);
    ok(&lab, "eth0:0 tcp_nodelay 1 tcp_sendspace 131072 rfc1323 1");
    let words = |shown: String| {
        let line = shown.lines().find(|line| line.contains("tcp_sendspace"));
        line.unwrap_or_else(|| panic!("no options: {shown}"))
            .to_owned()
    };
    for line in [
        "--style aix eth0",
        "--style aix eth0:0",
        "eth0:0",
        "--style solaris eth0:0",
    ] {
        let words = words(ok(&lab, line));
        for word in ["tcp_nodelay 1", "tcp_sendspace 131072", "rfc1323 1"] {
            assert!(words.contains(word), "{line}: {words}");
        }
    }
    let shown = ok(&lab, "--style aix eth0:0");
    assert!(
        shown.contains("\n\t rfc1323 1 tcp_nodelay 1 tcp_sendspace 131072\n"),
        "{shown}"
    );
    assert!(!ok(&lab, "--style aix eth0:1").contains("rfc1323"));
}

#[test]
fn an_ipv4_alias_is_not_lost_to_ipv6() {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0:1 192.0.2.10/24");
    ok(&lab, "eth0:2 2001:db8:5::8/64");
    for line in [
        "eth0:1 inet6 add 2001:db8::9/64",
        "eth0:1 inet6 2001:db8::9/64",
        "eth0:1 2001:db8::9/64",
        "eth0:1 inet6 2001:db8::9 prefixlen 64 alias",
    ] {
        let message = refused(&lab, line, "EINVAL");
        let way = "alias-ctl ifconfig eth0 inet6 add 2001:db8::9/64";
        assert!(message.contains(way), "{line}: {message}");
        assert!(!message.contains("leave"), "{line}: {message}");
    }
    let message = refused(&lab, "eth0:2 198.51.100.8/24", "EINVAL");
    assert!(
        message.contains("ifconfig eth0 add 198.51.100.8/24"),
        "{message}"
    );
    // What it says does what was meant.
    ok(&lab, "eth0 inet6 add 2001:db8::9/64");
    lab.b.ping_ok("192.0.2.10", 1);
    assert!(is_attached(&lab));
}
