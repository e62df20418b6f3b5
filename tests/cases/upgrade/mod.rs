//! Another build's programs take the place of those that run, while packets flow: aliases,
//! counters and devices stay, and a second time there is nothing to do.

mod killed;
mod load;
mod pins;
mod versions;

use std::{
    fs,
    path::{Path, PathBuf},
};

use alias_tests::{
    Lab, LabBuilder, Mode,
    bpf::{self, tcx_programs},
    ctl_binary, other_build, program_info,
};

use crate::alias_types::object_name;
use crate::crash::heartbeat::Heartbeat;
use crate::growth::traffic::container;
use crate::growth::with_available;
use crate::scene::{Family, ip};
use crate::tcp_options::sockets::{NODELAY, accepted, bind, get, listen, set, socket};

/// A second build, which goes when this does.
pub(crate) struct Builds {
    other: PathBuf,
}

impl Builds {
    #[track_caller]
    pub(crate) fn of(lab: &Lab) -> Self {
        let other = lab.bpffs().with_extension("other-build");
        other_build(&ctl_binary(), &other);
        Self { other }
    }

    pub(crate) fn other(&self) -> &Path {
        &self.other
    }

    /// The build of this number: one and the other.
    fn number(&self, number: usize) -> PathBuf {
        match number % 2 {
            0 => ctl_binary(),
            _ => self.other.clone(),
        }
    }
}

impl Drop for Builds {
    fn drop(&mut self) {
        fs::remove_file(&self.other).expect("our own file");
    }
}

/// The programs of eth0 that the other build has others of, by the kernel's tag.
const DIFFER: [&str; 5] = [
    "alias_rx",
    "alias_deliver",
    "alias_tx",
    "alias_return",
    "alias_egress",
];

/// Where the pins of eth0 are.
#[track_caller]
fn directory(lab: &Lab) -> PathBuf {
    let pins = lab.pins();
    let rx = pins.iter().find(|pin| pin.ends_with("alias_rx"));
    let directory = rx.and_then(|pin| pin.parent());
    directory.expect("eth0 is attached").to_owned()
}

#[track_caller]
fn info(pins: &Path, program: &str) -> program_info::ProgramInfo {
    let object = bpf::open_pinned(&pins.join(program)).expect("it is pinned");
    let info = program_info::program_info(&object).expect("it can be asked for");
    info.expect("a program")
}

/// What runs on eth0's XDP hook.
fn engine(lab: &Lab) -> u64 {
    let id = &lab.a.link("eth0")["xdp"]["prog"]["id"];
    id.as_u64().expect("a program")
}

