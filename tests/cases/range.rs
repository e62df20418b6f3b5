//! Many at once: ranges of both families, their slots, duplicates, and all of
//! them away again.

use alias_tests::{Lab, Mode, Namespace, RawSocket, Snapshot, assert_unchanged};

use crate::scene::{FAMILIES, Family, PLACES, Place, from_b_to_a, ip};

/// The slots of all aliases, in the order of the list.
#[track_caller]
fn slots(lab: &Lab) -> Vec<u64> {
    let slot = |row: &serde_json::Value| row["slot"].as_u64().expect("a slot");
    lab.rows().iter().map(slot).collect()
}

#[track_caller]
fn check_thousand(range: &str, family: Family, samples: [(u64, &str); 4]) {
    let lab = Lab::attached(Mode::Native);
    let before = lab.snapshot();
    lab.ctl_ok(&["add", "eth0", "--range", range, "--drop"]);
    assert_eq!(slots(&lab), (0..1000).collect::<Vec<_>>());
    let at_b = RawSocket::open(&lab.b, "eth0");
    for (slot, address) in samples {
        let alias = format!("eth0:{slot}");
        assert_eq!(lab.row(&alias)["address"], address);
        for number in 0..=slot {
            let built =
                from_b_to_a(&lab)
                    .ip(family.b_ip(), ip(address))
                    .udp(5, number as u16, b"sample");
            at_b.send(&built.padded().build());
        }
        lab.wait_for_counter(&alias, "dropped.policy", slot + 1);
    }
    lab.ctl_ok(&["del", "eth0", "--all"]);
    lab.assert_unchanged(&before);
}

#[test]
fn a_thousand_drops_v4() {
    check_thousand(
        "198.18.0.0-198.18.3.231",
        Family::V4,
        [
            (0, "198.18.0.0"),
            (7, "198.18.0.7"),
            (256, "198.18.1.0"),
            (999, "198.18.3.231"),
        ],
    );
}

#[test]
fn a_thousand_drops_v6() {
    check_thousand(
        "2001:db8:5::-2001:db8:5::3e7",
        Family::V6,
        [
            (0, "2001:db8:5::"),
            (7, "2001:db8:5::7"),
            (256, "2001:db8:5::100"),
            (999, "2001:db8:5::3e7"),
        ],
    );
}

/// Pings one alias of many in a namespace: the way back is by its own device.
#[track_caller]
fn check_sample(lab: &Lab, home: &Namespace, family: Family, slot: u64, address: &str) {
    let row = lab.row(&format!("eth0:{slot}"));
    assert_eq!(row["address"], address);
    let device = row["device"].as_str().expect("a device alias has a device");
    home.ip(&format!("route replace {} dev {device}", family.cable()));
    lab.b.ping_ok(address, 2);
    for counter in ["rx_packets", "tx_packets"] {
        lab.wait_for_counter(&format!("eth0:{slot}"), counter, 2);
    }
}

#[test]
fn sixty_four_devices_in_a_namespace_answer() {
    for family in FAMILIES {
        let lab = Lab::attached(Mode::Native);
        let home = lab.namespace("c0");
        let (before, host) = (Snapshot::of(&home), lab.snapshot());
        let (range, samples) = match family {
            Family::V4 => (
                "198.51.100.64/26",
                ["198.51.100.64", "198.51.100.97", "198.51.100.127"],
            ),
            Family::V6 => (
                "2001:db8:5::40-2001:db8:5::7f",
                ["2001:db8:5::40", "2001:db8:5::61", "2001:db8:5::7f"],
            ),
        };
        lab.ctl_ok(&["add", "eth0", "--range", range, "--netns", home.name()]);
        assert_eq!(slots(&lab), (0..64).collect::<Vec<_>>());
        for (slot, address) in [0, 33, 63].into_iter().zip(samples) {
            check_sample(&lab, &home, family, slot, address);
        }
        home.ip(&format!("route flush {}", family.cable()));
        lab.ctl_ok(&["del", "eth0", "--all"]);
        lab.assert_unchanged(&host);
        assert_unchanged(&before, &Snapshot::of(&home));
    }
}

