//! The saved configuration: `save`, `restore`, `apply` and `diff`, by what the
//! listing, the counters and the host's own configuration say afterwards.

mod crash;
pub(crate) mod desk;
mod file;
mod kept;
mod locks;
mod names;
mod whole;

use std::os::unix::fs::MetadataExt;

use alias_tests::{Namespace, RawSocket};

use crate::scene::{Family, from_b_to_a, ip};
use desk::Desk;

/// Datagrams from B to an address that nobody answers at.
#[track_caller]
fn send(desk: &Desk, address: &str, count: u16) {
    let at_b = RawSocket::open(&desk.lab.b, "eth0");
    for number in 0..count {
        let built = from_b_to_a(&desk.lab).ip(Family::V4.b_ip(), ip(address));
        at_b.send(&built.udp(5, number, b"datagram").padded().build());
    }
}

/// `[received, sent, dropped by policy]`.
#[track_caller]
fn figures(desk: &Desk, alias: &str) -> [u64; 3] {
    ["rx_packets", "tx_packets", "dropped.policy"].map(|path| desk.lab.counter(alias, path))
}

/// Echo requests that a device alias in a namespace answers.
#[track_caller]
fn ping(desk: &Desk, home: &Namespace, alias: &str, count: u32) {
    let row = desk.lab.row(alias);
    let device = row["device"].as_str().expect("a device");
    home.ip(&format!("route replace 192.0.2.0/24 dev {device}"));
    desk.lab
        .b
        .ping_ok(row["address"].as_str().expect("an address"), count);
}

/// Host A with what stands for targets: a namespace and a veth's end.
struct Targets {
    // Dropped in this order: the namespaces before the lab.
    home: Namespace,
    far: Namespace,
    desk: Desk,
}

impl Targets {
    #[track_caller]
    fn build() -> Self {
        let desk = Desk::attached();
        let (home, far) = (desk.lab.namespace("c0"), desk.lab.namespace("v"));
        let targets = Self { home, far, desk };
        targets.lay_v0();
        targets
    }

    #[track_caller]
    fn lay_v0(&self) {
        let a = &self.desk.lab.a;
        a.ip(&format!(
            "link add v0 type veth peer name v1 netns {}",
            self.far.name()
        ));
        a.ip("link set v0 up");
        self.far.ip("link set v1 up");
    }

    /// One alias of each kind, in an order that is not that of their slots.
    #[track_caller]
    fn add_all(&self) {
        let home = self.home.name();
        for line in [
            "add eth0:7 198.51.100.7/24 --drop".to_owned(),
            format!("add eth0:3 198.51.100.3/24 --netns {home}"),
            "add eth0:1 2001:db8:5::1/64".to_owned(),
            "add eth0:2 198.51.100.2/24 --join eth0:3 --no-announce".to_owned(),
            "add eth0:0 203.0.113.1 --to v0".to_owned(),
            "add eth0:9 203.0.113.9/24 --local --tcp-nodelay 1 --tcp-mssdflt 1000".to_owned(),
            format!("add eth0:11 198.51.100.11/24 --vlan 100.200 --netns {home}"),
            "add eth0 --range 198.18.0.0/28 --start 100 --drop".to_owned(),
            "add eth0:12 2001:db8:5::12 --drop".to_owned(),
            "disable eth0:12".to_owned(),
        ] {
            self.desk.lab.ctl_ok(&line.split(' ').collect::<Vec<_>>());
        }
    }
}

/// Rows without what a new device is numbered by.
#[track_caller]
fn rows(desk: &Desk) -> Vec<serde_json::Value> {
    let mut rows = desk.lab.rows();
    for row in &mut rows {
        let numbered = |device: &str| device.starts_with("al");
        if row["device"].as_str().is_some_and(numbered) {
            row["device"] = "numbered".into();
        }
    }
    rows
}

#[test]
fn a_restarted_host_restores_the_identical_list() {
    let mut targets = Targets::build();
    targets.add_all();
    let before = rows(&targets.desk);
    assert_eq!(before.len(), 9 - 1 + 16, "all kinds: {before:#?}");
    targets.desk.lab.ctl_ok(&["save"]);
    let saved = targets.desk.saved();
    assert_eq!(targets.desk.compare(&[]), (0, String::new()));

    targets.desk.lab.restart_a();
    assert_eq!(rows(&targets.desk), [] as [serde_json::Value; 0]);
    targets.lay_v0();
    targets.desk.lab.ctl_ok(&["restore"]);

    assert_eq!(rows(&targets.desk), before);
    assert_eq!(targets.desk.compare(&[]), (0, String::new()));
    ping(&targets.desk, &targets.home, "eth0:3", 3);
    assert_eq!(figures(&targets.desk, "eth0:3"), [3, 3, 0]);
    targets.desk.lab.ctl_ok(&["save"]);
    assert_eq!(
        targets.desk.saved(),
        saved,
        "saved again, it reads the same"
    );
}