fn check(builder: LabBuilder, tc: &str, wants_all: bool) {
    let lab = builder.build();
    let builds = Builds::of(&lab);
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:2", "203.0.113.9/24", "--to", "v0"]);
    lab.ctl_ok(&["add", "eth0:3", "198.51.100.30/24", "--local"]);
    let mut programs = DIFFER.to_vec();
    if wants_all {
        // The full engine, and what a type brings along.
        lab.ctl_ok(&["add", "eth0:4", "198.18.1.0/24", "--prefix", "--drop"]);
        lab.ctl_ok(&["types", "add", &object_name()]);
        lab.ctl_ok(&["add", "eth0", "100", "--family", "mpls", "--drop"]);
        programs.push("alias_rx_types");
    }
    let device = lab.device("eth0:1");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let beats = [
        ("eth0:1", Heartbeat::start(&lab, &home, "198.51.100.8")),
        ("eth0:2", Heartbeat::start(&lab, &far, "203.0.113.9")),
    ];
    let ctl = |arguments: &[&str]| lab.ctl_of(builds.other(), arguments).ok().stdout;
    let (rows, pins, pinned) = (lab.rows(), lab.pins(), directory(&lab));
    let before: Vec<_> = programs.iter().map(|name| info(&pinned, name)).collect();
    let on_v0 = tcx_programs(&lab.a, "v0").expect("to be told");
    let ran = engine(&lab);

    // It is said before it is done, and saying it changes nothing.
    assert!(lab.ctl_ok(&["upgrade"]).contains("nothing to do"));
    let heading = ctl(&["show"]);
    let said = |text: &str| text.contains("programs of another build");
    assert!(said(&heading), "{heading}");
    assert!(!said(&lab.ctl_ok(&["show"])));
    let doctor = ctl(&["doctor", "eth0"]);
    assert!(
        doctor.contains("programs are of another build") && doctor.contains("alias-ctl upgrade"),
        "{doctor}"
    );
    let text = ctl(&["upgrade", "--dry-run"]);
    assert!(text.starts_with("eth0: would be upgraded from "), "{text}");
    assert_eq!((engine(&lab), lab.pins()), (ran, pins.clone()));

    let text = ctl(&["upgrade", "eth0"]);
    assert!(text.starts_with("eth0: upgraded from "), "{text}");
    assert_eq!((lab.rows(), lab.pins()), (rows, pins.clone()));
    for (name, before) in programs.iter().zip(before) {
        let after = info(&pinned, name);
        assert_ne!(after.tag, before.tag, "{name}: the same program");
    }
    let expected = match wants_all {
        true => info(&pinned, "alias_rx_types"),
        false => info(&pinned, "alias_rx"),
    };
    assert_eq!(engine(&lab), u64::from(expected.id));
    if tc == "tcx" {
        let returning = vec![info(&pinned, "alias_return").id];
        assert_ne!(on_v0, returning);
        assert_eq!(tcx_programs(&lab.a, "v0").expect("to be told"), returning);
        let delivering = tcx_programs(&lab.a, "eth0").expect("to be told");
        assert_eq!(delivering, [info(&pinned, "alias_deliver").id]);
    } else {
        let filters = lab.a.run("tc -j filter show dev eth0 ingress").ok().stdout;
        let id = format!("\"id\":{}", info(&pinned, "alias_deliver").id);
        assert!(filters.contains(&id), "{id} in {filters}");
    }

    // Once is enough.
    let text = ctl(&["upgrade"]);
    assert!(text.contains("nothing to do"), "{text}");
    assert_eq!(engine(&lab), u64::from(expected.id));
    assert!(!ctl(&["doctor", "eth0"]).contains("another build"));
    assert!(lab.ctl_ok(&["doctor", "eth0"]).contains("another build"));
    for (alias, beat) in beats {
        let (sent, lost) = beat.end();
        assert_eq!(lost, 0, "{alias}: of {sent}");
        for counter in ["rx_packets", "tx_packets"] {
            lab.wait_for_counter(alias, counter, sent);
        }
    }
    lab.b.ping_ok("198.51.100.30", 2);
    let proc = lab.ctl_ok(&["show", "--proc"]);
    for name in lab.alias_names() {
        assert!(proc.contains(&format!("{name} ")), "{name} in {proc}");
    }

    // What the other build left is anybody's to change, and to take off.
    lab.ctl_ok(&["set", "eth0:0", "198.18.0.7"]);
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    if wants_all {
        lab.ctl_ok(&["types", "del", "mpls"]);
    }
    let alias = lab.bpffs().join("alias");
    let left: Vec<PathBuf> = lab.pins();
    assert!(!left.iter().any(|pin| pin.starts_with(&alias)), "{left:?}");
}

#[test]
fn another_builds_programs_take_over_native() {
    check(Lab::builder().mode(Mode::Native).gro_at_b(), "tcx", true);
}

#[test]
fn another_builds_programs_take_over_on_clsact() {
    let builder = Lab::builder().mode(Mode::Native).gro_at_b();
    check(builder.attach_options(&["--tc", "clsact"]), "clsact", false);
}

#[test]
fn another_builds_programs_take_over_generic() {
    check(Lab::builder().mode(Mode::Generic).gro_at_b(), "tcx", false);
}

