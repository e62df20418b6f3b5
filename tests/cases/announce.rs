//! Announcing is a verb: whoever moves an address, loses a cable or fails over says so,
//! and neighbours hear it. What cannot be announced is said, with the true reason.

use std::time::{Duration, Instant};

use alias_tests::{Lab, Mode, RawSocket, comes_true, frame::read};

use crate::neighbours::announces;
use crate::scene::{FAMILIES, Family, LIMIT, PLACES, Place, Scene};

/// Whether a frame announces the family's alias of that number.
fn is_of(frame: &[u8], family: Family, number: usize) -> bool {
    read(frame).is_some_and(|seen| announces(&seen, family, family.alias(number)))
}

/// How many announcements of aliases 0, 1 and 2 came before the answer to an echo
/// request, which was asked for last.
#[track_caller]
fn heard(lab: &Lab, at_b: &RawSocket, family: Family) -> [usize; 3] {
    lab.b.ping_ok(family.a(), 1);
    let earlier = at_b.all_before("the echo reply", LIMIT, |got| {
        read(got).is_some_and(|seen| seen.echo_reply().is_some())
    });
    [0, 1, 2].map(|number| {
        let is_one = |frame: &&Vec<u8>| is_of(frame, family, number);
        earlier.iter().filter(is_one).count()
    })
}

#[test]
fn the_verb_names_an_alias_a_device_or_all() {
    for family in FAMILIES {
        for place in PLACES {
            let mut scene = Scene::empty(Lab::builder().mode(Mode::Native), family, place);
            scene.add("eth0:0", 0, &[]);
            scene.add("eth0:1", 1, &["--no-announce"]);
            let lab = &scene.lab;
            lab.ctl_ok(&["add", "eth0:2", family.alias(2), "--drop"]);
            for (words, expected) in [
                (&["eth0:0"][..], [1, 0, 0]),
                (&["eth0"], [1, 0, 0]),
                (&["--all"], [1, 0, 0]),
                // Who names it wants it announced.
                (&["eth0:1"], [0, 1, 0]),
                (&["eth0:0", "eth0:1"], [1, 1, 0]),
                (&["eth0:1", "--announce-count", "3"], [0, 3, 0]),
            ] {
                let at_b = RawSocket::open(&lab.b, "eth0");
                lab.ctl_ok(&[&["announce"], words].concat());
                let what = format!("{family:?} {place:?} {words:?}");
                assert_eq!(heard(lab, &at_b, family), expected, "{what}");
            }
            lab.ctl_err(&["announce", "eth0:2"], "EOPNOTSUPP");
            lab.ctl_ok(&["disable", "eth0:0"]);
            lab.ctl_err(&["announce", "eth0:0"], "EOPNOTSUPP");
            lab.ctl_err(&["announce", "eth0:9"], "ENODEV");
            lab.ctl_err(&["announce", "eth9"], "ENODEV");
        }
    }
}

#[test]
fn who_asks_for_what_is_there_has_it_announced() {
    for family in FAMILIES {
        let mut scene = Scene::empty(
            Lab::builder().mode(Mode::Native),
            family,
            Place::OwnNamespace,
        );
        scene.add("eth0:0", 0, &[]);
        let lab = &scene.lab;
        for (words, expected) in [
            (&["enable", "eth0:0"][..], 1),
            (&["enable", "eth0:0", "--announce-count", "2"], 2),
            (&["set", "eth0:0", family.alias(0)], 1),
            (
                &["set", "eth0:0", family.alias(0), "--announce-count", "2"],
                2,
            ),
            (&["set", "eth0:0", family.alias(0), "--no-announce"], 0),
            (&["disable", "eth0:0"], 0),
        ] {
            let at_b = RawSocket::open(&lab.b, "eth0");
            lab.ctl_ok(words);
            assert_eq!(
                heard(lab, &at_b, family),
                [expected, 0, 0],
                "{family:?} {words:?}"
            );
        }
    }
}

