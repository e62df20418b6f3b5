//! Settings of ARP and of reverse path filtering (ip-sysctl): an alias of every target is
//! answered for as an address would be that `ip addr add` put on the parent, or `doctor`
//! names the setting, and what it says to do ends the silence. The control is such an address.

use std::sync::OnceLock;

use alias_tests::{Lab, Mode, Namespace};
use serde_json::Value;

use crate::scene::has_tcx;

/// Each is set for `all` devices of the namespace that is asked.
const SETTINGS: [(&str, &str); 9] = [
    ("arp_ignore", "1"),
    ("arp_ignore", "2"),
    ("arp_ignore", "3"),
    ("arp_ignore", "8"),
    ("arp_announce", "1"),
    ("arp_announce", "2"),
    ("arp_filter", "1"),
    ("rp_filter", "1"),
    ("rp_filter", "2"),
];

/// Addresses that are asked for, and from which addresses: in the parent's network, in it
/// without a network of its own, in another network, in none.
const ADDRESSES: [(&str, &[&str]); 4] = [
    ("192.0.2.20/24", &["192.0.2.1"]),
    ("192.0.2.21/32", &["192.0.2.1"]),
    ("198.51.100.8/24", &["198.51.100.2", "192.0.2.1"]),
    ("203.0.113.9/32", &["192.0.2.1"]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Device,
    Join,
    Local,
    Netns,
    To,
}

/// A lab, and the namespaces beside host A whose stacks are asked.
struct Ground {
    homes: Vec<Namespace>,
    lab: Lab,
}

impl Ground {
    /// Host B has an address in both networks.
    fn new(lab: Lab) -> Ground {
        lab.b.ip("addr add 198.51.100.2/24 dev eth0");
        lab.b
            .ip("route replace 198.51.100.0/24 dev eth0 src 198.51.100.2");
        lab.b.ip("route replace 203.0.113.0/24 dev eth0");
        Ground {
            homes: Vec::new(),
            lab,
        }
    }

    fn plain() -> Ground {
        let ground = Ground::new(Lab::plain());
        for (address, _) in ADDRESSES {
            ground.lab.a.ip(&format!("addr add {address} dev eth0"));
        }
        ground
    }

    fn with(mode: Mode, target: Target) -> Ground {
        let mut ground = Ground::new(Lab::attached(mode));
        if target == Target::Join {
            ground.lab.ctl_ok(&["add", "eth0:9", "192.0.2.30/24"]);
        }
        for (slot, (address, _)) in ADDRESSES.iter().enumerate() {
            ground.add(target, &format!("eth0:{slot}"), address);
        }
        ground
    }

    fn add(&mut self, target: Target, alias: &str, address: &str) {
        let lab = &self.lab;
        let home = || lab.namespace(&format!("h{}", self.homes.len()));
        match target {
            Target::Device => lab.ctl_ok(&["add", alias, address]),
            Target::Join => lab.ctl_ok(&["add", alias, address, "--join", "eth0:9"]),
            Target::Local => lab.ctl_ok(&["add", alias, address, "--local"]),
            Target::Netns => {
                let home = home();
                lab.ctl_ok(&["add", alias, address, "--netns", home.name()]);
                let device = home.link(alias)["ifname"]
                    .as_str()
                    .expect("a name")
                    .to_owned();
                home.wait_until_up(&device);
                home.ip(&format!("route replace 192.0.2.0/24 dev {device}"));
                self.homes.push(home);
                String::new()
            }
            Target::To => {
                let home = home();
                let n = self.homes.len();
                lab.a.ip(&format!(
                    "link add to{n} type veth peer name far0 netns {}",
                    home.name()
                ));
                lab.a.ip(&format!("link set to{n} up"));
                home.ip("link set far0 up");
                home.ip(&format!("addr add {address} dev far0"));
                home.ip("route replace 192.0.2.0/24 dev far0");
                lab.ctl_ok(&["add", alias, address, "--to", &format!("to{n}")]);
                self.homes.push(home);
                String::new()
            }
        };
    }

    /// The namespaces whose stacks are asked.
    fn asked(&self) -> Vec<&Namespace> {
        match self.homes.is_empty() {
            true => vec![&self.lab.a],
            false => self.homes.iter().collect(),
        }
    }

    fn set(&self, setting: &str, value: &str) {
        for home in self.asked() {
            home.sysctl(&format!("ipv4/conf/all/{setting}"), value);
        }
    }

    /// Whether host B is answered, for every address and from every one of its own.
    fn answers(&self) -> Vec<Vec<bool>> {
        let forget = || {
            for host in self.asked().into_iter().chain([&self.lab.a, &self.lab.b]) {
                host.run("ip neigh flush all");
            }
        };
        let asks = |address: &str, from: &str| {
            let (address, _) = address
                .split_once('/')
                .expect("an address with its network");
            // Silence is listened to for a while, and for one question more.
            (0..2).any(|_| {
                forget();
                let options = format!("-I {from} -W 1");
                self.lab.b.ping_with(address, 1, &options).received == 1
            })
        };
        ADDRESSES
            .iter()
            .map(|(address, from)| from.iter().map(|from| asks(address, from)).collect())
            .collect()
    }

    /// What `doctor` says of an alias that is a problem.
    fn problem(&self, alias: &str) -> Option<Value> {
        let output = self.lab.ctl(&["doctor", "-j"]);
        let code = output.code();
        let found: Value = serde_json::from_str(&output.stdout).expect("JSON");
        let found = found.as_array().expect("an array");
        let is_it = |finding: &&Value| finding["level"] == "problem" && finding["object"] == alias;
        let found = found.iter().find(is_it).cloned();
        assert!(found.is_none() || code == 1, "{output}");
        found
    }
}

/// By setting, address and asker: whether an address of the parent's own is answered for.
/// It is measured once, for whoever compares with it.
fn control() -> &'static Vec<Vec<Vec<bool>>> {
    static CONTROL: OnceLock<Vec<Vec<Vec<bool>>>> = OnceLock::new();
    CONTROL.get_or_init(|| {
        let plain = Ground::plain();
        let under = |(setting, value): &(&str, &str)| {
            plain.set(setting, value);
            let answers = plain.answers();
            plain.set(setting, "0");
            answers
        };
        SETTINGS.iter().map(under).collect()
    })
}