#[test]
fn ranges_that_share_one_device_or_none_answer() {
    for place in PLACES {
        for family in FAMILIES {
            let lab = Lab::attached(Mode::Native);
            let before = lab.snapshot();
            let (range, samples, length) = match family {
                Family::V4 => ("198.51.100.64/27", ["198.51.100.64", "198.51.100.95"], "24"),
                Family::V6 => (
                    "2001:db8:5::40/123",
                    ["2001:db8:5::40", "2001:db8:5::5f"],
                    "64",
                ),
            };
            let target = match place {
                Place::SameHost => &["--local"][..],
                Place::OwnNamespace => &["--join", "eth0:100"],
            };
            if place == Place::OwnNamespace {
                let owner = format!("{}/{length}", family.alias(1));
                lab.ctl_ok(&["add", "eth0:100", &owner]);
            }
            let add = ["add", "eth0", "--range", range, "--prefix-len", length];
            lab.ctl_ok(&[&add[..], target].concat());
            for sample in samples {
                lab.b.ping_ok(sample, 1);
            }
            lab.ctl_ok(&["del", "eth0", "--all"]);
            lab.assert_unchanged(&before);
        }
    }
}

#[test]
fn an_address_that_is_taken_refuses_the_whole_range() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:3", "198.18.0.15", "--drop"]);
    lab.ctl_ok(&["add", "eth0:9", "2001:db8:5::8", "--drop"]);
    for (range, taken) in [
        ("198.18.0.15-198.18.0.99", "eth0:3"),
        ("198.18.0.0/28", "eth0:3"),
        ("198.18.0.10-198.18.0.20", "eth0:3"),
        ("2001:db8:5::/124", "eth0:9"),
    ] {
        for target in ["--drop", "--device"] {
            let message = lab.ctl_refused(&["add", "eth0", "--range", range, target], "EEXIST");
            assert!(message.contains(taken), "it names {taken}: {message}");
        }
    }
    // The parent's own address is in the middle.
    lab.ctl_refused(
        &["add", "eth0", "--range", "192.0.2.8/29", "--drop"],
        "EEXIST",
    );
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0-198.18.0.14", "--drop"]);
    lab.ctl_refused(
        &[
            "add",
            "eth0",
            "--range",
            "198.18.0.14-198.18.0.14",
            "--drop",
        ],
        "EEXIST",
    );
}

#[test]
fn a_range_begins_at_its_start_and_leaves_out_taken_slots() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:102", "203.0.113.9", "--drop"]);
    let add = |range, start| {
        lab.ctl_ok(&["add", "eth0", "--range", range, "--start", start, "--drop"]);
    };
    add("198.18.0.0/30", "100");
    assert_eq!(slots(&lab), [102, 100, 101, 103, 104]);
    assert_eq!(lab.row("eth0:103")["address"], "198.18.0.2");
    add("198.18.1.0/31", "0");
    assert_eq!(slots(&lab), [102, 100, 101, 103, 104, 0, 1]);
    lab.ctl_ok(&["del", "eth0", "--all"]);
    assert_eq!(slots(&lab), [] as [u64; 0]);
}

#[test]
fn what_is_no_range_is_einval() {
    let lab = Lab::attached(Mode::Native);
    for range in [
        "198.18.0.0",
        "198.18.0.9-198.18.0.1",
        "198.18.0.1/30",
        "198.18.0.0/33",
        "198.18.0.0-2001:db8::1",
        "2001:db8::/32",
        "223.255.255.255-224.0.0.1",
        "198.18.0.1-",
        "-",
        "",
    ] {
        let range = format!("--range={range}");
        lab.ctl_refused(&["add", "eth0", &range, "--drop"], "EINVAL");
    }
    lab.ctl_refused(
        &["add", "eth0:0", "--range", "198.18.0.0/30", "--drop"],
        "EINVAL",
    );
}

