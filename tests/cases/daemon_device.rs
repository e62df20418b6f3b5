//! What becomes of aliases when their devices and addresses are changed by others.

use std::fs::File;

use alias_tests::{Namespace, RawSocket, Tap, wait_for};

use crate::daemon_stage::{BOTH, By, Stage, alias_links};
use crate::scene::{LIMIT, from_b_to_a};

/// The real name of an alias's device.
fn device(home: &Namespace, alias: &str) -> String {
    home.link(alias)["ifname"]
        .as_str()
        .expect("a name")
        .to_owned()
}

#[test]
fn deleted_takes_its_alias_and_those_that_joined() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24", "--join", "eth0:0"]);
        lab.ctl_ok(&["add", "eth0:2", "203.0.113.9/24"]);
        lab.a.ip(&format!("link del {}", device(&lab.a, "eth0:0")));
        stage.left(&["eth0:2"]);
        lab.b.ping_ok("203.0.113.9", 1);
        assert_eq!(alias_links(&lab.a).len(), 2, "{by:?}: eth0:2 and its port");
    }
}

#[test]
fn its_namespace_takes_it_along() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let home = lab.namespace("c0");
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
        lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24", "--join", "eth0:0"]);
        lab.ctl_ok(&["add", "eth0:2", "203.0.113.9/24"]);
        drop(home);
        // The kernel takes a namespace down some time later.
        wait_for("the devices to go", LIMIT, || {
            alias_links(&lab.a).len() == 2
        });
        stage.left(&["eth0:2"]);
        lab.b.ping_ok("203.0.113.9", 1);
    }
}

#[test]
fn moved_to_another_namespace_it_goes_on_there() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let homes = [lab.namespace("c0"), lab.namespace("c1")];
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24", "--join", "eth0:0"]);
        lab.b.ping_ok("198.51.100.8", 2);
        lab.wait_for_counter("eth0:0", "rx_packets", 2);
        let name = device(&lab.a, "eth0:0");
        let mut received = 2;
        let mut from = &lab.a;
        // Out, on to a third, and back beside the parent.
        for to in [&homes[0], &homes[1], &lab.a] {
            from.ip(&format!("link set {name} netns {}", to.name()));
            let expected = if std::ptr::eq(to, &lab.a) {
                serde_json::Value::Null
            } else {
                to.name().into()
            };
            stage.put_right("the alias to be where its device is", || {
                lab.row("eth0:0")["netns"] == expected && lab.row("eth0:1")["netns"] == expected
            });
            if !std::ptr::eq(to, &lab.a) {
                to.ip(&format!("route replace 192.0.2.0/24 dev {name}"));
            }
            lab.b.ping_ok("198.51.100.8", 2);
            lab.b.ping_ok("198.51.100.9", 1);
            received += 2;
            lab.wait_for_counter("eth0:0", "rx_packets", received);
            from = to;
        }
        assert_eq!(stage.of_eth0(), ["eth0:0", "eth0:1"], "{by:?}");
        lab.ctl_ok(&["del", "eth0:0", "eth0:1"]);
        assert_eq!(alias_links(&lab.a), [""; 0], "{by:?}");
    }
}

/// Whoever moves a device may give it another name.
#[test]
fn moved_and_renamed_it_goes_on() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let home = lab.namespace("c0");
        lab.ctl_ok(&["add", "eth0:0", "2001:db8:5::8/64"]);
        let name = device(&lab.a, "eth0:0");
        lab.a
            .ip(&format!("link set {name} netns {} name web0", home.name()));
        stage.put_right("the alias to be there", || {
            lab.row("eth0:0")["netns"] == home.name()
        });
        home.wait_until_up("web0");
        home.ip("-6 route replace 2001:db8:0:1::/64 dev web0");
        lab.b.ping_ok("2001:db8:5::8", 2);
    }
}

