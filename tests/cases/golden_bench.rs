//! The bench on which the loaded programs are tried: a parent with aliases of
//! every target, and BPF_PROG_TEST_RUN on what is pinned. A row says what goes
//! in; verdict, frame, metadata and every counter that moves must be as said,
//! and no other counter may move.
//!
//! Nothing is sent: once the aliases are there, host B's end of the cable and
//! all alias devices go down, so that no counter moves by itself.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use alias_common::{counters::ParentCell, header::Header, names};
use alias_tests::{
    Lab, Mode, Namespace, Tap,
    bpf::{self, Context, TestRun},
    frame::{Frame, Mac, frame},
};
use serde_json::Value;

use crate::{
    golden_maps,
    scene::{FAMILIES, Family},
};

/// Slots of the IPv6 aliases begin here; those of IPv4 at 0.
const IPV6_SLOTS: u32 = 50;

/// One alias of each family: number, options. The number is the slot within
/// the family, and but for [`TWIN`] it makes the address.
const ALIASES: [(u32, &str); 17] = [
    (DEVICE, "--device"),
    (DEVICE_ELSEWHERE, "--netns HOME"),
    (JOIN, "--join DEVICE"),
    (DROP, "--drop"),
    (LOCAL, "--local"),
    (TO_VETH, "--to v0"),
    (TO_TAP, "--to tap0"),
    (DISABLED_DROP, "--drop"),
    (TAGGED, "--vlan 10"),
    (TWICE_TAGGED, "--vlan 10.20 --netns HOME"),
    (TAGGED_DROP, "--vlan 10 --drop"),
    (TAGGED_TO, "--vlan 10 --to v2"),
    (TWICE_TAGGED_TO, "--vlan 10.20 --to v4"),
    (TO_NOWHERE, "--to v6"),
    (TAGGED_JOIN, "--vlan 10 --join TAGGED"),
    (DISABLED_DEVICE, "--device"),
    (TWIN, "--vlan 10"),
];

pub(crate) const DEVICE: u32 = 0;
pub(crate) const DEVICE_ELSEWHERE: u32 = 1;
pub(crate) const JOIN: u32 = 2;
pub(crate) const DROP: u32 = 3;
pub(crate) const LOCAL: u32 = 4;
pub(crate) const TO_VETH: u32 = 5;
pub(crate) const TO_TAP: u32 = 6;
pub(crate) const DISABLED_DROP: u32 = 7;
pub(crate) const TAGGED: u32 = 8;
pub(crate) const TWICE_TAGGED: u32 = 9;
pub(crate) const TAGGED_DROP: u32 = 10;
pub(crate) const TAGGED_TO: u32 = 11;
pub(crate) const TWICE_TAGGED_TO: u32 = 12;
pub(crate) const TO_NOWHERE: u32 = 13;
pub(crate) const TAGGED_JOIN: u32 = 14;
pub(crate) const DISABLED_DEVICE: u32 = 15;
/// On VLAN 10, with the address of the untagged [`DROP`].
pub(crate) const TWIN: u32 = 16;

pub(crate) const B_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const B_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1);

/// The slot of the alias with this number.
pub(crate) fn slot(family: Family, number: u32) -> u32 {
    match family {
        Family::V4 => number,
        Family::V6 => IPV6_SLOTS + number,
    }
}

/// The address of the IPv4 alias with this number.
pub(crate) fn v4(number: u32) -> Ipv4Addr {
    let number = if number == TWIN { DROP } else { number };
    Ipv4Addr::new(198, 51, 100, 10 + number as u8)
}

/// The address of the IPv6 alias with this number.
pub(crate) fn v6(number: u32) -> Ipv6Addr {
    let number = if number == TWIN { DROP } else { number };
    Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x10 + number as u16)
}

/// Counters by name, `eth0:3 rx_packets` or `parent miss`.
pub(crate) type Counters = BTreeMap<String, u64>;

