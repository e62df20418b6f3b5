//! What is watched while commands are killed: a stable alias's traffic, and
//! whether the listing and the kernel agree.

use std::{
    cell::Cell,
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use alias_tests::{
    Background, Lab, LabSnapshot, Mode, Namespace, RawSocket,
    frame::{Echo, frame},
    wait_for,
};
use serde_json::Value;

use super::heartbeat::Heartbeat;
use crate::aim::Aim;
use crate::scene::{Family, LIMIT, ip};
use crate::tcp_options::sockets;

/// The alias that nobody touches.
const STABLE: &str = "eth0:1000";
const STABLE_ADDRESS: &str = "203.0.113.9";

/// What a command that puts things in order may take.
const IN_ORDER: Duration = Duration::from_secs(30);

/// A command line that is killed, and those that it needs before it. `D` stands
/// for the namespace of the devices.
pub(super) struct Step {
    pub(super) before: &'static [&'static str],
    pub(super) victim: &'static str,
}

pub(super) struct Ward {
    // Dropped in this order: the homes before the lab.
    heartbeat: Heartbeat,
    home: Namespace,
    devices: Namespace,
    pub(super) lab: Lab,
    at_b: RawSocket,
    macs: [[u8; 6]; 2],
    before: LabSnapshot,
    pins: Vec<PathBuf>,
    /// Packets that eth0:0 was sent.
    sent: Cell<u64>,
}

impl Ward {
    #[track_caller]
    pub(super) fn open() -> Self {
        let lab = Lab::attached(Mode::Native);
        let (home, devices) = (lab.namespace("home"), lab.namespace("devices"));
        let far = "link add v0 type veth peer name v1";
        lab.a
            .ip_batch(&format!("{far}\nlink set v0 up\nlink set v1 up\n"));
        lab.a.ip("link add eth1 type veth peer name v2");
        lab.a.ip_batch("link set v2 up\nlink set eth1 up\n");
        lab.a.wait_until_up("eth1");
        lab.a.wait_until_up("v0");
        let address = format!("{STABLE_ADDRESS}/24");
        lab.ctl_ok(&["add", STABLE, &address, "--netns", home.name()]);
        let device = lab.device(STABLE);
        home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
        // GRO at v1 is turned on by the first `--to`, and stays.
        lab.ctl_ok(&["add", "eth0:0", "198.51.100.8", "--to", "v0"]);
        lab.ctl_ok(&["del", "eth0:0"]);
        Self {
            heartbeat: Heartbeat::start(&lab, &home, STABLE_ADDRESS),
            at_b: RawSocket::open(&lab.b, "eth0"),
            macs: [lab.b.mac("eth0"), lab.a.mac("eth0")],
            before: lab.snapshot(),
            pins: lab.pins(),
            sent: Cell::new(0),
            home,
            devices,
            lab,
        }
    }

    pub(super) fn words<'a>(&'a self, line: &'a str) -> Vec<&'a str> {
        let word = |word| {
            if word == "D" {
                self.devices.name()
            } else {
                word
            }
        };
        line.split_whitespace().map(word).collect()
    }

    /// Starts a command line, of which only the end matters.
    #[track_caller]
    pub(super) fn start(&self, line: &str) -> Background {
        self.lab.ctl_spawn(&self.words(line))
    }

    #[track_caller]
    fn prepare(&self, step: &Step) {
        self.clear();
        self.sent.set(0);
        for line in step.before {
            self.lab.ctl_ok(&self.words(line));
        }
    }

    /// Deletes everything but the stable alias.
    #[track_caller]
    fn clear(&self) {
        let mut names = self.lab.alias_names();
        names.retain(|name| name != STABLE);
        if self.lab.pins().len() > self.pins.len() {
            self.lab.ctl(&["detach", "eth1", "--cascade"]);
        }
        names.retain(|name| !name.starts_with("eth1"));
        if !names.is_empty() {
            let names = names.iter().map(String::as_str);
            let words: Vec<_> = ["del"].into_iter().chain(names).collect();
            self.lab.ctl_ok(&words);
        }
    }

    /// Runs every step unharmed, then kills it `rounds` times or more.
    #[track_caller]
    pub(super) fn kill_each(&self, steps: &[Step], rounds: u32, seed: u64) {
        let mut aim = Aim::new(seed);
        for step in steps {
            self.prepare(step);
            aim.measure(|| drop(self.lab.ctl_ok(&self.words(step.victim))));
            self.check_whole(step.victim);
            while aim.goes_on(rounds) {
                self.prepare(step);
                let is_change = step.victim.starts_with("set");
                if is_change {
                    self.send_three("198.51.100.8");
                }
                let (_, what) = aim.kill(self.start(step.victim));
                let what = format!("`{}` {what}", step.victim);
                self.check_listed(&what);
                if step.victim.contains("eth1") {
                    self.attach_again(&what);
                }
                self.next_command(&what);
                self.check_whole(&what);
                if is_change {
                    self.lab
                        .wait_for_counter("eth0:0", "rx_packets", self.sent.get());
                }
            }
        }
    }