#[test]
fn an_address_that_is_taken_away_is_put_back() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let names: Vec<String> = (0..5).map(|slot| format!("eth0:{slot}")).collect();
        for (name, address) in names.iter().zip([
            "198.51.100.8/24",
            "198.51.100.9/24",
            "203.0.113.9/24",
            "2001:db8:5::8/64",
            "2001:db8:6::9/64",
        ]) {
            lab.ctl_ok(&["add", name, address, "--local"]);
        }
        for address in ["198.51.100.8/24", "203.0.113.9/24", "2001:db8:5::8/64"] {
            lab.a.ip(&format!("addr del {address} dev eth0"));
            stage.put_right(&format!("{address} to be there again"), || {
                lab.a.ip("addr show dev eth0").contains(address)
            });
            assert_eq!(stage.of_eth0(), names, "{by:?}");
        }
        for (family, network) in [
            ("-4", "198.51.100.0/24"),
            ("-4", "203.0.113.0/24"),
            ("-6", "2001:db8:5::/64"),
        ] {
            let route = lab.a.ip(&format!("{family} route show {network}"));
            assert!(route.contains("dev eth0"), "{by:?} {network}: {route}");
        }
        lab.b.ping_ok("198.51.100.8", 1);
        lab.b.ping_ok("2001:db8:5::8", 1);
        // To be rid of it, there is `del`.
        lab.ctl_ok(&["del", "eth0:2"]);
        assert!(!lab.a.ip("addr show dev eth0").contains("203.0.113.9"));
        assert_eq!(lab.a.ip("route show 203.0.113.0/24").trim(), "", "{by:?}");
    }
}

/// On its own device too.
#[test]
fn an_address_that_is_taken_from_a_device_is_put_back() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        let name = device(&lab.a, "eth0:0");
        lab.a.ip(&format!("addr del 198.51.100.8/24 dev {name}"));
        stage.put_right("the address to be there again", || {
            lab.a
                .ip(&format!("addr show dev {name}"))
                .contains("198.51.100.8/24")
        });
        assert_eq!(stage.of_eth0(), ["eth0:0"], "{by:?}");
    }
}

#[test]
fn a_to_device_that_comes_back_is_led_to_again() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let tap = Tap::open(&lab.a, "tap0");
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--to", "tap0"]);
        drop(tap);
        wait_for("the tap to go", LIMIT, || lab.a.find_link("tap0").is_none());
        stage.let_a_marker_pass();
        assert_eq!(stage.of_eth0(), ["eth0:0"], "{by:?}: it waits");
        let frame = from_b_to_a(lab)
            .ip(
                "192.0.2.1".parse().expect("v4"),
                "198.51.100.8".parse().expect("v4"),
            )
            .udp(5, 9, b"back")
            .padded()
            .build();
        let at_b = RawSocket::open(&lab.b, "eth0");
        at_b.send(&frame);
        lab.wait_for_counter("eth0:0", "dropped.no_target", 1);
        let tap = Tap::open(&lab.a, "tap0");
        stage.put_right("the alias to lead to it", || {
            lab.row("eth0:0")["device"] == "tap0"
        });
        at_b.send(&frame);
        let got = tap.receive(LIMIT, |got| got.windows(4).any(|word| word == b"back"));
        assert!(got.is_some(), "{by:?}");
    }
}

#[test]
fn a_to_device_with_another_name_is_led_to_still() {
    for by in BOTH {
        let stage = Stage::new(by);
        let lab = &stage.lab;
        let _tap = Tap::open(&lab.a, "tap0");
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--to", "tap0"]);
        lab.a.ip("link set tap0 down");
        lab.a.ip("link set tap0 name tap7");
        lab.a.ip("link set tap7 up");
        stage.let_a_marker_pass();
        assert_eq!(lab.row("eth0:0")["device"], "tap7", "{by:?}");
        // A stranger that takes the old name gets nothing.
        let _stranger = Tap::open(&lab.a, "tap0");
        stage.let_a_marker_pass();
        assert_eq!(lab.row("eth0:0")["device"], "tap7", "{by:?}");
    }
}

/// A namespace that only a descriptor keeps alive: no name and no process is in it.
#[test]
fn moved_to_where_nothing_leads_it_takes_its_alias_along() {
    let stage = Stage::new(By::NextCommand);
    let lab = &stage.lab;
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24"]);
    let hideout = lab.namespace("c0");
    let path = format!("/run/netns/{}", hideout.name());
    let held = File::open(path).expect("a namespace of our own");
    let name = device(&lab.a, "eth0:0");
    lab.a
        .ip(&format!("link set {name} netns {}", hideout.name()));
    drop(hideout);
    stage.left(&["eth0:1"]);
    assert_eq!(alias_links(&lab.a).len(), 2, "eth0:1 and its port");
    drop(held);
}
