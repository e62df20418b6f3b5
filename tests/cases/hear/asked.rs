//! `--hear`: what a device hears beside announcements, because somebody asked for it.

use alias_tests::{
    Lab, Mode, RawSocket,
    frame::{BROADCAST, Frame, frame},
    wait_for,
};
use serde_json::{Value, json};

use super::{ALL_NODES, Home, STRANGER, count, figure, mark, silent_lab, v4, v6};
use crate::configuration::desk::Desk;
use crate::scene::{LIMIT, MODES};

/// What somebody says to everybody and is no announcement, by who hears it: with multicast,
/// with broadcast; and whether it is an ARP question.
fn said() -> Vec<(&'static str, Frame, bool, bool)> {
    let group = |mac| frame().between(STRANGER, mac);
    let gateway = v4("192.0.2.1");
    let router = v6("fe80::1");
    vec![
        (
            "mDNS",
            group([1, 0, 0x5e, 0, 0, 0xfb])
                .ipv4(gateway, v4("224.0.0.251"))
                .udp(5353, 5353, b"x"),
            true,
            false,
        ),
        (
            "VRRP",
            group([1, 0, 0x5e, 0, 0, 0x12])
                .ipv4(gateway, v4("224.0.0.18"))
                .payload(112, &[0x21, 1, 100, 0, 0, 1, 0, 0]),
            true,
            false,
        ),
        (
            "a router advertisement",
            group(ALL_NODES)
                .ipv6(router, v6("ff02::1"))
                .payload(58, &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
            true,
            false,
        ),
        (
            "a solicitation for somebody else",
            group(ALL_NODES).solicitation(v6("2001:db8:0:1::1"), v6("2001:db8:0:1::9")),
            true,
            false,
        ),
        (
            "CFM",
            group([1, 0x80, 0xc2, 0, 0, 0x30]).raw(0x8902, &[0; 46]),
            true,
            false,
        ),
        (
            "LLDP",
            group([1, 0x80, 0xc2, 0, 0, 0x0e]).raw(0x88cc, &[0; 46]),
            false,
            false,
        ),
        (
            "DHCP",
            group(BROADCAST)
                .ipv4(v4("0.0.0.0"), v4("255.255.255.255"))
                .udp(68, 67, b"x"),
            false,
            true,
        ),
        (
            "to the network",
            group(BROADCAST)
                .ipv4(gateway, v4("192.0.2.255"))
                .udp(137, 137, b"x"),
            false,
            true,
        ),
        (
            "wake-on-LAN",
            group(BROADCAST).raw(0x0842, &[0xff; 102]),
            false,
            true,
        ),
        (
            "an ARP question",
            group(BROADCAST).arp_request(v4("192.0.2.77"), v4("192.0.2.9")),
            false,
            true,
        ),
    ]
}

/// Devices that asked for different things, in one namespace and in several, on a VLAN,
/// beside the parent, and behind `--to`.
#[test]
fn gives_a_device_that_and_nobody_else() {
    for mode in MODES {
        let lab = silent_lab(mode);
        lab.a.ip("link add v0 type veth peer name v1");
        lab.a.ip("link add v2 type veth peer name v3");
        for device in ["v0", "v1", "v2", "v3"] {
            lab.a.ip(&format!("link set {device} up"));
        }
        // What, where, whether multicast, whether broadcast, on which VLAN.
        type Words = [&'static str];
        let asked: [(&str, &Words, bool, bool, &[u16]); 9] = [
            ("nothing", &["--netns", "c0"], false, false, &[]),
            (
                "multicast",
                &["--netns", "c0", "--hear", "multicast"],
                true,
                false,
                &[],
            ),
            (
                "broadcast",
                &["--netns", "c0", "--hear", "broadcast"],
                false,
                true,
                &[],
            ),
            (
                "both",
                &["--netns", "c1", "--hear", "broadcast,multicast"],
                true,
                true,
                &[],
            ),
            (
                "both on VLAN 10",
                &[
                    "--netns",
                    "c1",
                    "--vlan",
                    "10",
                    "--hear",
                    "multicast,broadcast",
                ],
                true,
                true,
                &[10],
            ),
            (
                "nothing on VLAN 10",
                &["--netns", "c1", "--vlan", "10"],
                false,
                false,
                &[10],
            ),
            (
                "beside",
                &["--hear", "multicast,broadcast"],
                true,
                true,
                &[],
            ),
            (
                "to v0",
                &["--to", "v0", "--hear", "multicast,broadcast"],
                true,
                true,
                &[],
            ),
            ("to v2", &["--to", "v2"], false, false, &[]),
        ];
        let homes = ["c0", "c1"].map(|name| lab.namespace(name));
        let mut ears = Vec::new();
        for (slot, (_, words, ..)) in asked.iter().enumerate() {
            let name = |word: &str| match word {
                "c0" => homes[0].name().to_owned(),
                "c1" => homes[1].name().to_owned(),
                word => word.to_owned(),
            };
            let words: Vec<String> = words.iter().map(|word| name(word)).collect();
            let alias = format!("eth0:{slot}");
            let address = format!("198.51.100.{}/24", slot + 10);
            let mut line = vec!["add", &alias, &address];
            line.extend(words.iter().map(String::as_str));
            lab.ctl_ok(&line);
            let (place, device) = match (words.first().map(String::as_str), slot) {
                (Some("--netns"), 0..=2) => (&homes[0], lab.device(&alias)),
                (Some("--netns"), _) => (&homes[1], lab.device(&alias)),
                (Some("--to"), 7) => (&lab.a, "v1".to_owned()),
                (Some("--to"), _) => (&lab.a, "v3".to_owned()),
                _ => (&lab.a, lab.device(&alias)),
            };
            place.wait_until_up(&device);
            ears.push(RawSocket::open(place, &device));
        }
        let speaks = RawSocket::open(&lab.b, "eth0");
        for vlan in [&[][..], &[10]] {
            for (what, built, is_multicast, is_broadcast) in said() {
                let plain = built.clone().build();
                let tagged = vlan.iter().fold(built, |frame, id| frame.vlan(*id));
                speaks.send(&tagged.build());
                mark(&speaks, &[]);
                mark(&speaks, &[10]);
                let mut copies = 0;
                let question = what == "an ARP question";
                for ((who, _, multicast, broadcast, of), ear) in asked.iter().zip(&ears) {
                    if *who == "to v2" {
                        // Hears nothing at all, not even a marker.
                        continue;
                    }
                    let expected = *of == vlan
                        && (*multicast && is_multicast || *broadcast && is_broadcast)
                        && !(question && *who == "beside");
                    let heard = count(&format!("{mode:?} {who}: {what}"), ear, |got| {
                        got.starts_with(&plain)
                    });
                    assert_eq!(
                        heard,
                        usize::from(expected),
                        "{mode:?} {vlan:?} {who}: {what}"
                    );
                    copies += heard;
                }
                assert!(copies > 0 || what == "LLDP", "nobody heard {what}");
            }
        }
        // Nobody answered for others, and v2 was told nothing.
        assert_eq!(lab.counter("eth0:6", "dropped.spoof"), 0, "{mode:?}");
        // All that was said before has been counted.
        lab.b.ping_ok("192.0.2.9", 1);
        let heard = figure(&lab, "heard");
        speaks.send(
            &frame()
                .between(STRANGER, [1, 0x80, 0xc2, 0, 0, 0])
                .raw(0x88cc, &[0; 46])
                .build(),
        );
        mark(&speaks, &[]);
        count("the last", &ears[0], |_| true);
        // Of those without a VLAN only v2 does not hear the marker.
        wait_for("the marker's copies", LIMIT, || {
            figure(&lab, "heard") - heard >= 6
        });
        assert_eq!(figure(&lab, "heard") - heard, 6, "{mode:?}");
        let v3 = ears.last().expect("that of v3");
        let none = v3.receive(std::time::Duration::from_millis(1), |_| true);
        assert_eq!(none, None, "{mode:?}: a --to device that asked for nothing");
    }
}

fn all_multicast(lab: &Lab) -> bool {
    let link = lab.a.link("eth0");
    let flags = link["flags"].as_array().cloned().unwrap_or_default();
    flags.iter().any(|flag| flag == "ALLMULTI")
}

#[test]
fn is_changed_in_place_and_the_nic_takes_what_is_heard() {
    let lab = Lab::attached(Mode::Native);
    let home = Home::with(&lab, "c0", "eth0:0", "192.0.2.50/24", &[]);
    home.place
        .ip(&format!("route add 203.0.113.0/24 dev {}", home.device));
    let index = home.place.ifindex(&home.device);
    let hears = |alias: &str| lab.row(alias)["hear"].clone();
    assert_eq!(hears("eth0:0"), json!([]));
    assert!(!all_multicast(&lab));
    for (words, listed, all) in [
        ("multicast", json!(["multicast"]), true),
        ("broadcast", json!(["broadcast"]), false),
        (
            "multicast,broadcast",
            json!(["multicast", "broadcast"]),
            true,
        ),
        ("none", json!([]), false),
        ("multicast", json!(["multicast"]), true),
    ] {
        lab.ctl_ok(&["set", "eth0:0", "--hear", words]);
        assert_eq!(hears("eth0:0"), listed, "{words}");
        assert_eq!(all_multicast(&lab), all, "{words}");
        assert_eq!(
            home.place.ifindex(&home.device),
            index,
            "{words}: another device"
        );
        assert!(home.place.ip("route").contains("203.0.113.0/24"), "{words}");
    }
    assert!(lab.ctl_ok(&["show"]).contains("HEAR"));
    // Another change keeps it, and growth; a second that hears; the last one ends it.
    lab.ctl_ok(&["set", "eth0:0", "192.0.2.51/24"]);
    lab.ctl_ok(&["set", "eth0", "--capacity", "70000"]);
    assert_eq!(hears("eth0:0"), json!(["multicast"]));
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.52/24", "--hear", "multicast"]);
    lab.ctl_ok(&["del", "eth0:0"]);
    assert!(all_multicast(&lab));
    lab.ctl_ok(&["set", "eth0:1", "--drop"]);
    assert_eq!(hears("eth0:1"), json!([]), "it has no device any more");
    assert!(!all_multicast(&lab));
    // Said twice is once; without the word it stays.
    for _ in 0..2 {
        lab.ctl_ok(&["add", "eth0:2", "192.0.2.53/24", "--hear", "multicast"]);
        lab.ctl_ok(&["add", "eth0:2", "192.0.2.53/24"]);
        assert_eq!(hears("eth0:2"), json!(["multicast"]));
    }
    // Taken away by others it is missed.
    lab.a.ip("link set eth0 allmulticast off");
    let output = lab.ctl(&["doctor", "eth0"]);
    assert_eq!(output.code(), 1, "{output}");
    assert!(
        output
            .stdout
            .contains("ip link set dev eth0 allmulticast on"),
        "{output}"
    );
    let output = lab.ctl(&["enable", "eth0:2"]);
    assert!(output.stderr.contains("set again"), "{output}");
    assert!(all_multicast(&lab));
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    assert!(!all_multicast(&lab));
    // What was set by others stays.
    lab.a.ip("link set eth0 allmulticast on");
    lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24", "--hear", "multicast"]);
    lab.ctl_ok(&["del", "eth0:0"]);
    assert!(all_multicast(&lab));
}

#[test]
fn of_what_has_no_device_or_is_unknown_is_refused() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "192.0.2.50/24"]);
    lab.ctl_ok(&["add", "eth0:1", "192.0.2.51", "--drop"]);
    lab.ctl_ok(&["add", "eth0:2", "192.0.2.52/24", "--join", "eth0:0"]);
    lab.ctl_ok(&["add", "eth0:3", "192.0.2.53/24", "--local"]);
    for alias in ["eth0:1", "eth0:2", "eth0:3"] {
        let message = lab.ctl_refused(&["set", alias, "--hear", "multicast"], "EINVAL");
        assert!(message.contains("no device of its own"), "{message}");
    }
    for word in ["all", "multicast;broadcast", ""] {
        lab.ctl_refused(&["set", "eth0:0", "--hear", word], "EINVAL");
    }
    for target in [&["--drop"][..], &["--local"], &["--join", "eth0:0"]] {
        let line = [
            &["add", "eth0:9", "192.0.2.59", "--hear", "multicast"][..],
            target,
        ]
        .concat();
        assert_eq!(lab.ctl(&line).code(), 2, "{target:?}");
    }
}