/// `A-B/LENGTH`: each has the length, whatever it is for, and in a file too.
#[test]
fn a_range_with_a_length_gives_it_to_each() {
    for (range, options, wanted) in [
        ("198.51.100.20-198.51.100.60/24", &["--local"][..], 24),
        ("198.51.100.20/24-198.51.100.60/24", &["--device"], 24),
        ("2001:db8:5::20-2001:db8:5::3f/64", &["--local"], 64),
        ("198.51.100.20-198.51.100.60", &["--local"], 32),
        (
            "198.51.100.20-198.51.100.60",
            &["--local", "--prefix-len", "25"],
            25,
        ),
        (
            "198.51.100.20-198.51.100.60/24",
            &["--local", "--prefix-len", "24"],
            24,
        ),
    ] {
        let lab = Lab::attached(Mode::Native);
        lab.ctl_ok(&[&["add", "eth0", "--range", range], options].concat());
        let rows = lab.rows();
        assert!(rows.len() > 30, "{range}");
        for row in &rows {
            assert_eq!(row["prefix_len"], wanted, "{range} {options:?}: {row}");
        }
        lab.ctl_ok(&["del", "eth0", "--range", range]);
        assert_eq!(lab.rows().len(), 0, "{range}");
    }
    let lab = Lab::attached(Mode::Native);
    let twice = [
        "add",
        "eth0",
        "--range",
        "198.51.100.20-198.51.100.60/24",
        "--prefix-len",
        "25",
    ];
    let output = lab.ctl(&twice);
    assert_eq!(output.code(), 2, "{}", output.stderr);
    for wrong in [
        "198.51.100.20/24-198.51.100.60",
        "198.51.100.20/24-198.51.100.60/25",
        "198.51.100.20-198.51.100.60/33",
    ] {
        lab.ctl_refused(&["add", "eth0", "--range", wrong, "--local"], "EINVAL");
    }
    assert_eq!(lab.rows().len(), 0);
}

/// By their addresses or by their numbers: all that are named, or none.
#[test]
fn a_range_goes_as_it_came() {
    let lab = Lab::attached(Mode::Native);
    let before = lab.snapshot();
    let range = "198.51.100.20-198.51.100.60/24";
    lab.ctl_ok(&["add", "eth0", "--range", range, "--local"]);
    lab.ctl_ok(&["add", "eth0:100", "2001:db8:5::1", "--drop"]);
    let refused = |words: &[&str], errno: &str, names: &str| {
        let rows = lab.rows();
        let message = lab.ctl_refused(&[&["del"], words].concat(), errno);
        assert!(message.contains(names), "{words:?}: {message}");
        assert_eq!(lab.rows(), rows, "{words:?}");
    };
    let missing = "198.51.100.61";
    let (a, b) = ("198.51.100.58-198.51.100.70", "198.51.100.0/24");
    refused(&["eth0", "--range", a], "EADDRNOTAVAIL", missing);
    refused(&["eth0", "--range", b], "EADDRNOTAVAIL", "198.51.100.0");
    refused(
        &["eth0", "--range", "2001:db8:5::1-2001:db8:5::ffff:ffff"],
        "EADDRNOTAVAIL",
        "::2",
    );
    refused(
        &["eth0", "--range", "198.51.100.30-198.51.100.20"],
        "EINVAL",
        "backwards",
    );
    refused(
        &[
            "eth0",
            "--range",
            "198.51.100.30-198.51.100.33",
            "--vlan",
            "7",
        ],
        "EADDRNOTAVAIL",
        "198.51.100.30",
    );
    refused(&["eth0:30-41"], "ENODEV", "eth0:41");
    refused(&["eth0:0-4294967295"], "ENODEV", "eth0:41");
    refused(&["eth0:5-4"], "EINVAL", "backwards");
    refused(&["other0:0-3"], "ENODEV", "other0");
    refused(&["eth0:0", "eth0:90-91"], "ENODEV", "eth0:90");
    lab.ctl_ok(&["del", "eth0:10-40"]);
    assert_eq!(slots(&lab), (0..10).chain([100]).collect::<Vec<_>>());
    lab.ctl_ok(&["del", "eth0", "--range", "198.51.100.20-198.51.100.23"]);
    lab.ctl_ok(&["del", "eth0:4-6", "eth0:7", "eth0:5-9", "eth0:100-100"]);
    assert_eq!(slots(&lab), [0u64; 0]);
    lab.assert_unchanged(&before);
    lab.ctl_ok(&["add", "eth0", "--range", range, "--local"]);
    assert_eq!(slots(&lab), (0..41).collect::<Vec<_>>());
    lab.ctl_ok(&["del", "eth0", "--range", range]);
    lab.assert_unchanged(&before);
}
