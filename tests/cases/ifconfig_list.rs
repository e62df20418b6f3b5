//! `ifconfig`'s listings, and the program called by the name `ifconfig`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use alias_tests::{Lab, Mode, ctl_binary, run_to_end};

use crate::ifconfig::{ok, refused, with_two};
use crate::scene::LIMIT;

/// A directory of our own with a link to `alias-ctl`, removed at the end.
pub(crate) struct Linked {
    directory: PathBuf,
}

impl Linked {
    #[track_caller]
    pub(crate) fn named(lab: &Lab, name: &str) -> Self {
        // Next to the lab's bpffs, by its name, which is nobody else's.
        let mut directory = lab.bpffs().as_os_str().to_owned();
        directory.push("-bin");
        let directory = PathBuf::from(directory);
        fs::create_dir(&directory).expect("the lab's name is unique");
        symlink(ctl_binary(), directory.join(name)).expect("a link in our own directory");
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        // Must not panic: a failed test unwinds through here.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn called_through_a_link() {
    let lab = Lab::attached(Mode::Native);
    let linked = Linked::named(&lab, "ifconfig");
    let call = |words: &[&str]| {
        let mut command = lab.a.command(linked.directory().join("ifconfig"));
        command.args(words).env("ALIAS_BPFFS_ROOT", lab.bpffs());
        run_to_end(command, b"", 2 * LIMIT)
    };
    call(&["eth0:0", "198.51.100.8"]).ok();
    lab.b.ping_ok("198.51.100.8", 1);
    let listing = call(&[]).ok().stdout;
    assert_eq!(listing, ok(&lab, ""), "the same as alias-ctl ifconfig");
    assert_eq!(call(&["eth0", "bogus"]).code(), 1);
    assert_eq!(call(&["-u", "-d"]).code(), 2);
    call(&["eth0:0", "down"]).ok();
    assert!(lab.alias_names().is_empty());
}

#[test]
fn linux_blocks() {
    let lab = with_two();
    let shown = ok(&lab, "");
    let blocks: Vec<&str> = shown.trim_end().split("\n\n").collect();
    let names: Vec<&str> = blocks.iter().filter_map(|b| b.split(' ').next()).collect();
    assert_eq!(names, ["lo", "eth0", "eth0:0", "eth0:1"]);
    let mac = lab.a.link("eth0")["address"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let eth0 = blocks[1];
    for line in [
        format!("eth0      Link encap:Ethernet  HWaddr {mac}\n"),
        "          inet addr:192.0.2.9  Mask:255.255.255.0\n".into(),
        "          inet6 addr: 2001:db8:0:1::9/64 Scope:Global\n".into(),
        "          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n".into(),
        "          RX packets:".into(),
        "          TX packets:".into(),
    ] {
        assert!(eth0.contains(&line), "{line:?} in {eth0}");
    }
    assert_eq!(
        blocks[2],
        format!(
            "eth0:0    Link encap:Ethernet  HWaddr {mac}\n          \
             inet addr:198.51.100.8  Bcast:198.51.100.255  Mask:255.255.255.0\n          \
             UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1"
        ),
        "an alias has no statistics of its own"
    );
    assert_eq!(ok(&lab, "eth0:0").trim_end(), blocks[2]);
    assert_eq!(
        ok(&lab, "eth0").matches("Link encap").count(),
        1,
        "the device alone"
    );
    refused(&lab, "eth0:7", "ENODEV");
    refused(&lab, "eth9", "ENODEV");
}

#[test]
fn the_devices_figures_include_its_aliases() {
    let lab = with_two();
    let received = || {
        let block = ok(&lab, "eth0");
        let line = block
            .lines()
            .find(|l| l.contains("RX packets:"))
            .map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("no RX line: {block}"));
        let number = line
            .split(':')
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        number
            .and_then(|n| n.parse::<u64>().ok())
            .expect("a number")
    };
    let before = received();
    lab.b.ping_ok("198.51.100.8", 5);
    assert!(received() >= before + 5);
}

#[test]
fn in_creation_order_behind_their_device() {
    let lab = Lab::attached(Mode::Native);
    ok(&lab, "eth0:2 198.51.100.2");
    ok(&lab, "eth0:0 198.51.100.1");
    assert_eq!(ok(&lab, "-l"), "lo eth0 eth0:2 eth0:0\n");
    // A change is no new alias.
    ok(&lab, "eth0:2 203.0.113.2");
    assert_eq!(ok(&lab, "-l"), "lo eth0 eth0:2 eth0:0\n");
}

#[test]
fn names_up_and_down() {
    let lab = with_two();
    lab.a.ip("link add d0 type veth peer name d1");
    assert_eq!(ok(&lab, "--style bsd -l"), "lo eth0 d1 d0\n");
    assert_eq!(ok(&lab, "-l"), "lo eth0 eth0:0 eth0:1 d1 d0\n");
    assert_eq!(ok(&lab, "-l -d"), "d1 d0\n");
    assert_eq!(ok(&lab, "-l -u"), "lo eth0 eth0:0 eth0:1\n");
    assert!(ok(&lab, "-d").starts_with("d1 "));
    assert!(!ok(&lab, "").contains("d0 "), "what is down only with -a");
    assert!(ok(&lab, "-a").contains("d0 "));
    let inet6 = ok(&lab, "-a inet6");
    assert!(
        inet6.contains("inet6 addr: ") && !inet6.contains("inet addr:"),
        "{inet6}"
    );
}

#[test]
fn a_line_for_each() {
    let lab = with_two();
    let lines = ok(&lab, "-s");
    let lines: Vec<Vec<&str>> = lines
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..3], ["Iface", "MTU", "RX-OK"]);
    assert_eq!(lines[2][..2], ["eth0", "1500"]);
    assert_eq!(lines[2][10], "BMRU");
    assert_eq!(
        lines[3].join(" "),
        "eth0:0 1500 - no statistics available - BMRU"
    );
    assert_eq!(lines.len(), 5);
}

