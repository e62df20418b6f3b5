//! The kernel's own listing: what `cat` says, byte for byte, with no process
//! of ours running.

use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use alias_tests::{Lab, Mode};

use crate::on_drop::OnDrop;

const ALIASES: &str = "device           family address";

/// The pin of this name, of the one namespace of the lab that has some.
#[track_caller]
fn file(lab: &Lab, name: &str) -> PathBuf {
    let pins = lab.pins();
    let found = pins.iter().find(|pin| pin.ends_with(name));
    found
        .unwrap_or_else(|| panic!("no {name} in {pins:?}"))
        .clone()
}

/// What a plain `cat` says.
#[track_caller]
fn cat(lab: &Lab, name: &str) -> String {
    let path = file(lab, name);
    lab.a.run(&format!("cat {}", path.display())).ok().stdout
}

/// `printf` as NET_ALIAS used it: records of 64 bytes.
fn aliases(rows: &[(&str, u16, &str)]) -> String {
    let rows = rows
        .iter()
        .map(|(name, family, address)| format!("{name:<16} {family:<6} {address}"));
    let lines = std::iter::once(ALIASES.to_owned()).chain(rows);
    lines.map(|line| format!("{line:<63}\n")).collect()
}

fn types(ip: u32, ipv6: u32) -> String {
    format!(
        "type    name            n_attach\n\
         2       ip              {ip:<7}\n\
         10      ipv6            {ipv6:<7}\n"
    )
}

#[track_caller]
fn check(lab: &Lab, rows: &[(&str, u16, &str)]) {
    assert_eq!(cat(lab, "aliases"), aliases(rows));
    assert_eq!(lab.ctl_ok(&["show", "--proc"]), aliases(rows));
    let of = |family| rows.iter().filter(|row| row.1 == family).count() as u32;
    assert_eq!(cat(lab, "alias_types"), types(of(2), of(10)));
}

#[test]
fn without_a_parent_there_is_no_file_and_no_alias() {
    let lab = Lab::plain();
    let before = lab.pins();
    assert_eq!(lab.ctl_ok(&["show", "--proc"]), aliases(&[]));
    lab.ctl_ok(&["attach", "eth0"]);
    check(&lab, &[]);
    lab.ctl_ok(&["detach", "eth0"]);
    assert_eq!(lab.pins(), before, "the last parent has left something");
}

#[test]
fn parents_by_ifindex_and_their_aliases_by_creation() {
    let lab = Lab::attached(Mode::Native);
    check(&lab, &[]);
    lab.a.ip("link add eth1 type veth peer name far1");
    lab.a.ip("link set eth1 up");
    lab.ctl_ok(&["add", "eth1:7", "203.0.113.9", "--drop"]);
    check(&lab, &[("eth1:7", 2, "203.0.113.9")]);
    lab.ctl_ok(&["add", "eth0:2", "198.51.100.10", "--drop"]);
    lab.ctl_ok(&["add", "eth0:0", "2001:db8::8:0:0:1", "--drop"]);
    lab.ctl_ok(&["add", "eth0:16255", "198.51.100.12", "--drop"]);
    check(
        &lab,
        &[
            ("eth0:2", 2, "198.51.100.10"),
            ("eth0:0", 10, "2001:db8::8:0:0:1"),
            ("eth0:16255", 2, "198.51.100.12"),
            ("eth1:7", 2, "203.0.113.9"),
        ],
    );
    // A change keeps its place, a new alias in an old slot does not.
    lab.ctl_ok(&["set", "eth0:2", "198.51.100.77", "--local"]);
    lab.ctl_ok(&["del", "eth0:0"]);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.13", "--drop"]);
    lab.ctl_ok(&["disable", "eth0:0"]);
    let rest = [
        ("eth0:2", 2, "198.51.100.77"),
        ("eth0:16255", 2, "198.51.100.12"),
        ("eth0:0", 2, "198.51.100.13"),
    ];
    check(&lab, &[&rest[..], &[("eth1:7", 2, "203.0.113.9")]].concat());
    // The next change follows a parent's name.
    lab.a.ip("link set eth1 down");
    lab.a.ip("link set eth1 name a-long-name-15c");
    lab.a.ip("link set a-long-name-15c up");
    lab.ctl_ok(&["enable", "eth0:0"]);
    let renamed = ("a-long-name-15c:7", 2, "203.0.113.9");
    check(&lab, &[&rest[..], &[renamed]].concat());
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    check(&lab, &[renamed]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.10", "--drop"]);
    check(&lab, &[("eth0:1", 2, "198.51.100.10"), renamed]);
    // A parent that is gone takes its rows with it at the next change.
    lab.a.ip("link del a-long-name-15c");
    lab.ctl_ok(&["del", "eth0:1"]);
    check(&lab, &[]);
}

#[test]
fn sixteen_thousand() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0", "--range", "10.0.0.0-10.0.63.127", "--drop"]);
    let texts: Vec<(String, String)> = (0..16_256)
        .map(|n| (format!("eth0:{n}"), format!("10.0.{}.{}", n >> 8, n & 255)))
        .collect();
    let mut rows: Vec<(&str, u16, &str)> = texts
        .iter()
        .map(|(name, address)| (&name[..], 2, &address[..]))
        .collect();
    check(&lab, &rows);
    lab.ctl_ok(&["del", "eth0:512"]);
    rows.remove(512);
    check(&lab, &rows);
    lab.ctl_ok(&["del", "eth0", "--all"]);
    check(&lab, &[]);
}

