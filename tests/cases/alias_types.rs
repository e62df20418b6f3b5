//! Alias types that register at run time, by the one that is shipped: MPLS.

mod golden;
mod objects;
mod unfinished;

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use alias_tests::{
    Lab, Mode, Namespace, RawSocket, Tap,
    frame::{Frame, frame},
    wait_for,
};
use serde_json::{Value, json};

use crate::scene::{LIMIT, XDP_MODES};

/// `ETH_P_MPLS_UC` of linux/if_ether.h.
const MPLS: u16 = 0x8847;

/// The object that `cargo xtask build` made.
fn object() -> PathBuf {
    let objects = std::env::var_os("ALIAS_EBPF_OBJECTS").expect("set by .cargo/config.toml");
    let path = PathBuf::from(objects).join("mpls.bpf.o");
    assert!(path.is_file(), "no {}: cargo xtask build", path.display());
    path
}

pub(crate) fn object_name() -> String {
    object().display().to_string()
}

/// A label stack entry: traffic class 5, bottom of stack, TTL 64 (RFC 3032, 2.1).
fn entry(label: u32) -> [u8; 4] {
    (label << 12 | 5 << 9 | 1 << 8 | 64).to_be_bytes()
}

/// The rest of a frame whose top label this is.
pub(crate) fn labelled(start: Frame, label: u32, data: &[u8]) -> Vec<u8> {
    let packet = [&entry(label)[..], data].concat();
    start.raw(MPLS, &packet).padded().build()
}

pub(crate) fn to_a(lab: &Lab) -> Frame {
    frame().between(lab.b.mac("eth0"), lab.a.mac("eth0"))
}

fn to_b(lab: &Lab) -> Frame {
    frame().between(lab.a.mac("eth0"), lab.b.mac("eth0"))
}

/// A lab in which MPLS is registered.
#[track_caller]
fn with_mpls(mode: Mode) -> Lab {
    let lab = Lab::attached(mode);
    lab.ctl_ok(&["types", "add", &object_name()]);
    lab
}

/// The types that were registered, as `types -j` lists them.
#[track_caller]
fn registered(lab: &Lab) -> Vec<Value> {
    let Value::Array(mut types) = lab.ctl_json(&["types"]) else {
        panic!("`types -j` is to print an array");
    };
    let built_in = types.split_off(2);
    assert_eq!(types[0]["name"], "ip");
    assert_eq!(types[1]["name"], "ipv6");
    built_in
}

/// A directory of types as an administrator has one, gone with its test.
struct Types(PathBuf);

impl Types {
    fn new(test: &str) -> Self {
        let name = format!("alias-t{}-types-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a directory of our own");
        let types = Self(path);
        fs::copy(object(), types.object()).expect("the object");
        types.allow(0o755, 0o644);
        chown(types.object(), Some(0), Some(0)).expect("we are root");
        types
    }

    fn object(&self) -> PathBuf {
        self.0.join("mpls.bpf.o")
    }

    fn allow(&self, directory: u32, object: u32) {
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
        };
        allow(&self.0, directory);
        allow(&self.object(), object);
    }
}

