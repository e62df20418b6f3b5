//! A command that is refused has grown nothing: whatever it was refused for, and however
//! far it had come.

use std::fs;

use alias_tests::{Lab, RawSocket, Snapshot, assert_unchanged};

use super::{capacity, small};
use crate::on_drop::OnDrop;
use crate::scene::{Family, from_b_to_a, ip};

/// A parent of two aliases without room for a third.
fn full() -> Lab {
    let lab = small("2");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--drop"]);
    lab.ctl_ok(&["add", "eth0:4000000", "198.51.100.9", "--drop"]);
    lab
}

#[track_caller]
fn check(lab: &Lab, words: &[&str], errno: &str) {
    let (before, pins, rows) = (lab.snapshot(), lab.pins(), lab.rows());
    lab.ctl_err(words, errno);
    assert_eq!(capacity(lab), 2, "{words:?}");
    assert_eq!(lab.pins(), pins, "{words:?}");
    assert_eq!(lab.rows(), rows, "{words:?}");
    lab.assert_unchanged(&before);
}

/// A device's name that somebody else's has, here or there.
#[test]
fn a_name_that_is_in_use_grows_nothing() {
    let lab = full();
    let home = lab.namespace("home");
    let index = lab.a.ifindex("eth0");
    let range = [
        "add",
        "eth0",
        "--range",
        "198.18.0.0/28",
        "--netns",
        home.name(),
    ];
    for (place, name) in [
        (&home, "eth0:5".to_owned()),
        (&home, format!("al{index}_5")),
        (&lab.a, format!("ap{index}_5")),
    ] {
        place.ip("link add x0 type veth peer name x1");
        place.ip(&format!("link property add dev x0 altname {name}"));
        let before = Snapshot::of(&home);
        check(&lab, &range, "EEXIST");
        check(
            &lab,
            &["add", "eth0:5", "198.18.0.0", "--netns", home.name()],
            "EEXIST",
        );
        assert_unchanged(&before, &Snapshot::of(&home));
        place.ip("link del x0");
    }
    lab.ctl_ok(&range);
}

#[test]
fn what_can_be_known_beforehand_grows_nothing() {
    let lab = full();
    let far = lab.namespace("far");
    lab.a.ip(&format!(
        "link add v0 type veth peer name v1 netns {}",
        far.name()
    ));
    lab.a.ip("link set v0 mtu 1400 up");
    for (words, errno) in [
        // An address, a name and an end of the numbers that are not free.
        (&["add", "eth0:9", "198.51.100.8", "--drop"][..], "EEXIST"),
        (&["add", "eth0:0", "198.51.100.10", "--drop"], "EEXIST"),
        (&["add", "eth0:9", "192.0.2.9", "--drop"], "EEXIST"),
        (
            &["add", "eth0:4194304", "198.51.100.10", "--drop"],
            "EINVAL",
        ),
        (
            &["add", "eth0:4294967295", "198.51.100.10", "--drop"],
            "EINVAL",
        ),
        (
            &["add", "eth0", "--range", "198.51.100.0/28", "--drop"],
            "EEXIST",
        ),
        (
            &[
                "add",
                "eth0",
                "--range",
                "198.18.0.0/24",
                "--start",
                "4194200",
                "--drop",
            ],
            "ENOSPC",
        ),
        // Targets that cannot be.
        (
            &["add", "eth0:9", "198.51.100.10", "--netns", "nowhere"],
            "ENOENT",
        ),
        (&["add", "eth0:9", "198.51.100.10", "--to", "v7"], "ENODEV"),
        (
            &["add", "eth0:9", "198.51.100.10", "--to", "v0"],
            "EMSGSIZE",
        ),
        (
            &["add", "eth0:9", "198.51.100.10", "--join", "eth0:0"],
            "EINVAL",
        ),
        (
            &["add", "eth0:9", "198.51.100.10", "--join", "eth0:5"],
            "ENODEV",
        ),
        (
            &[
                "add",
                "eth0:9",
                "198.51.100.10",
                "--drop",
                "--tcp-nodelay",
                "1",
            ],
            "EOPNOTSUPP",
        ),
    ] {
        check(&lab, words, errno);
    }
    lab.ctl_ok(&["set", "eth0", "--max-aliases", "2"]);
    check(
        &lab,
        &["add", "eth0:9", "198.51.100.10", "--drop"],
        "ENOSPC",
    );
    check(
        &lab,
        &["add", "eth0", "--range", "198.18.0.0/24", "--drop"],
        "ENOSPC",
    );
}

/// Refused by the kernel, when the parent has grown for it: it is as small again, and
/// what there was goes on.
#[test]
fn what_the_kernel_refuses_is_given_back() {
    let lab = full();
    let home = lab.namespace("home");
    home.run("sysctl -w net.ipv6.conf.default.disable_ipv6=1")
        .ok();
    let before = Snapshot::of(&home);
    let (pins, rows) = (lab.pins(), lab.rows());
    let range = |range| ["add", "eth0", "--range", range, "--netns", home.name()];
    lab.ctl_err(&range("2001:db8:5::/124"), "EACCES");
    assert_unchanged(&before, &Snapshot::of(&home));
    assert_eq!((capacity(&lab), lab.pins(), lab.rows()), (2, pins, rows));
    for (name, address) in [("eth0:0", "198.51.100.8"), ("eth0:4000000", "198.51.100.9")] {
        let sent = lab.counter(name, "dropped.policy");
        let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip(address));
        RawSocket::open(&lab.b, "eth0").send(&built.udp(5, 9, b"goes on").padded().build());
        lab.wait_for_counter(name, "dropped.policy", sent + 1);
    }
    // The records are free again, the numbers too.
    lab.ctl_ok(&range("198.18.0.0/28"));
    assert_eq!(lab.rows().len(), 18);
    assert_eq!(capacity(&lab), 18);
    assert_eq!(lab.row("eth0:1")["address"], "198.18.0.0");
}

/// A configuration is all or nothing, its room too.
#[test]
fn a_configuration_that_is_refused_is_given_back() {
    let lab = full();
    let home = lab.namespace("home");
    home.ip("link add x0 type veth peer name x1");
    home.ip("link property add dev x0 altname eth0:700");
    let (pins, rows) = (lab.pins(), lab.rows());
    let text = format!(
        "version = 1\n[[parent]]\nname = \"eth0\"\ncapacity = 50\n\
         [[range]]\nparent = \"eth0\"\nstart = 100\naddresses = \"198.18.0.0/24\"\ntarget = \"drop\"\n\
         [[range]]\nparent = \"eth0\"\nstart = 690\naddresses = \"198.18.7.0/28\"\nnetns = \"{}\"\n",
        home.name()
    );
    let file = lab.bpffs().with_extension("toml");
    fs::write(&file, text).expect("a file of our own");
    let _end = OnDrop(|| drop(fs::remove_file(&file)));
    let path = file.to_str().expect("a path of ASCII");
    lab.ctl_err(&["apply", path], "EEXIST");
    assert_eq!((capacity(&lab), lab.pins(), lab.rows()), (2, pins, rows));
    home.ip("link del x0");
    lab.ctl_ok(&["apply", path]);
    assert_eq!(lab.rows().len(), 2 + 256 + 16);
    assert!(capacity(&lab) >= 274);
}