#[test]
fn restore_announces_what_was_there_as_what_it_makes() {
    let directory = std::env::temp_dir().join(format!("alias-announce-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("aliases.toml");
    let path = file.to_str().expect("a path in UTF-8");
    for family in FAMILIES {
        let lab = Lab::builder()
            .mode(Mode::Native)
            .env("ALIAS_CONFIG", path)
            .build();
        for number in [0, 1] {
            let name = format!("eth0:{number}");
            lab.ctl_ok(&["add", &name, family.alias(number), "--local"]);
        }
        lab.ctl_ok(&["save"]);
        lab.ctl_ok(&["del", "eth0:1"]);
        for (name, expected) in [("one is missing", [1, 1, 0]), ("none is", [1, 1, 0])] {
            let at_b = RawSocket::open(&lab.b, "eth0");
            lab.ctl_ok(&["restore"]);
            assert_eq!(heard(&lab, &at_b, family), expected, "{family:?}: {name}");
        }
        let at_b = RawSocket::open(&lab.b, "eth0");
        lab.ctl_ok(&["restore", "--dry-run"]);
        assert_eq!(heard(&lab, &at_b, family), [0; 3], "{family:?}: a dry run");
        let at_b = RawSocket::open(&lab.b, "eth0");
        lab.ctl_ok(&["restore", "eth0", "--announce-count", "2"]);
        assert_eq!(heard(&lab, &at_b, family), [2, 2, 0], "{family:?}: twice");
    }
    std::fs::remove_dir_all(&directory).expect("our own directory");
}

/// A count goes with `add` too, for one and for many.
#[test]
fn what_is_added_is_announced_so_many_times() {
    let lab = Lab::attached(Mode::Native);
    let at_b = RawSocket::open(&lab.b, "eth0");
    let count = ["--announce-count", "3", "--local"];
    lab.ctl_ok(&[&["add", "eth0:0", "198.51.100.8"], &count[..]].concat());
    assert_eq!(heard(&lab, &at_b, Family::V4), [3, 0, 0]);
    lab.ctl_ok(
        &[
            &["add", "eth0", "--range", "198.51.100.9-198.51.100.10"],
            &count[..],
        ]
        .concat(),
    );
    assert_eq!(heard(&lab, &at_b, Family::V4), [0, 0, 3]);
    assert_eq!(
        lab.ctl(&["announce", "eth0", "--announce-count", "0"])
            .code(),
        2
    );
}

/// Takes A's carrier away, or gives it back.
#[track_caller]
fn cable(lab: &Lab, state: &str) {
    lab.b.ip(&format!("link set eth0 {state}"));
    let running = state == "up";
    let is_so = || {
        let flags = &lab.a.link("eth0")["flags"];
        let has = |wanted: &str| {
            flags
                .as_array()
                .is_some_and(|flags| flags.iter().any(|flag| flag == wanted))
        };
        has("LOWER_UP") == running && (lab.a.link("eth0")["operstate"] == "UP") == running
    };
    assert!(comes_true(LIMIT, is_so), "the carrier is not {state}");
}

#[test]
fn without_a_carrier_that_is_said_at_once() {
    let lab = Lab::attached(Mode::Native);
    cable(&lab, "down");
    let began = Instant::now();
    let output = lab.ctl(&["add", "eth0:0", "198.51.100.8/24"]);
    assert_eq!(output.code(), 0, "{output}");
    for (words, is_said) in [
        ("eth0: announce: it has no carrier (ENETDOWN)", true),
        ("alias-ctl daemon announces when the carrier comes", true),
        ("ENOBUFS", false),
    ] {
        assert_eq!(output.stderr.contains(words), is_said, "{words}: {output}");
    }
    lab.ctl_err(&["announce", "eth0:0"], "ENETDOWN");
    lab.ctl_ok(&["enable", "eth0:0"]);
    // A second for each is what a queue that never empties was waited for.
    assert!(began.elapsed() < Duration::from_secs(LIMIT.as_secs()));
    cable(&lab, "up");
    lab.ctl_ok(&["announce", "eth0:0"]);
}

#[test]
fn the_daemon_announces_when_the_carrier_comes_and_comes_back() {
    for family in FAMILIES {
        for place in PLACES {
            let mut scene = Scene::empty(Lab::builder().mode(Mode::Native), family, place);
            let daemon = scene.lab.daemon(&[]);
            cable(&scene.lab, "down");
            scene.add("eth0:0", 0, &[]);
            let at_b = RawSocket::open_on_all(&scene.lab.b);
            for round in ["comes", "comes back", "comes back again"] {
                cable(&scene.lab, "up");
                at_b.expect(
                    &format!("{family:?} {place:?}: the carrier {round}"),
                    LIMIT,
                    |got| is_of(got, family, 0),
                );
                cable(&scene.lab, "down");
            }
            drop(daemon);
        }
    }
}

/// Many are announced at a pace that a switch bears, and a command that made many does not
/// keep the others waiting for it.
#[test]
fn many_are_announced_at_a_pace() {
    const MANY: usize = 16_384;
    let lab = Lab::attached(Mode::Native);
    let at_b = RawSocket::open(&lab.b, "eth0");
    let output = lab.ctl(&["add", "eth0", "--range", "198.18.0.0/18", "--local"]);
    assert_eq!(output.code(), 0, "{output}");
    // 5,000 in half a second, by the pace.
    let warned = format!("of {MANY} aliases were announced in 500 ms (ETIMEDOUT)");
    assert!(output.stderr.contains(&warned), "{output}");
    assert!(
        output.stderr.contains("alias-ctl announce eth0"),
        "{output}"
    );
    lab.b.ping_ok(Family::V4.a(), 1);
    let is_one = |got: &Vec<u8>| {
        read(got).is_some_and(|seen| seen.arp.is_some_and(|arp| arp.sender == arp.target))
    };
    let reply = |got: &[u8]| read(got).is_some_and(|seen| seen.echo_reply().is_some());
    let told = at_b.all_before("the echo reply", LIMIT, reply);
    let told = told.iter().filter(|got| is_one(got)).count();
    assert!((1..=5_100).contains(&told), "{told} in half a second");

    let at_b = RawSocket::open(&lab.b, "eth0");
    let began = Instant::now();
    lab.ctl_ok(&["announce", "eth0"]);
    let took = began.elapsed();
    lab.b.ping_ok(Family::V4.a(), 1);
    let told = at_b.all_before("the echo reply", LIMIT, reply);
    let told = told.iter().filter(|got| is_one(got)).count();
    assert_eq!(told, MANY, "all of them, in {took:?}");
    // 163 whole bursts have to be waited for, but those at the end of a group.
    assert!(took > Duration::from_millis(1_400), "{took:?}");
}