/// Aliases of a target under each setting.
fn compare(target: Target, mode: Mode) {
    let ground = Ground::with(mode, target);
    assert!(
        ground.answers().iter().flatten().all(|answered| *answered),
        "{mode:?} {target:?}: without any setting"
    );
    for ((setting, value), plain) in SETTINGS.iter().zip(control()) {
        ground.set(setting, value);
        let ours = ground.answers();
        for (slot, (ours, plain)) in ours.iter().zip(plain).enumerate() {
            let alias = format!("eth0:{slot}");
            let what = format!("{mode:?} {target:?} {setting}={value} {alias}");
            let problem = match target {
                // Its stack is somebody else's, where a /32 is in no other network.
                Target::To => {
                    let is_alone = (*setting, *value) == ("arp_ignore", "2") && slot == 1;
                    assert!(ours == plain || is_alone, "{what}: {ours:?}, not {plain:?}");
                    continue;
                }
                _ => ground.problem(&alias),
            };
            let is_silent = ours.iter().zip(plain).any(|(ours, plain)| !ours && *plain);
            let is_silent = is_silent || (*setting, *value) == ("arp_ignore", "8");
            let Some(problem) = problem else {
                assert!(!is_silent, "{what}: {ours:?}, an address {plain:?}");
                continue;
            };
            assert!(ours.iter().any(|answered| !answered), "{what}: {problem}");
            let way_out = problem["way_out"].as_str().expect("a way out");
            assert!(way_out.contains(setting), "{what}: {problem}");
            ground.lab.a.run(way_out).ok();
            assert_eq!(ground.problem(&alias), None, "{what}");
            let now = &ground.answers()[slot];
            let as_plain = now.iter().zip(plain).all(|(now, plain)| *now || !plain);
            assert!(as_plain, "{what}: {now:?} after {way_out}");
            assert!((*setting, *value) != ("arp_ignore", "8") || now.contains(&true));
            ground.set(setting, value);
        }
        ground.set(setting, "0");
    }
}

/// A test each, so that they wait for silence side by side.
macro_rules! answered_for {
    ($($target:ident: $native:ident, $generic:ident, $tc:ident;)*) => {$(
        #[test]
        fn $native() {
            compare(Target::$target, Mode::Native);
        }

        #[test]
        fn $tc() {
            if has_tcx() {
                compare(Target::$target, Mode::Tc);
            }
        }

        #[test]
        fn $generic() {
            compare(Target::$target, Mode::Generic);
        }
    )*};
}

// As an address is, or `doctor` names the setting.
answered_for! {
    Device: a_device_native, a_device_generic, a_device_tc;
    Join: a_joined_alias_native, a_joined_alias_generic, a_joined_alias_tc;
    Local: a_local_alias_native, a_local_alias_generic, a_local_alias_tc;
    Netns: one_in_a_namespace_native, one_in_a_namespace_generic, one_in_a_namespace_tc;
    To: a_to_device_native, a_to_device_generic, a_to_device_tc;
}