/// What a row's counters are to rise by.
pub(crate) fn rise<const N: usize>(counters: [(String, u64); N]) -> Counters {
    Counters::from(counters)
}

/// The counter of an alias.
pub(crate) fn of(slot: u32, counter: &str) -> String {
    format!("eth0:{slot} {counter}")
}

/// The counter of the parent.
pub(crate) fn parent(counter: &str) -> String {
    format!("parent {counter}")
}

pub(crate) struct Bench {
    // Dropped in this order: devices and their homes before the lab.
    _tap: Tap,
    _home: Namespace,
    _far: Namespace,
    lab: Lab,
    directory: PathBuf,
    indices: BTreeMap<String, u32>,
    /// The parent's station, and host B's.
    pub(crate) own: Mac,
    pub(crate) b: Mac,
    far: BTreeMap<&'static str, Mac>,
    last: Counters,
}

impl Bench {
    #[track_caller]
    pub(crate) fn new(mode: Mode) -> Self {
        // Few slots: every row reads the counters of all of them.
        let lab = Lab::builder()
            .mode(mode)
            .attach_options(&["--capacity", "128"])
            .build();
        let (home, far) = (lab.namespace("home"), lab.namespace("far"));
        let tap = Tap::open(&lab.a, "tap0");
        for (near, end) in [("v0", "v1"), ("v2", "v3"), ("v4", "v5"), ("v6", "v7")] {
            let name = far.name();
            lab.a.ip(&format!(
                "link add {near} type veth peer name {end} netns {name}"
            ));
            lab.a.ip(&format!("link set {near} up"));
        }
        let far_macs = ["v1", "v3", "v5"].map(|end| (end, far.mac(end)));
        for family in FAMILIES {
            for (number, options) in ALIASES {
                add(&lab, family, number, options, &home);
            }
            for number in [DISABLED_DROP, DISABLED_DEVICE] {
                lab.ctl_ok(&["disable", &format!("eth0:{}", slot(family, number))]);
            }
        }
        lab.a.ip("link del v6");
        let (own, b) = (lab.a.mac("eth0"), lab.b.mac("eth0"));
        silence(&lab, &home);
        let pinned = lab
            .pins()
            .into_iter()
            .find(|pin| pin.ends_with(names::ALIAS_RX));
        let mut bench = Self {
            directory: pinned
                .and_then(|pin| Some(pin.parent()?.to_owned()))
                .expect("the program is pinned in the parent's directory"),
            indices: links(&lab.a),
            _tap: tap,
            _home: home,
            _far: far,
            far: far_macs.into(),
            lab,
            own,
            b,
            last: Counters::new(),
        };
        bench.last = bench.counters();
        bench
    }

    /// A frame from host B's station to the parent's.
    pub(crate) fn to_a(&self) -> Frame {
        frame().between(self.b, self.own)
    }

    /// A frame from the parent's station to host B's.
    pub(crate) fn to_b(&self) -> Frame {
        frame().between(self.own, self.b)
    }

    /// The station at the far end of a `--to` device.
    pub(crate) fn far(&self, end: &str) -> Mac {
        self.far[end]
    }

    /// The index of a device of host A.
    #[track_caller]
    pub(crate) fn ifindex(&self, device: &str) -> u32 {
        *self
            .indices
            .get(device)
            .unwrap_or_else(|| panic!("no device {device} in {:?}", self.indices))
    }

    /// The port of an alias that has a device. Its name is the controller's choice.
    #[track_caller]
    pub(crate) fn port(&self, slot: u32) -> u32 {
        self.ifindex(&format!("ap{}_{slot}", self.ifindex("eth0")))
    }