    /// What a killed attachment left is not in the way of the next.
    #[track_caller]
    fn attach_again(&self, what: &str) {
        let next = self.lab.ctl(&["attach", "eth1"]);
        let there_already = next.stderr.contains("(EEXIST)");
        assert!(next.code() == 0 || there_already, "{what}, then {next}");
    }

    /// Any command that changes something puts in order what it finds.
    #[track_caller]
    pub(super) fn next_command(&self, what: &str) {
        let started = Instant::now();
        self.lab.ctl_ok(&["enable", STABLE]);
        assert!(
            started.elapsed() < IN_ORDER,
            "{what}: the next command hung"
        );
    }

    #[track_caller]
    fn send_three(&self, address: &str) {
        let [b, a] = self.macs;
        for number in 0..3 {
            let built = frame().between(b, a).ip(Family::V4.b_ip(), ip(address));
            self.at_b
                .send(&built.udp(5, number, b"three").padded().build());
        }
        self.sent.set(3);
        self.lab.wait_for_counter("eth0:0", "rx_packets", 3);
    }

    /// What is listed is there, before anybody has put anything in order.
    #[track_caller]
    fn check_listed(&self, what: &str) {
        let (rows, links) = (self.lab.rows(), self.lab.a.ip_json("addr show"));
        for row in rows.iter().filter(|row| row["parent"] == "eth0") {
            let home = self.home_of(row);
            let found = home.map(|home| home.ip_json("addr show"));
            let place = found.as_ref().unwrap_or(&links);
            let device = named(place, row["device"].as_str().unwrap_or("v0"));
            let device = device.unwrap_or_else(|| panic!("{what}: no device of {row}"));
            if row["target"] == "device" || row["target"] == "join" || row["target"] == "local" {
                assert!(
                    addresses(device).contains(text(row, "address")),
                    "{what}: {row}"
                );
            }
            if row["target"] == "device" {
                let flags = device["flags"].as_array().expect("flags");
                assert!(flags.iter().any(|flag| flag == "UP"), "{what}: {row}");
                let alias = home.and_then(|home| home.find_link(text(row, "alias")));
                assert!(alias.is_some(), "{what}: no altname: {row}");
            }
        }
        let of_devices = |row: &&Value| {
            row["netns"] == self.devices.name() && row["parent"] == "eth0" && row["enabled"] == true
        };
        let sample: Vec<_> = rows.iter().filter(of_devices).collect();
        if let Some(row) = sample.get(sample.len() / 2) {
            self.check_wire(row, what);
        }
    }

    /// A frame in and a frame out: the programs hang where they should. Nobody
    /// answers a reply, so both are counted exactly.
    #[track_caller]
    fn check_wire(&self, row: &Value, what: &str) {
        let ([b, a], alias) = (self.macs, ip(text(row, "address")));
        let device = RawSocket::open(&self.devices, text(row, "device"));
        // Of its own: one that nobody reads from for some steps is full of heartbeats.
        let at_b = RawSocket::open(&self.lab.b, "eth0");
        let to = frame().between(b, a).ip(Family::V4.b_ip(), alias);
        let to = to.echo(Echo::Reply, 5, 9, b"to the alias").padded().build();
        self.at_b.send(&to);
        if row["alias"] == "eth0:0" {
            self.sent.set(self.sent.get() + 1);
        }
        device.expect(&format!("{what}: a frame for {row}"), LIMIT, |got| {
            got.get(14..) == to.get(14..)
        });
        // A device that has just come up sends nothing until the kernel's link
        // watch has given it its queue, which is not in the killed one's hands.
        self.devices.wait_until_up(text(row, "device"));
        let from = frame().between(a, b).ip(alias, Family::V4.b_ip());
        let from = from
            .echo(Echo::Reply, 9, 5, b"from the alias")
            .padded()
            .build();
        device.send(&from);
        at_b.expect(&format!("{what}: a frame from {row}"), LIMIT, |got| {
            got == from
        });
    }

