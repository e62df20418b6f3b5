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
    os::fd::OwnedFd,
    path::PathBuf,
    thread,
};

use alias_common::names;
use alias_tests::{
    Lab, Mode, Namespace, Tap,
    bpf::{self, Context, TestRun},
    frame::{Frame, Mac, frame},
};
use serde_json::Value;

pub(crate) use crate::golden_maps::{Counters, of, parent};
use crate::{
    golden_maps::Cells,
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

/// What a row's counters are to rise by.
pub(crate) fn rise<const N: usize>(counters: [(String, u64); N]) -> Counters {
    Counters::from(counters)
}

pub(crate) struct Bench {
    // Dropped in this order: devices and their homes before the lab.
    _tap: Tap,
    _home: Namespace,
    _far: Namespace,
    lab: Lab,
    pub(crate) mode: Mode,
    directory: PathBuf,
    indices: BTreeMap<String, u32>,
    /// The parent's station, and host B's.
    pub(crate) own: Mac,
    pub(crate) b: Mac,
    far: BTreeMap<&'static str, Mac>,
    cells: Cells,
    programs: BTreeMap<String, OwnedFd>,
}

impl Bench {
    #[track_caller]
    pub(crate) fn new(mode: Mode) -> Self {
        // Few slots: every row compares the counters of all of them.
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
        let directory = pinned
            .and_then(|pin| Some(pin.parent()?.to_owned()))
            .expect("the program is pinned in the parent's directory");
        Self {
            cells: Cells::open(&directory),
            programs: BTreeMap::new(),
            directory,
            indices: links(&lab.a),
            _tap: tap,
            _home: home,
            _far: far,
            far: far_macs.into(),
            lab,
            mode,
            own,
            b,
        }
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
        let opened = self.programs.entry(program.to_owned()).or_insert_with(|| {
            bpf::open_pinned(&self.directory.join(program))
                .unwrap_or_else(|error| panic!("{program}: {error}"))
        });
        let run = self
            .lab
            .a
            .enter(|| bpf::test_run(opened, bytes, context))
            .unwrap_or_else(|error| panic!("{program} on {bytes:02x?}: {error}"));
        (run, self.cells.risen())
    }

    /// What stands in front of the parent's orders.
    pub(crate) fn secret(&self) -> u64 {
        self.cells.secret()
    }

    /// Makes `alias_deliver` look up by itself, as on a driver without metadata.
    #[track_caller]
    pub(crate) fn refuse_metadata(&self) {
        self.cells
            .amend_header(|header| header.metadata_refused = 1);
    }

    /// What `stats` shows is what was counted, and that is all.
    #[track_caller]
    fn compare_with_stats(&self) {
        self.cells.nothing_for_nobody();
        let counted = self.cells.totals();
        let sum =
            |names: &[String]| -> u64 { names.iter().filter_map(|name| counted.get(name)).sum() };
        let rows = self.lab.ctl_json(&["stats"]);
        let rows = rows.as_array().expect("an array");
        assert_eq!(rows.len(), FAMILIES.len() * ALIASES.len());
        for row in rows {
            let slot = row["slot"].as_u64().expect("a number") as u32;
            for name in [
                "rx_packets",
                "rx_bytes",
                "tx_packets",
                "tx_bytes",
                "neighbor_rx_packets",
                "neighbor_tx_packets",
            ] {
                assert_eq!(
                    number(&row[name]),
                    sum(&[of(slot, name)]),
                    "eth0:{slot} {name}"
                );
            }
            let dropped = &row["dropped"];
            for name in ["policy", "spoof"] {
                let counted = sum(&[of(slot, &format!("dropped.{name}"))]);
                assert_eq!(number(&dropped[name]), counted, "eth0:{slot} {name}");
            }
            // With what the kernel has counted at the port.
            let counted = sum(&[of(slot, "dropped.no_target"), of(slot, "lost")]);
            assert!(number(&dropped["no_target"]) >= counted, "{row}: {counted}");
        }
        let rows = self.lab.ctl_json(&["stats", "--parent"]);
        let row = &rows[0];
        for name in ["miss", "malformed", "local", "device", "to", "tx"] {
            assert_eq!(number(&row[name]), sum(&[parent(name)]), "parent {name}");
        }
        for (name, counters) in [
            ("policy", &["dropped"][..]),
            ("spoof", &["spoof"]),
            ("no_target", &["no_target", "lost", "undelivered"]),
        ] {
            let names: Vec<_> = counters.iter().map(|name| parent(name)).collect();
            assert_eq!(number(&row["dropped"][name]), sum(&names), "parent {name}");
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.compare_with_stats();
        }
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