/// As NET_ALIAS had it: what went with its device does not come back by itself.
#[test]
fn what_is_saved_comes_back_when_it_is_restored() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    desk.lab
        .ctl_ok(&["add", "eth0:1", "203.0.113.9/24", "--drop"]);
    desk.lab.ctl_ok(&["save"]);
    let saved = rows(&desk);
    desk.lab.a.ip("link del eth0");
    assert_eq!(rows(&desk), [] as [serde_json::Value; 0]);
    desk.lab.a.ip("link add eth0 type veth peer name eth1");
    let refused = desk.lab.ctl_err(&["restore"], "EIO");
    assert!(refused.contains("eth0"), "{refused}");
    desk.lab.a.ip_batch("link set eth0 up\nlink set eth1 up\n");
    assert_eq!(rows(&desk), [] as [serde_json::Value; 0]);
    desk.lab.ctl_ok(&["restore", "eth0"]);
    assert_eq!(rows(&desk), saved);
    let refused = desk.lab.ctl_err(&["restore", "eth1"], "ENOENT");
    assert!(refused.contains("eth1"), "{refused}");
}

#[test]
fn detach_keeps_what_was_saved() {
    let desk = Desk::attached();
    desk.lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24"]);
    desk.lab.ctl_ok(&["save"]);
    let (saved, before) = (desk.saved(), rows(&desk));
    desk.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
    assert_eq!(desk.saved(), saved);
    // The next alias can be made at once, and so can all that was saved.
    desk.lab.ctl_ok(&["add", "eth0:5", "203.0.113.5", "--drop"]);
    desk.lab.ctl_ok(&["restore", "eth0"]);
    desk.lab.ctl_ok(&["del", "eth0:5"]);
    assert_eq!(rows(&desk), before);
}

#[test]
fn applied_twice_changes_nothing() {
    let targets = Targets::build();
    let desk = &targets.desk;
    let home = targets.home.name();
    let path = desk.write(&format!(
        "# mine\nversion = 1  # of the schema\n\n\
         [[alias]]   # the first\nname = \"eth0:4\"\naddress = \"198.51.100.8/24\"\nnetns = \"{home}\"\n\
         [[range]]\nparent = \"eth0\"\naddresses = \"198.18.0.0/30\"\ntarget = \"drop\"\n\
         # the end"
    ));
    let status = || {
        let found = std::fs::metadata(&path).expect("it is there");
        let text = std::fs::read(&path).expect("it is there");
        (
            found.mtime(),
            found.mtime_nsec(),
            found.ino(),
            found.mode(),
            text,
        )
    };
    let before = status();
    assert_eq!(desk.compare(&[&path]).0, 1);
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(
        desk.lab.alias_names(),
        ["eth0:4", "eth0:0", "eth0:1", "eth0:2", "eth0:3"]
    );
    ping(desk, &targets.home, "eth0:4", 3);
    send(desk, "198.18.0.1", 5);
    desk.lab.wait_for_counter("eth0:1", "dropped.policy", 5);
    let ifindex = targets.home.ifindex("eth0:4");
    let host = desk.lab.snapshot();

    desk.lab.ctl_ok(&["apply", &path]);
    desk.lab.ctl_ok(&["apply", "--dry-run", &path]);
    assert_eq!(desk.compare(&[&path]), (0, String::new()));
    desk.lab.assert_unchanged(&host);
    assert_eq!(figures(desk, "eth0:4"), [3, 3, 0]);
    assert_eq!(figures(desk, "eth0:1"), [5, 0, 5]);
    assert_eq!(
        targets.home.ifindex("eth0:4"),
        ifindex,
        "the device is the same"
    );
    assert!(
        status() == before,
        "the file is as it was, comments and all"
    );
}