/// The names in a listing; every record is 64 bytes.
#[track_caller]
fn names(text: &[u8]) -> Vec<String> {
    assert_eq!(text.len() % 64, 0, "{} bytes", text.len());
    let name = |record: &[u8]| {
        assert_eq!(record[63], b'\n');
        let text = std::str::from_utf8(record).expect("ASCII");
        text.split(' ').next().unwrap_or_default().to_owned()
    };
    text.chunks(64).skip(1).map(name).collect()
}

/// Those of `names` that are in `wanted`, which all of them are to be, once.
#[track_caller]
fn check_once(names: &[String], wanted: &[String]) {
    let found: Vec<&String> = names.iter().filter(|name| wanted.contains(name)).collect();
    assert_eq!(found, wanted.iter().collect::<Vec<_>>());
}

/// A reader that rests in the middle, while everything moves: what it had read is
/// deleted, and the log is copied to its other half and back again.
#[test]
fn a_reader_that_rests_misses_none_and_sees_none_twice() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&["--capacity", "1500"])
        .build();
    lab.ctl_ok(&[
        "add",
        "eth0",
        "--range",
        "198.18.0.0-198.18.5.119",
        "--drop",
    ]);
    let path = file(&lab, "aliases");
    let mut readers: Vec<(File, Vec<u8>)> = [1, 64, 100, 40_000, 80_000]
        .into_iter()
        .map(|length| {
            let mut reader = File::open(&path).expect("our own pin");
            let mut text = vec![0; length];
            reader.read_exact(&mut text).expect("a listing");
            (reader, text)
        })
        .collect();
    let odd: Vec<String> = (0..1400)
        .filter(|slot| slot % 2 == 1)
        .map(|slot| format!("eth0:{slot}"))
        .collect();
    for round in 0..4 {
        // The even ones, and then their successors: new aliases in their slots.
        let even: Vec<String> = (0..1400).step_by(2).map(|n| format!("eth0:{n}")).collect();
        let mut words = vec!["del"];
        words.extend(even.iter().map(String::as_str));
        lab.ctl_ok(&words);
        let range = format!("198.19.{}.0-198.19.{}.187", 3 * round, 3 * round + 2);
        lab.ctl_ok(&["add", "eth0", "--range", &range, "--drop"]);
    }
    for (reader, text) in &mut readers {
        reader.read_to_end(text).expect("the rest of it");
        check_once(&names(text), &odd);
    }
}