/// The programs on the cgroup2 root too; and what an application had set before on a socket
/// is its own to decide afterwards.
#[test]
fn sockets_keep_what_was_set_on_them() {
    let lab = Lab::attached(Mode::Native);
    let builds = Builds::of(&lab);
    let address = ip(Family::V4.alias(0));
    let alias = format!("{address}/24");
    lab.ctl_ok(&["add", "eth0:0", &alias, "--local", "--tcp-nodelay", "1"]);
    let pinned = directory(&lab);
    let link = |name: &str| bpf::link_id(&pinned.join(name)).expect("a link");
    let links = || ["tcp_note_link", "tcp_apply_link"].map(link);
    let (before, pins) = (links(), lab.pins());
    let listening = |sets: bool| {
        let socket = socket(&lab.a, address);
        if sets {
            set(&socket, NODELAY, 0);
        }
        bind(&socket, address);
        listen(socket)
    };
    let (decided, undecided) = (listening(true), listening(false));
    for (round, build) in [1, 2, 3].map(|round| (round, builds.number(round))) {
        let text = lab.ctl_of(&build, &["upgrade"]).ok().stdout;
        assert!(text.starts_with("eth0: upgraded"), "{round}: {text}");
        // The links are the same, and nothing else is left beside them.
        assert_eq!((links(), lab.pins()), (before, pins.clone()), "{round}");
        for (listener, expected) in [(&decided, 0), (&undecided, 1), (&listening(false), 1)] {
            let connection = accepted(listener, address, &lab.b);
            assert_eq!(get(&connection.own, NODELAY), expected, "{round}");
        }
    }
    lab.ctl_ok(&["set", "eth0:0", "--tcp-nodelay", "default"]);
    let connection = accepted(&listening(false), address, &lab.b);
    assert_eq!(get(&connection.own, NODELAY), 0);
}

/// Another namespace's devices are not looked at, which is said, or all are.
#[test]
fn other_namespaces_are_told_of_or_upgraded() {
    let lab = Lab::builder().mode(Mode::Native).build();
    let builds = Builds::of(&lab);
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    let at_b = ["add", "eth0:7", "198.18.0.7", "--drop"];
    lab.ctl_in(&lab.b, &at_b).ok();
    let is_other = |host| {
        let shown = lab.ctl_in(host, &["show"]).ok().stdout;
        shown.contains("programs of another build")
    };
    let both = || [is_other(&lab.a), is_other(&lab.b)];
    assert_eq!(both(), [false, false]);
    let output = lab.ctl_of(builds.other(), &["upgrade"]).ok();
    let note = "note: those of another network namespace were not looked at";
    assert!(output.stderr.contains(note), "{output}");
    assert_eq!(both(), [true, false]);
    for (program, expected) in [
        (builds.other().to_owned(), [true, true]),
        (ctl_binary(), [false, false]),
    ] {
        let output = lab.ctl_of(&program, &["upgrade", "--all-netns"]).ok();
        let named = format!("network namespace {}:\neth0: upgraded from ", lab.b.name());
        assert!(output.stdout.contains(&named), "{output}");
        assert_eq!(output.stderr, "");
        assert_eq!(both(), expected);
    }
    let output = lab.ctl_of(&ctl_binary(), &["upgrade", "--all-netns"]).ok();
    assert_eq!(
        output.stdout.matches("nothing to do").count(),
        2,
        "{output}"
    );
    lab.ctl_in(&lab.b, &["detach", "eth0", "--cascade"]).ok();
    let output = lab.ctl_of(builds.other(), &["upgrade"]).ok();
    assert_eq!(output.stderr, "");
    lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    let text = lab.ctl_ok(&["upgrade"]);
    assert!(text.starts_with("no device is attached"), "{text}");
}

/// Without the memory for a second generation everything goes on as before.
#[test]
fn what_is_refused_has_changed_nothing() {
    let lab = Lab::builder().mode(Mode::Native).build();
    let builds = Builds::of(&lab);
    let home = lab.namespace("home");
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
    let device = lab.device("eth0:0");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let beat = Heartbeat::start(&lab, &home, "198.51.100.8");
    let state = || (lab.rows(), lab.pins(), engine(&lab), lab.a.ip("link show"));
    let before = state();
    for words in [
        &["upgrade"][..],
        &["upgrade", "eth0"],
        &["upgrade", "--all"],
    ] {
        let output = with_available(&lab, builds.other(), 100, words);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(
            text.contains("alias-ctl: eth0: ") && text.contains("(ENOMEM)"),
            "{words:?}: {text}"
        );
        assert_eq!(state(), before, "{words:?}");
    }
    lab.ctl_err(&["upgrade", "eth7"], "ENODEV");
    lab.ctl_err(&["upgrade", "lo"], "ENODEV");
    let output = lab.ctl_of(builds.other(), &["upgrade"]).ok();
    assert!(
        output.stdout.starts_with("eth0: upgraded from "),
        "{output}"
    );
    let (sent, lost) = beat.end();
    assert_eq!(lost, 0, "of {sent}");
}