    /// The kernel has what is listed, and nothing else of ours.
    #[track_caller]
    pub(super) fn check_whole(&self, what: &str) {
        self.check_listed(what);
        let rows = self.lab.rows();
        let listed = |key: &str, value: &str| rows.iter().filter(|row| row[key] == value).count();
        let links = self.lab.a.ip_json("addr show");
        let links = links.as_array().expect("an array");
        // lo, eth0, v0, v1, eth1, v2, and a port for each device.
        assert_eq!(
            links.len(),
            6 + listed("target", "device"),
            "{what}: {links:?}"
        );
        for home in [&self.home, &self.devices] {
            let found = home.ip_json("addr show");
            let (mut there, mut wanted) = (BTreeSet::new(), BTreeSet::new());
            for device in found.as_array().expect("an array") {
                let name = text(device, "ifname").to_owned();
                there.extend(addresses(device).into_iter().map(|a| (name.clone(), a)));
            }
            there.retain(|(name, _)| name != "lo");
            for row in rows.iter().filter(|row| row["netns"] == home.name()) {
                wanted.insert((
                    text(row, "device").to_owned(),
                    text(row, "address").to_owned(),
                ));
            }
            // A joined alias's row has its owner's device and namespace.
            assert_eq!(there, wanted, "{what}: {}", home.name());
        }
        let eth0 = addresses(links.iter().find(|l| l["ifname"] == "eth0").expect("eth0"));
        assert_eq!(
            eth0.len(),
            1 + listed("target", "local"),
            "{what}: {eth0:?}"
        );
        let network = self.lab.a.ip("route show 198.51.100.0/24");
        let wanted = listed("target", "local") > 0;
        assert_eq!(!network.trim().is_empty(), wanted, "{what}: {network}");
        let of_eth0 = |path: &PathBuf| self.pins.contains(path);
        let mut pins = self.lab.pins();
        let (for_sockets, others): (Vec<_>, Vec<_>) =
            pins.into_iter().partition(|pin| is_for_sockets(pin));
        pins = others;
        self.check_options(&rows, for_sockets.len(), what);
        assert!(
            self.pins.iter().all(|pin| pins.contains(pin)),
            "{what}: a pin is gone"
        );
        let further: Vec<_> = pins.iter().filter(|pin| !of_eth0(pin)).collect();
        let is_attached = !further.is_empty();
        let whole = if is_attached { self.pins_of_one() } else { 0 };
        assert_eq!(further.len(), whole, "{what}: {further:?}");
        // The kernel lets go of a program some time after its link has gone.
        wait_for(&format!("{what}: eth1's program"), LIMIT, || {
            self.lab.a.link("eth1")["xdp"]["prog"].is_object() == is_attached
        });
    }

    /// The programs for sockets are there while an alias has options, and the
    /// sockets of its address have what is listed.
    #[track_caller]
    fn check_options(&self, rows: &[Value], pins: usize, what: &str) {
        let some = rows.iter().any(|row| row["tcp"].is_object());
        // A map and two links.
        assert_eq!(pins, if some { 3 } else { 0 }, "{what}: {rows:?}");
        for row in rows.iter().filter(|row| row["target"] == "local") {
            let address = ip(text(row, "address"));
            let socket = sockets::socket(&self.lab.a, address);
            sockets::bind(&socket, address);
            // Over lo, where no alias counts it.
            let connection = sockets::open_to(socket, &self.lab.a, ip(Family::V4.a()));
            let read = sockets::get(&connection.own, sockets::NODELAY);
            let listed = row["tcp"]["tcp_nodelay"].as_i64().unwrap_or(0);
            assert_eq!(i64::from(read), listed, "{what}: {row}");
            if let Some(size) = row["tcp"]["tcp_sendspace"].as_i64() {
                let read = sockets::get(&connection.own, sockets::SNDBUF);
                assert_eq!(i64::from(read), 2 * size, "{what}: {row}");
            }
        }
    }

    /// Pins of one parent, its directory among them: eth0 is the only one before.
    fn pins_of_one(&self) -> usize {
        let header = self.pins.iter().find(|pin| pin.ends_with("header"));
        let directory = header
            .and_then(|pin| pin.parent())
            .expect("eth0 is attached");
        let ours = self.pins.iter().filter(|pin| pin.starts_with(directory));
        ours.count()
    }

    fn home_of(&self, row: &Value) -> Option<&Namespace> {
        let homes = [&self.home, &self.devices];
        homes.into_iter().find(|home| row["netns"] == home.name())
    }

    /// Nothing is left of all this, and the stable alias never noticed.
    #[track_caller]
    pub(super) fn close(self) {
        self.clear();
        self.lab.assert_unchanged(&self.before);
        assert_eq!(self.lab.pins(), self.pins);
        let (sent, lost) = self.heartbeat.end();
        assert_eq!(lost, 0, "of {sent} packets");
        for counter in ["rx_packets", "tx_packets"] {
            self.lab.wait_for_counter(STABLE, counter, sent);
        }
    }
}

fn is_for_sockets(pin: &Path) -> bool {
    let name = pin.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("tcp_"))
}

#[track_caller]
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value[key].as_str();
    found.unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn named<'a>(links: &'a Value, name: &str) -> Option<&'a Value> {
    links.as_array()?.iter().find(|link| link["ifname"] == name)
}

/// IPv4 addresses of a device.
fn addresses(device: &Value) -> BTreeSet<String> {
    let all = device["addr_info"].as_array().into_iter().flatten();
    let v4 = all.filter(|found| found["family"] == "inet");
    v4.filter_map(|found| found["local"].as_str().map(str::to_owned))
        .collect()
}