    /// Runs a pinned program on a frame; returns what came of it and what it counted.
    #[track_caller]
    pub(crate) fn run(
        &mut self,
        program: &str,
        bytes: &[u8],
        context: Context,
    ) -> (TestRun, Counters) {
        let path = self.directory.join(program);
        let run = self
            .lab
            .a
            .enter(|| bpf::prog_test_run(&path, bytes, context))
            .unwrap_or_else(|error| panic!("{program} on {bytes:02x?}: {error}"));
        let now = self.counters();
        let before = std::mem::replace(&mut self.last, now);
        let risen = self
            .last
            .iter()
            .map(|(name, now)| (name.clone(), now.wrapping_sub(before[name])))
            .filter(|(_, by)| *by != 0)
            .collect();
        (run, risen)
    }

    /// Makes `alias_deliver` look up by itself, as on a driver without metadata.
    #[track_caller]
    pub(crate) fn refuse_metadata(&self) {
        let path = self.directory.join(names::HEADER);
        let mut header: Header = golden_maps::read(&path, 0);
        header.metadata_refused = 1;
        golden_maps::write(&path, 0, &header);
    }

    #[track_caller]
    fn counters(&self) -> Counters {
        let mut found = self.parent_counters();
        for row in self.lab.ctl_json(&["stats"]).as_array().expect("an array") {
            let alias = row["alias"].as_str().expect("an alias has a name");
            let slot = row["slot"].as_u64().expect("and a number") as u32;
            assert_eq!(alias, format!("eth0:{slot}"));
            for name in [
                "rx_packets",
                "rx_bytes",
                "tx_packets",
                "tx_bytes",
                "neighbor_rx_packets",
                "neighbor_tx_packets",
            ] {
                found.insert(of(slot, name), number(&row[name]));
            }
            for (reason, value) in row["dropped"].as_object().expect("an object by reason") {
                found.insert(of(slot, &format!("dropped.{reason}")), number(value));
            }
        }
        found
    }

    #[track_caller]
    fn parent_counters(&self) -> Counters {
        let header: Header = golden_maps::read(&self.directory.join(names::HEADER), 0);
        let path = self.directory.join(names::PARENT);
        let mut found = Counters::new();
        for cpu in 0..header.cpus {
            let cell: ParentCell = golden_maps::read(&path, cpu);
            for (name, value) in [
                ("miss", cell.miss),
                ("malformed", cell.malformed),
                ("local", cell.local),
                ("device", cell.device),
                ("to", cell.to),
                ("dropped", cell.dropped),
                ("no_target", cell.no_target),
                ("spoof", cell.spoof),
                ("tx", cell.tx),
                ("lost", cell.lost),
                ("undelivered", cell.undelivered),
            ] {
                *found.entry(parent(name)).or_default() += value;
            }
        }
        found
    }
}

#[track_caller]
fn add(lab: &Lab, family: Family, number: u32, options: &str, home: &Namespace) {
    let alias = |number| format!("eth0:{}", slot(family, number));
    let address = match family {
        Family::V4 => v4(number).to_string(),
        Family::V6 => v6(number).to_string(),
    };
    let options = options
        .replace("HOME", home.name())
        .replace("DEVICE", &alias(DEVICE))
        .replace("TAGGED", &alias(TAGGED));
    let name = alias(number);
    let mut arguments = vec!["add", &name, &address];
    arguments.extend(options.split_whitespace());
    lab.ctl_ok(&arguments);
}

/// From here on nobody on either host sends a thing that could be counted.
#[track_caller]
fn silence(lab: &Lab, home: &Namespace) {
    lab.b.ip("link set eth0 down");
    for host in [&lab.a, home] {
        let down: String = links(host)
            .keys()
            .filter(|name| name.starts_with("al"))
            .map(|name| format!("link set {name} down\n"))
            .collect();
        host.ip_batch(&down);
    }
}

#[track_caller]
fn links(host: &Namespace) -> BTreeMap<String, u32> {
    let links = host.ip_json("link show");
    let index = |link: &Value| {
        let name = link["ifname"].as_str()?.to_owned();
        Some((name, u32::try_from(link["ifindex"].as_u64()?).ok()?))
    };
    links
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(index)
        .collect()
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("a counter is a number: {value}"))
}