impl Drop for Types {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An object that others could have written is not loaded because a family was asked for;
/// named, it is the user's own choice.
#[test]
fn an_object_that_others_could_write_is_passed_over() {
    let types = Types::new("foreign");
    let lab = Lab::builder()
        .mode(Mode::Native)
        .env("ALIAS_TYPES_PATH", &types.0.display().to_string())
        .build();
    let add = ["add", "eth0:0", "100", "--family", "mpls", "--drop"];
    for (directory, object) in [(0o777, 0o644), (0o755, 0o666), (0o755, 0o664)] {
        types.allow(directory, object);
        let message = lab.ctl_err(&add, "EAFNOSUPPORT");
        let mode = if directory == 0o755 {
            object
        } else {
            directory
        };
        let words = format!("others can write it (mode {mode:o}) (EPERM)");
        assert!(message.contains(&words), "{message}");
        assert_eq!(registered(&lab).len(), 0);
    }
    let path = types.object();
    lab.ctl_ok(&["types", "add", &path.display().to_string()]);
    lab.ctl_ok(&["types", "del", "mpls"]);
    types.allow(0o755, 0o644);
    chown(&path, Some(65_534), None).expect("we are root");
    lab.ctl_err(&add, "EAFNOSUPPORT");
    chown(&path, Some(0), None).expect("we are root");
    lab.ctl_ok(&add);
}

/// A restarted host has no types; what was saved names one, which is loaded on
/// demand. What is refused leaves none behind.
#[test]
fn aliases_of_a_type_are_saved_and_restored() {
    let types = Types::new("saved");
    let saved = std::env::temp_dir().join(format!("alias-t{}-types", std::process::id()));
    std::fs::create_dir_all(&saved).expect("a directory of our own");
    let file = saved.join("aliases.toml").display().to_string();
    let lab = Lab::builder()
        .mode(Mode::Native)
        .env("ALIAS_TYPES_PATH", &types.0.display().to_string())
        .build();
    lab.ctl_ok(&["add", "eth0:0", "100", "--family", "mpls", "--drop"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.8", "--drop"]);
    let rows = lab.rows();
    lab.ctl_ok(&["save", "--file", &file]);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    lab.ctl_ok(&["types", "del", "mpls"]);
    assert_eq!(lab.ctl_ok(&["types"]).matches("mpls").count(), 0);
    lab.ctl_ok(&["restore", "--file", &file]);
    assert_eq!(lab.rows(), rows);
    assert_eq!(registered(&lab).len(), 1);
    assert_eq!(lab.ctl(&["diff", &file]).code(), 0);
    std::fs::remove_dir_all(&saved).expect("a directory of our own");
}

#[test]
fn a_type_is_listed_with_its_aliases() {
    let lab = with_mpls(Mode::Native);
    let row =
        |aliases| json!([{"name": "mpls", "family": 28, "ethertype": MPLS, "aliases": aliases}]);
    assert_eq!(json!(registered(&lab)), row(0));
    lab.ctl_ok(&["add", "eth0:0", "100", "--family", "mpls", "--drop"]);
    lab.ctl_ok(&["add", "eth0", "101/20", "--family", "28"]);
    assert_eq!(json!(registered(&lab)), row(2));
    let shown = lab.row("eth0:0");
    assert_eq!(
        (&shown["family"], &shown["address"], &shown["prefix_len"]),
        (&json!("mpls"), &json!("100"), &json!(20))
    );
    let table = lab.ctl_ok(&["types"]);
    assert!(
        table.contains("mpls      28  0x8847           2"),
        "{table}"
    );
    lab.ctl_ok(&["set", "eth0:0", "102", "--family", "mpls"]);
    assert_eq!(lab.row("eth0:0")["address"], "102");
    lab.ctl_err(&["del", "eth0", "100", "--family", "mpls"], "EADDRNOTAVAIL");
    lab.ctl_ok(&["del", "eth0", "102", "--family", "mpls"]);
    assert_eq!(lab.alias_names(), ["eth0:1"]);
    lab.ctl_ok(&["set", "eth0:1", "198.51.100.8/24"]);
    assert_eq!(json!(registered(&lab)), row(0));
    lab.b.ping_ok("198.51.100.8", 1);
}

#[test]
fn a_label_is_dropped_and_counted() {
    for mode in XDP_MODES {
        for vlan in [None, Some(10)] {
            let lab = with_mpls(mode);
            let id = vlan.map(|id: u16| id.to_string());
            let mut add = vec!["add", "eth0:0", "100", "--family", "mpls", "--drop"];
            add.extend(id.iter().flat_map(|id| ["--vlan", id]));
            lab.ctl_ok(&add);
            let (at_a, at_b) = (
                RawSocket::open(&lab.a, "eth0"),
                RawSocket::open(&lab.b, "eth0"),
            );
            let start = || match vlan {
                Some(id) => to_a(&lab).vlan(id),
                None => to_a(&lab),
            };
            let sent = labelled(start(), 100, b"for the label");
            for _ in 0..5 {
                at_b.send(&sent);
            }
            let marker = labelled(start(), 101, b"for nobody");
            at_b.send(&marker);
            let earlier = at_a.all_before("the marker", LIMIT, |got| got == marker);
            assert!(
                !earlier.contains(&sent),
                "{mode:?} {vlan:?}: it came through"
            );
            lab.wait_for_counter("eth0:0", "dropped.policy", 5);
            assert_eq!(lab.counter("eth0:0", "rx_packets"), 5);
            assert_eq!(lab.counter("eth0:0", "rx_bytes"), 5 * sent.len() as u64);

            lab.ctl_ok(&["disable", "eth0:0"]);
            at_b.send(&sent);
            at_a.expect("a disabled alias's frame", LIMIT, |got| got == sent);
            lab.ctl_ok(&["enable", "eth0:0"]);
            at_b.send(&sent);
            lab.wait_for_counter("eth0:0", "rx_packets", 6);
        }
    }
}

/// A frame in and frames out at an alias device, wherever it is.
#[track_caller]
fn check_device(lab: &Lab, home: &Namespace, vlan: Option<u16>, what: &str) {
    let at_b = RawSocket::open(&lab.b, "eth0");
    let device = RawSocket::open(home, "eth0:0");
    let tagged = |start: Frame| match vlan {
        Some(id) => start.vlan(id),
        None => start,
    };
    at_b.send(&labelled(tagged(to_a(lab)), 200, b"to the alias"));
    let wanted = labelled(to_a(lab), 200, b"to the alias");
    // Padding was put behind the tag, too.
    device.expect(&format!("{what}: the frame"), LIMIT, |got| {
        got[..32.min(got.len())] == wanted[..32]
    });
    lab.wait_for_counter("eth0:0", "rx_packets", 1);

    home.wait_until_up("eth0:0");
    device.send(&labelled(to_b(lab), 77, b"from the alias"));
    let start = labelled(tagged(to_b(lab)), 77, b"from the alias");
    at_b.expect(&format!("{what}: what it sends"), LIMIT, |got| {
        got[..32.min(got.len())] == start[..32]
    });
    lab.wait_for_counter("eth0:0", "tx_packets", 1);
}

#[test]
fn a_device_sends_nothing_else() {
    let lab = with_mpls(Mode::Native);
    let home = lab.namespace("c1");
    let add = [
        "add",
        "eth0:0",
        "200",
        "--family",
        "mpls",
        "--netns",
        home.name(),
    ];
    lab.ctl_ok(&add);
    let device = RawSocket::open(&home, "eth0:0");
    home.wait_until_up("eth0:0");
    let (b, a) = (lab.b.mac("eth0"), lab.a.mac("eth0"));
    for (foreign, built) in [
        ("IPv4", frame().between(a, b).raw(0x0800, &[0x45; 46])),
        (
            "MPLS multicast",
            frame().between(a, b).raw(0x8848, &entry(200)),
        ),
        ("LLDP", frame().between(a, b).raw(0x88cc, &[0; 46])),
        (
            "another station",
            frame()
                .between([2, 0, 0, 0, 0, 9], b)
                .raw(MPLS, &entry(200)),
        ),
        (
            "a tag",
            frame().between(a, b).vlan(10).raw(MPLS, &entry(200)),
        ),
    ] {
        let before = lab.counter("eth0:0", "dropped.spoof");
        device.send(&built.padded().build());
        wait_for(&format!("{foreign} to be refused"), LIMIT, || {
            lab.counter("eth0:0", "dropped.spoof") == before + 1
        });
    }
    assert_eq!(lab.counter("eth0:0", "tx_packets"), 0);
}

#[test]
fn a_device_receives_and_sends_its_family() {
    for mode in XDP_MODES {
        for vlan in [None, Some(10)] {
            for elsewhere in [false, true] {
                let lab = with_mpls(mode);
                let home = lab.namespace("c1");
                let id = vlan.map(|id: u16| id.to_string());
                let mut add = vec!["add", "eth0:0", "200", "--family", "mpls"];
                add.extend(id.iter().flat_map(|id| ["--vlan", id]));
                if elsewhere {
                    add.extend(["--netns", home.name()]);
                }
                lab.ctl_ok(&add);
                let place = if elsewhere { &home } else { &lab.a };
                let what = format!("{mode:?} {vlan:?} elsewhere: {elsewhere}");
                check_device(&lab, place, vlan, &what);
            }
        }
    }
}

#[test]
fn a_joined_label_comes_to_the_same_device() {
    for mode in XDP_MODES {
        let lab = with_mpls(mode);
        lab.ctl_ok(&["add", "eth0:0", "200", "--family", "mpls"]);
        lab.ctl_ok(&[
            "add", "eth0:1", "201", "--family", "mpls", "--join", "eth0:0",
        ]);
        let device = RawSocket::open(&lab.a, "eth0:0");
        let at_b = RawSocket::open(&lab.b, "eth0");
        for label in [200, 201, 201] {
            let sent = labelled(to_a(&lab), label, b"x");
            at_b.send(&sent);
            device.expect("the frame", LIMIT, |got| got == sent);
        }
        lab.wait_for_counter("eth0:0", "rx_packets", 1);
        lab.wait_for_counter("eth0:1", "rx_packets", 2);
        // An IP address may join too.
        lab.ctl_ok(&["add", "eth0:2", "198.51.100.8/24", "--join", "eth0:0"]);
        lab.b.ping_ok("198.51.100.8", 2);
        lab.wait_for_counter("eth0:2", "tx_packets", 2);
    }
}

#[test]
fn a_tap_receives_the_label() {
    for mode in XDP_MODES {
        for vlan in [None, Some(10)] {
            let lab = with_mpls(mode);
            let tap = Tap::open(&lab.a, "tap0");
            let id = vlan.map(|id: u16| id.to_string());
            let mut add = vec!["add", "eth0:0", "300", "--family", "mpls", "--to", "tap0"];
            add.extend(id.iter().flat_map(|id| ["--vlan", id]));
            lab.ctl_ok(&add);
            let start = match vlan {
                Some(id) => to_a(&lab).vlan(id),
                None => to_a(&lab),
            };
            RawSocket::open(&lab.b, "eth0").send(&labelled(start, 300, b"out of the tap"));
            let wanted = labelled(to_a(&lab), 300, b"out of the tap");
            let same = |got: &[u8]| got.get(6..32) == wanted.get(6..32);
            assert!(tap.receive(LIMIT, same).is_some(), "{mode:?} {vlan:?}");
            lab.wait_for_counter("eth0:0", "rx_packets", 1);
        }
    }
}

/// IP goes on as ever beside a type, whichever program runs.
#[test]
fn ip_does_not_notice() {
    for mode in XDP_MODES {
        let lab = Lab::attached(mode);
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
        lab.b.ping_ok("198.51.100.8", 2);
        lab.ctl_ok(&["types", "add", &object_name()]);
        lab.b.ping_ok("198.51.100.8", 2);
        lab.b.ping_ok("192.0.2.9", 1);
        lab.ctl_ok(&["types", "del", "mpls"]);
        lab.b.ping_ok("198.51.100.8", 2);
        lab.wait_for_counter("eth0:0", "rx_packets", 6);
        lab.wait_for_counter("eth0:0", "tx_packets", 6);
    }
}

#[test]
fn a_parent_that_is_attached_later_knows_the_type() {
    for mode in XDP_MODES {
        let lab = Lab::plain();
        lab.ctl_ok(&["types", "add", &object_name()]);
        lab.a.ip("link add eth1 type veth peer name far1");
        lab.a.ip_batch("link set far1 up\nlink set eth1 up\n");
        lab.a.wait_until_up("eth1");
        for parent in ["eth0", "eth1"] {
            lab.ctl_ok(&["attach", parent, "--mode", mode.name()]);
            let alias = format!("{parent}:0");
            lab.ctl_ok(&["add", &alias, "100", "--family", "mpls", "--drop"]);
        }
        RawSocket::open(&lab.b, "eth0").send(&labelled(to_a(&lab), 100, b""));
        let to_eth1 = frame().between(lab.a.mac("far1"), lab.a.mac("eth1"));
        let far = RawSocket::open(&lab.a, "far1");
        far.send(&labelled(to_eth1.clone(), 100, b""));
        far.send(&labelled(to_eth1, 100, b""));
        lab.wait_for_counter("eth0:0", "rx_packets", 1);
        lab.wait_for_counter("eth1:0", "rx_packets", 2);
        // One parent goes; the other keeps its type.
        lab.ctl_ok(&["detach", "eth1", "--cascade"]);
        lab.ctl_err(&["types", "del", "mpls"], "EBUSY");
        lab.ctl_ok(&["detach", "eth0", "--cascade"]);
        assert_eq!(registered(&lab).len(), 1, "a type outlives its parents");
        lab.ctl_ok(&["types", "del", "mpls"]);
        let ours = |pin: &PathBuf| pin.starts_with(lab.bpffs().join("alias"));
        assert!(!lab.pins().iter().any(ours), "nothing is left");
    }
}

#[test]
fn a_type_with_aliases_is_busy() {
    let lab = with_mpls(Mode::Native);
    lab.ctl_ok(&["add", "eth0:0", "100", "--family", "mpls", "--drop"]);
    let before = lab.snapshot();
    for word in ["mpls", "28"] {
        let message = lab.ctl_err(&["types", "del", word], "EBUSY");
        assert!(message.contains("eth0:0"), "it names one: {message}");
    }
    lab.assert_unchanged(&before);
    lab.ctl_ok(&["del", "eth0:0"]);
    lab.ctl_ok(&["types", "del", "28"]);
    lab.ctl_err(&["types", "del", "mpls"], "ENOENT");
    lab.ctl_err(
        &["add", "eth0:0", "100", "--family", "mpls", "--drop"],
        "EAFNOSUPPORT",
    );
    assert_eq!(registered(&lab), [] as [Value; 0]);
}

#[test]
fn what_is_built_in_stays() {
    let lab = Lab::attached(Mode::Native);
    for family in ["ip", "ipv6", "2", "10"] {
        lab.ctl_err(&["types", "del", family], "EOPNOTSUPP");
    }
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--family", "ip", "--drop"]);
    lab.ctl_err(&["types", "del", "ip"], "EBUSY");
    lab.ctl_ok(&["del", "eth0", "198.51.100.8", "--family", "2"]);
}

#[test]
fn an_unknown_family_is_eafnosupport() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .env("ALIAS_TYPES_PATH", "/nonexistent")
        .build();
    let before = lab.snapshot();
    let message = lab.ctl_err(
        &["add", "eth0:0", "100", "--family", "mpls"],
        "EAFNOSUPPORT",
    );
    assert!(message.contains("/nonexistent"), "{message}");
    lab.ctl_err(&["add", "eth0:0", "1", "--family", "99"], "EAFNOSUPPORT");
    lab.ctl_err(&["del", "eth0", "100", "--family", "mpls"], "EAFNOSUPPORT");
    lab.assert_unchanged(&before);
}

#[test]
fn a_family_is_loaded_when_it_is_asked_for() {
    let types = Types::new("asked");
    for family in ["mpls", "28"] {
        let lab = Lab::builder()
            .mode(Mode::Native)
            .env("ALIAS_TYPES_PATH", &types.0.display().to_string())
            .build();
        let pins = lab.pins();
        // A refused add has not loaded it.
        lab.ctl_err(&["add", "eth0:0", "1048576", "--family", family], "EINVAL");
        lab.ctl_err(
            &[
                "add", "eth0:0", "100", "--family", family, "--to", "nosuch0",
            ],
            "ENODEV",
        );
        assert_eq!((registered(&lab).len(), lab.pins()), (0, pins));
        lab.ctl_ok(&["add", "eth0:0", "100", "--family", family, "--drop"]);
        assert_eq!(registered(&lab)[0]["aliases"], 1);
        RawSocket::open(&lab.b, "eth0").send(&labelled(to_a(&lab), 100, b""));
        lab.wait_for_counter("eth0:0", "rx_packets", 1);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let lab = with_mpls(Mode::Native);
    let before = lab.snapshot();
    let add = |address, options: &[&'static str]| {
        let mut words = vec!["add", "eth0:0", address, "--family"];
        words.extend(options);
        words
    };
    for (words, errno) in [
        (add("100", &["mpls", "--local"]), "EOPNOTSUPP"),
        (add("1048576", &["mpls"]), "EINVAL"),
        (add("100/24", &["mpls"]), "EINVAL"),
        (add("-1", &["mpls"]), "EINVAL"),
        (add("192.0.2.77", &["mpls"]), "EINVAL"),
        (add("198.51.100.8", &["ipv6"]), "EINVAL"),
        (add("2001:db8::8", &["ip"]), "EINVAL"),
        (add("100", &["ip"]), "EINVAL"),
    ] {
        let words: Vec<&str> = match words[2] {
            "-1" => ["add", "eth0:0", "--family", "mpls", "--", "-1"].to_vec(),
            _ => words,
        };
        lab.ctl_err(&words, errno);
    }
    lab.assert_unchanged(&before);
    lab.ctl_ok(&["add", "eth0:0", "100", "--family", "mpls", "--drop"]);
    lab.ctl_err(&["add", "eth0:1", "100", "--family", "mpls"], "EEXIST");
    lab.ctl_ok(&[
        "add", "eth0:1", "100", "--family", "mpls", "--vlan", "5", "--drop",
    ]);
    let usage = ["add", "eth0", "--range", "1-5", "--family", "mpls"];
    assert_eq!(lab.ctl(&usage).code(), 2);
}

/// What was registered is in the kernel.
#[test]
fn the_object_is_needed_only_once() {
    let lab = Lab::attached(Mode::Native);
    let copy = std::env::temp_dir().join(format!("alias-type-{}.o", std::process::id()));
    fs::copy(object(), &copy).expect("copy");
    lab.ctl_ok(&["types", "add", &copy.display().to_string()]);
    fs::remove_file(&copy).expect("remove");
    lab.ctl_ok(&["detach", "eth0"]);
    lab.ctl_ok(&["add", "eth0:0", "100", "--family", "mpls", "--drop"]);
    RawSocket::open(&lab.b, "eth0").send(&labelled(to_a(&lab), 100, b""));
    lab.wait_for_counter("eth0:0", "rx_packets", 1);
}