#[test]
fn what_differs_is_changed_and_its_counters_go_on() {
    let targets = Targets::build();
    let desk = &targets.desk;
    let home = targets.home.name();
    let aliases = |first: &str, second: &str, third: &str| {
        desk.write(&format!(
            "version = 1\n\
             [[alias]]\nname = \"eth0:0\"\naddress = \"{first}/24\"\nnetns = \"{home}\"\n\
             [[alias]]\nname = \"eth0:1\"\naddress = \"{second}/24\"\n{third}\n\
             [[alias]]\nname = \"eth0:2\"\naddress = \"198.51.100.30/24\"\njoin = \"eth0:0\"\n"
        ))
    };
    let path = aliases("198.51.100.8", "198.51.100.9", "target = \"drop\"");
    desk.lab.ctl_ok(&["apply", &path]);
    ping(desk, &targets.home, "eth0:0", 3);
    ping(desk, &targets.home, "eth0:2", 2);
    send(desk, "198.51.100.9", 5);
    desk.lab.wait_for_counter("eth0:1", "dropped.policy", 5);

    // The addresses change places, under a device that another has joined.
    aliases(
        "198.51.100.9",
        "198.51.100.8",
        "target = \"drop\"\nenabled = false",
    );
    let (code, text) = desk.compare(&[&path]);
    assert_eq!(code, 1);
    for line in [
        &*format!("- eth0:0 198.51.100.8/24 device netns {home}\n"),
        &*format!("+ eth0:0 198.51.100.9/24 device netns {home}\n"),
        "+ eth0:1 198.51.100.8/24 drop disabled\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.lab.alias_names(), ["eth0:0", "eth0:1", "eth0:2"]);
    assert_eq!(desk.lab.row("eth0:1")["enabled"], false);
    assert_eq!(figures(desk, "eth0:0"), [3, 3, 0]);
    assert_eq!(figures(desk, "eth0:1"), [5, 0, 5]);
    assert_eq!(figures(desk, "eth0:2"), [2, 2, 0]);
    ping(desk, &targets.home, "eth0:0", 1);
    ping(desk, &targets.home, "eth0:2", 1);
    assert_eq!(figures(desk, "eth0:0"), [4, 4, 0]);
    assert_eq!(figures(desk, "eth0:2"), [3, 3, 0]);

    // Only matched again: nothing is replaced.
    aliases("198.51.100.9", "198.51.100.8", "target = \"drop\"");
    let ifindex = targets.home.ifindex("eth0:0");
    desk.lab.ctl_ok(&["apply", &path]);
    send(desk, "198.51.100.8", 1);
    desk.lab.wait_for_counter("eth0:1", "dropped.policy", 6);
    assert_eq!(targets.home.ifindex("eth0:0"), ifindex);
}

#[test]
fn only_what_a_configuration_made_is_deleted() {
    let desk = Desk::attached();
    let alias = |n: u32| {
        format!(
            "[[alias]]\nname = \"eth0:{n}\"\naddress = \"198.51.100.{n}/24\"\ntarget = \"drop\"\n"
        )
    };
    let declare = |slots: &[u32]| {
        let text: String = slots.iter().map(|n| alias(*n)).collect();
        desk.write(&format!("version = 1\n[[parent]]\nname = \"eth0\"\n{text}"))
    };
    desk.lab
        .ctl_ok(&["add", "eth0:50", "203.0.113.50", "--drop"]);
    desk.lab
        .ctl_ok(&["add", "eth0:2", "198.51.100.2/24", "--drop"]);
    send(&desk, "198.51.100.2", 4);
    desk.lab.wait_for_counter("eth0:2", "dropped.policy", 4);

    // eth0:2 was made by hand, just so: it is adopted as it is.
    let path = declare(&[1, 2, 3]);
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(
        desk.lab.alias_names(),
        ["eth0:50", "eth0:2", "eth0:1", "eth0:3"]
    );
    assert_eq!(figures(&desk, "eth0:2"), [4, 0, 4]);
    let (code, text) = desk.compare(&[&path]);
    assert_eq!(code, 1, "what is not in the file is a difference");
    assert_eq!(text, "- eth0:50 203.0.113.50/32 drop  # made by hand\n");

    declare(&[1]);
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.lab.alias_names(), ["eth0:50", "eth0:1"]);
    declare(&[]);
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.lab.alias_names(), ["eth0:50"]);
    // A device that the file does not name is left alone.
    desk.lab
        .ctl_ok(&["add", "eth0:1", "198.51.100.1/24", "--drop"]);
    desk.write("version = 1\n");
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(desk.lab.alias_names(), ["eth0:50", "eth0:1"]);
}