#[test]
fn is_saved_restored_declared_and_compared() {
    let desk = Desk::attached();
    let lab = &desk.lab;
    lab.ctl_ok(&[
        "add",
        "eth0:0",
        "198.51.100.8/24",
        "--hear",
        "multicast,broadcast",
    ]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9/24"]);
    let rows = lab.rows();
    lab.ctl_ok(&["save"]);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    lab.ctl_ok(&["restore"]);
    let without_device = |rows: &[Value]| -> Vec<Value> {
        let hear = |row: &Value| json!([row["alias"], row["hear"]]);
        rows.iter().map(hear).collect()
    };
    assert_eq!(without_device(&lab.rows()), without_device(&rows));
    assert_eq!(lab.ctl(&["diff"]).code(), 0);
    let device = lab.a.ifindex(&lab.device("eth0:0"));
    let declare = |hear: &str| {
        let text = format!(
            "version = 1\n[[parent]]\nname = \"eth0\"\n\
             [[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8/24\"\n{hear}\n\
             [[alias]]\nname = \"eth0:1\"\naddress = \"198.51.100.9/24\"\n"
        );
        desk.write(&text)
    };
    for (key, listed) in [
        ("hear = \"broadcast\"", json!(["broadcast"])),
        ("", json!([])),
        (
            "hear = \"multicast,broadcast\"",
            json!(["multicast", "broadcast"]),
        ),
    ] {
        let file = declare(key);
        let differs = lab.ctl(&["diff", &file]);
        assert_eq!(differs.code(), 1, "{key}: {differs}");
        lab.ctl_ok(&["apply", &file]);
        assert_eq!(lab.row("eth0:0")["hear"], listed, "{key}");
        assert_eq!(lab.ctl(&["diff", &file]).code(), 0, "{key}");
        let now = lab.a.ifindex(&lab.device("eth0:0"));
        assert_eq!(now, device, "{key}: another device");
    }
    for (key, says) in [
        ("hear = \"all\"", "unknown"),
        ("hear = \"multicast\"\ntarget = \"drop\"", "no device"),
        ("hear = 1", "a string"),
    ] {
        let message = lab.ctl_err(&["apply", &declare(key)], "EINVAL");
        assert!(message.contains(says), "{key}: {message}");
    }
}