#[test]
fn bsd_and_aix() {
    let lab = with_two();
    lab.a.ip("addr add 192.0.2.50/24 dev eth0 label eth0:web");
    let addresses = "\tinet 192.0.2.9 netmask 0xffffff00\n\
                     \tinet6 2001:db8:0:1::9 prefixlen 64\n";
    let aliases = "\tinet 198.51.100.8 netmask 0xffffff00 broadcast 198.51.100.255\n\
                   \tinet 203.0.113.9 netmask 0xffffff00 broadcast 203.0.113.255\n\
                   \tinet 192.0.2.50 netmask 0xffffff00 (eth0:web: not made here, left alone)\n";
    for (style, words) in [
        ("bsd", "flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>"),
        (
            "aix",
            "flags=6080843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT>",
        ),
    ] {
        let shown = ok(&lab, &format!("--style {style} eth0"));
        assert!(
            shown.starts_with(&format!("eth0: {words} mtu 1500\n")),
            "{shown}"
        );
        let link_local_left_out: String = shown
            .lines()
            .filter(|line| !line.contains("fe80::"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(
            link_local_left_out.ends_with(&format!("{addresses}{aliases}")),
            "{shown}"
        );
    }
}

#[test]
fn the_environment_chooses_the_layout() {
    let lab = Lab::builder()
        .mode(Mode::Native)
        .env("ALIAS_IFCONFIG_STYLE", "bsd")
        .build();
    assert!(ok(&lab, "eth0").starts_with("eth0: flags=8843<"));
    assert!(ok(&lab, "--style linux eth0").starts_with("eth0      Link encap:"));
}

#[test]
fn five_flag_words() {
    let lab = Lab::plain();
    for (style, word, expected) in [
        (
            "aix",
            "e08084b",
            "UP,BROADCAST,LOOPBACK,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT",
        ),
        (
            "aix",
            "e080863",
            "UP,BROADCAST,NOTRAILERS,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT",
        ),
        (
            "aix",
            "e0a0043",
            "UP,BROADCAST,RUNNING,ALLCAST,MULTICAST,GROUPRT,64BIT",
        ),
        (
            "bsd",
            "8943",
            "UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST",
        ),
        ("bsd", "8049", "UP,LOOPBACK,RUNNING,MULTICAST"),
    ] {
        let line = ok(&lab, &format!("--style {style} --flags {word}"));
        assert_eq!(line, format!("flags={word}<{expected}>\n"));
    }
}

#[test]
fn a_disabled_alias_is_among_those_that_are_down() {
    let lab = Lab::attached(Mode::Native);
    lab.ctl_ok(&["ifconfig", "eth0:0", "198.51.100.8"]);
    lab.ctl_ok(&["ifconfig", "eth0:1", "198.51.100.9"]);
    lab.ctl_ok(&["disable", "eth0:0"]);
    let names = |option: &str| lab.ctl_ok(&["ifconfig", option, "-l"]);
    assert!(!names("-u").contains("eth0:0"));
    let down = names("-d");
    let down: Vec<&str> = down.split_whitespace().collect();
    assert!(down.contains(&"eth0:0"), "{down:?}");
    assert!(
        !down.contains(&"eth0:1") && !down.contains(&"eth0"),
        "{down:?}"
    );
}