#[test]
fn readings_while_aliases_come_and_go() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .attach_options(&["--capacity", "64"])
        .build();
    let mut stable = Vec::new();
    for (slot, last) in [(40, 1), (3, 2), (63, 3), (0, 4), (17, 5)] {
        let (name, address) = (format!("eth0:{slot}"), format!("198.51.100.{last}"));
        lab.ctl_ok(&["add", &name, &address, "--drop"]);
        stable.push(name);
    }
    let path = file(&lab, "aliases");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut readings = 0;
                    while !done.load(Ordering::Relaxed) || readings == 0 {
                        let text = std::fs::read(&path).expect("our own pin");
                        check_once(&names(&text), &stable);
                        readings += 1;
                    }
                })
            })
            .collect();
        let end = OnDrop(|| done.store(true, Ordering::Relaxed));
        // 24 rounds of 40 in 64 slots: the log is full again and again.
        let victims: Vec<String> = (0..46)
            .filter(|slot| ![40, 3, 0, 17].contains(slot))
            .take(40)
            .map(|slot| format!("eth0:{slot}"))
            .collect();
        for _ in 0..24 {
            lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0-198.18.0.39", "--drop"]);
            let mut words = vec!["del"];
            words.extend(victims.iter().map(String::as_str));
            lab.ctl_ok(&words);
        }
        drop(end);
        for reader in readers {
            reader.join().expect("every reading is right");
        }
    });
    let wanted: Vec<(&str, u16, String)> = (1..)
        .zip(&stable)
        .map(|(last, name)| (&name[..], 2, format!("198.51.100.{last}")))
        .collect();
    let wanted: Vec<_> = wanted.iter().map(|(n, f, a)| (*n, *f, &a[..])).collect();
    check(&lab, &wanted);
}

/// Whatever a killed writer left: the kernel lists what `show` shows.
#[test]
fn a_killed_writer_does_not_make_it_lie() {
    let lab = Lab::attached(Mode::Native);
    let agree = |what: &str| {
        let text = cat(&lab, "aliases");
        let shown = lab.alias_names();
        assert_eq!(names(text.as_bytes()), shown, "{what}");
        let attached = types(shown.len() as u32, 0);
        assert_eq!(cat(&lab, "alias_types"), attached, "{what}");
    };
    for round in 0..12u32 {
        let writer = lab.ctl_spawn(&["add", "eth0", "--range", "198.18.0.0/20", "--drop"]);
        thread::sleep(Duration::from_millis(u64::from(round) * 4));
        writer.kill();
        agree("after a killed add");
        let deleter = lab.ctl_spawn(&["del", "eth0", "--all"]);
        thread::sleep(Duration::from_millis(u64::from(round) * 3));
        deleter.kill();
        agree("after a killed del");
    }
    lab.ctl_ok(&["del", "eth0", "--all"]);
    check(&lab, &[]);
}

/// A parent is listed after the next call, or not there, wherever the kill came.
#[test]
fn killed_attachments_converge() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    lab.a.ip("link add eth1 type veth peer name far1");
    lab.a.ip("link set eth1 up");
    for round in 0..10u32 {
        for verb in ["attach", "detach"] {
            let worker = lab.ctl_spawn(&[verb, "eth1"]);
            thread::sleep(Duration::from_millis(u64::from(round) * 25));
            worker.kill();
            check(&lab, &[("eth0:0", 2, "198.51.100.8")]);
            lab.ctl_ok(&["add", "eth1:3", "203.0.113.9", "--drop"]);
            let both = [("eth0:0", 2, "198.51.100.8"), ("eth1:3", 2, "203.0.113.9")];
            check(&lab, &both);
            lab.ctl_ok(&["del", "eth1:3"]);
        }
    }
}

/// Somebody removed the files: the next change makes them again.
#[test]
fn a_listing_that_was_removed_is_made_again() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    for name in ["aliases", "records"] {
        std::fs::remove_file(file(&lab, name)).expect("our own pin");
    }
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.9", "--drop"]);
    check(
        &lab,
        &[("eth0:0", 2, "198.51.100.8"), ("eth0:1", 2, "198.51.100.9")],
    );
}