/// The settings of the one device, and of both.
#[test]
fn the_larger_of_two_settings_is_named() {
    let ground = Ground::with(Mode::Native, Target::Local);
    let lab = &ground.lab;
    for (all, own) in [("0", "8"), ("8", "0"), ("8", "8"), ("1", "8")] {
        lab.a.sysctl("ipv4/conf/all/arp_ignore", all);
        lab.a.sysctl("ipv4/conf/eth0/arp_ignore", own);
        let problem = ground.problem("eth0:0").expect("a problem");
        lab.b.run("ip neigh flush all");
        lab.b.ping_unanswered("192.0.2.20");
        lab.a
            .run(problem["way_out"].as_str().expect("a way out"))
            .ok();
        assert_eq!(ground.problem("eth0:0"), None, "{all} {own}");
        lab.b.run("ip neigh flush all");
        lab.b.ping_ok("192.0.2.20", 1);
    }
}

/// Of a prefix no address is on any device.
#[test]
fn a_prefix_that_is_not_answered_for_is_named() {
    for target in [&["--local"][..], &[]] {
        let ground = Ground::new(Lab::attached(Mode::Native));
        let lab = &ground.lab;
        lab.ctl_ok(&[&["add", "eth0:0", "192.0.2.64/28", "--prefix"], target].concat());
        lab.b.ping_ok("192.0.2.65", 1);
        assert_eq!(ground.problem("eth0:0"), None);
        for (setting, value) in [("arp_ignore", "1"), ("arp_ignore", "2")] {
            lab.a.sysctl(&format!("ipv4/conf/all/{setting}"), value);
            lab.b.run("ip neigh flush all");
            lab.b.ping_unanswered("192.0.2.65");
            let problem = ground.problem("eth0:0").expect("a problem");
            lab.a
                .run(problem["way_out"].as_str().expect("a way out"))
                .ok();
            assert_eq!(
                ground.problem("eth0:0"),
                None,
                "{setting}={value} {target:?}"
            );
            lab.b.run("ip neigh flush all");
            lab.b.ping_ok("192.0.2.65", 1);
        }
    }
}

/// Two aliases of one network in one namespace: the answers of both leave by the first.
#[test]
fn the_second_device_of_a_namespace_is_named() {
    let lab = Lab::attached(Mode::Native);
    let home = lab.namespace("home");
    for alias in [0, 1] {
        let (name, address) = (format!("eth0:{alias}"), format!("192.0.2.2{alias}/24"));
        lab.ctl_ok(&["add", &name, &address, "--netns", home.name()]);
    }
    let ground = Ground {
        homes: vec![home],
        lab,
    };
    ground.set("arp_filter", "1");
    assert_eq!(ground.problem("eth0:0"), None);
    ground.lab.b.ping_unanswered("192.0.2.21");
    let problem = ground.problem("eth0:1").expect("a problem");
    ground
        .lab
        .a
        .run(problem["way_out"].as_str().expect("a way out"))
        .ok();
    assert_eq!(ground.problem("eth0:1"), None);
    ground.lab.b.run("ip neigh flush all");
    for address in ["192.0.2.20", "192.0.2.21"] {
        ground.lab.b.ping_ok(address, 1);
    }
}

/// Who makes it is told at once; of one that is answered for nothing is said.
#[test]
fn what_will_not_be_answered_for_is_said_when_it_is_made() {
    let lab = Lab::attached(Mode::Native);
    let said = |words: &[&str]| lab.ctl(&[&["add"], words].concat()).ok().stderr;
    assert_eq!(said(&["eth0:0", "192.0.2.20/24"]), "");
    lab.a.sysctl("ipv4/conf/all/arp_filter", "1");
    let note = said(&["eth0:1", "192.0.2.21/24"]);
    assert!(
        note.contains("eth0:1") && note.contains("arp_filter"),
        "{note}"
    );
    assert_eq!(said(&["eth0:2", "192.0.2.22/24", "--local"]), "");
    assert_eq!(said(&["eth0:3", "192.0.2.23/24", "--drop"]), "");
    let home = lab.namespace("home");
    let netns = home.name();
    home.sysctl("ipv4/conf/all/arp_ignore", "8");
    let note = said(&["eth0:4", "192.0.2.24/24", "--netns", netns]);
    assert!(
        note.contains(&format!("ip netns exec {netns} sysctl -w")),
        "{note}"
    );
}