#[test]
fn what_was_made_by_hand_and_stands_in_the_way_is_refused() {
    let desk = Desk::attached();
    desk.lab
        .ctl_ok(&["add", "eth0:1", "198.51.100.1/24", "--drop"]);
    desk.lab.ctl_ok(&["add", "eth0:5", "198.51.100.5/24"]);
    desk.lab
        .ctl_ok(&["add", "eth0:6", "198.51.100.6/24", "--join", "eth0:5"]);
    let first = "[[alias]]\nname = \"eth0:0\"\naddress = \"198.18.0.1\"\ntarget = \"drop\"\n";
    let owner = "[[alias]]\nname = \"eth0:5\"\naddress = \"198.51.100.5/24\"\n";
    let path = desk.write(&format!("version = 1\n{first}{owner}"));
    desk.lab.ctl_ok(&["apply", &path]);
    for (second, errno, word) in [
        (
            "name = \"eth0:1\"\naddress = \"198.51.100.7/24\"\ntarget = \"drop\"",
            "EEXIST",
            "eth0:1",
        ),
        (
            "name = \"eth0:1\"\naddress = \"198.51.100.1/24\"\ntarget = \"local\"",
            "EEXIST",
            "eth0:1",
        ),
        (
            "name = \"eth0:9\"\naddress = \"198.51.100.1/24\"\ntarget = \"drop\"",
            "EEXIST",
            "line 6",
        ),
        (
            "name = \"eth0:5\"\naddress = \"198.51.100.55/24\"",
            "EBUSY",
            "eth0:6",
        ),
        (
            "name = \"eth0:9\"\naddress = \"192.0.2.9/24\"",
            "EEXIST",
            "own address",
        ),
        (
            "name = \"eth0:9\"\naddress = \"198.51.100.9\"\nnetns = \"nowhere\"",
            "ENOENT",
            "nowhere",
        ),
        (
            "name = \"eth0:9\"\naddress = \"198.51.100.9\"\nto = \"nowhere\"",
            "ENODEV",
            "nowhere",
        ),
        (
            "name = \"eth0:9\"\naddress = \"198.51.100.9\"\njoin = \"eth0:1\"",
            "EINVAL",
            "line 6",
        ),
        (
            "name = \"eth0:16777216\"\naddress = \"198.51.100.9\"",
            "EINVAL",
            "eth0:16777216",
        ),
        (
            "name = \"eth9:0\"\naddress = \"198.51.100.9\"",
            "ENODEV",
            "eth9",
        ),
    ] {
        let changed = first.replace("198.18.0.1", "198.18.0.2");
        let owner = if second.contains("eth0:5") { "" } else { owner };
        desk.write(&format!(
            "version = 1\n{changed}[[alias]]\n{second}\n{owner}"
        ));
        let message = desk.lab.ctl_refused(&["apply", &path], errno);
        assert!(message.contains(word), "{word} in {message}");
    }
}

#[test]
fn tcp_options_change_without_the_device() {
    let desk = Desk::attached();
    let declare = |keys: &str| {
        desk.write(&format!(
            "version = 1\n[[alias]]\nname = \"eth0:0\"\naddress = \"198.51.100.8/24\"\n{keys}\n"
        ))
    };
    let path = declare("tcp_nodelay = 1\ntcp_mssdflt = 1000");
    desk.lab.ctl_ok(&["apply", &path]);
    let ifindex = desk.lab.a.ifindex("eth0:0");
    let options = || desk.lab.row("eth0:0")["tcp"].clone();
    assert_eq!(
        options(),
        serde_json::json!({"tcp_nodelay": 1, "tcp_mssdflt": 1000})
    );
    declare("tcp_nodelay = 0");
    let (code, text) = desk.compare(&[&path]);
    assert_eq!(code, 1);
    assert!(
        text.contains("\n+ eth0:0 198.51.100.8/24 device tcp_nodelay 0\n"),
        "{text}"
    );
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(options(), serde_json::json!({"tcp_nodelay": 0}));
    // What Linux cannot do is refused, and undone.
    declare("tcp_nodelay = 1\nrfc1323 = 0");
    desk.lab.ctl_refused(&["apply", &path], "EOPNOTSUPP");
    declare("");
    desk.lab.ctl_ok(&["apply", &path]);
    assert_eq!(options(), serde_json::Value::Null);
    assert_eq!(desk.lab.a.ifindex("eth0:0"), ifindex);
    assert_eq!(desk.compare(&[&path]), (0, String::new()));
}
