//! `kill -9` while a type comes or goes: the next command leaves it whole or not at
//! all, and IP never notices.

use alias_common::names;
use alias_tests::{Lab, Mode, RawSocket};

use super::{labelled, object_name, registered, to_a};
use crate::aim::Aim;

const ROUNDS: u32 = 12;

#[track_caller]
fn check_whole(lab: &Lab, what: &str) {
    // Whatever changes something puts in order what it finds.
    lab.ctl_ok(&["enable", "eth0:9"]);
    let pins = lab.pins();
    let has = |end: &str| pins.iter().filter(|pin| pin.ends_with(end)).count();
    let count = registered(lab).len();
    assert!(count <= 1, "{what}");
    // The object in the namespace's directory, the program in the parent's.
    assert_eq!(has("type_28_8847"), 2 * count, "{what}: {pins:?}");
    for pin in [
        names::ALIAS_RX_TYPES,
        names::ALIAS_TYPED,
        names::BY_ETHERTYPE,
    ] {
        assert_eq!(has(pin), count, "{what}: {pin}");
    }
    let unfinished = |pin: &&std::path::PathBuf| {
        let name = pin.display().to_string();
        name.ends_with("_add") || name.ends_with("_del")
    };
    assert_eq!(pins.iter().find(unfinished), None, "{what}");
    lab.b.ping_ok("198.51.100.8", 1);
    if count == 1 {
        lab.ctl_ok(&["add", "eth0:0", "100", "--family", "mpls", "--drop"]);
        RawSocket::open(&lab.b, "eth0").send(&labelled(to_a(lab), 100, b""));
        lab.wait_for_counter("eth0:0", "rx_packets", 1);
        lab.ctl_ok(&["del", "eth0:0"]);
    }
}

#[test]
fn a_kill_at_any_moment_is_put_right() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:9", "198.51.100.8/24"]);
    let object = object_name();
    let (add, del) = (["types", "add", object.as_str()], ["types", "del", "mpls"]);
    let clear = || {
        if !registered(&lab).is_empty() {
            lab.ctl_ok(&del);
        }
    };
    let mut aim = Aim::new(0x0007_5eed);
    for (victim, before) in [(&add[..], None), (&del[..], Some(&add[..]))] {
        let prepare = || {
            clear();
            if let Some(before) = before {
                lab.ctl_ok(before);
            }
        };
        prepare();
        aim.measure(|| drop(lab.ctl_ok(victim)));
        check_whole(&lab, "unharmed");
        while aim.goes_on(ROUNDS) {
            prepare();
            let (_, what) = aim.kill(lab.ctl_spawn(victim));
            check_whole(&lab, &format!("{victim:?} {what}"));
        }
    }
}
