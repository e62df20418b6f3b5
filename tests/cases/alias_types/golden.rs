//! The programs of a registered type by golden tables: BPF_PROG_TEST_RUN, verdict,
//! metadata and counters of each frame.

use std::{fs, path::PathBuf};

use alias_common::{names, record::Steer};
use alias_tests::{
    Lab, Mode, Tap,
    bpf::{self, Context, xdp},
    frame::Frame,
};
use serde_json::Value;

use super::{MPLS, entry, object, objects::section, to_a, with_mpls};
use crate::scene::XDP_MODES;

/// What becomes of a frame: the parent's counter, and the alias that counts it.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Miss,
    Malformed,
    Drop(u32),
    Device(u32),
    To(u32),
}

struct Bench {
    _tap: Tap,
    lab: Lab,
    program: PathBuf,
}

impl Bench {
    #[track_caller]
    fn new(mode: Mode) -> Self {
        let lab = with_mpls(mode);
        let tap = Tap::open(&lab.a, "tap0");
        for line in [
            "eth0:0 100 --drop",
            "eth0:1 200",
            "eth0:2 100 --vlan 10 --drop",
            "eth0:3 300 --to tap0",
            "eth0:4 400 --drop",
            "eth0:5 0 --drop",
            "eth0:6 1048575 --drop",
            "eth0:7 500 --vlan 10.20 --drop",
        ] {
            let mut words = vec!["add"];
            words.extend(line.split_whitespace());
            words.extend(["--family", "mpls"]);
            lab.ctl_ok(&words);
        }
        lab.ctl_ok(&["add", "eth0:9", "198.51.100.8", "--drop"]);
        lab.ctl_ok(&["disable", "eth0:4"]);
        let program = lab
            .pins()
            .into_iter()
            .find(|pin| pin.ends_with(names::ALIAS_RX_TYPES))
            .expect("the full engine is pinned");
        // From here on nobody sends a thing that could be counted.
        lab.a.ip("link set eth0:1 down");
        lab.b.ip("link set eth0 down");
        Self {
            _tap: tap,
            lab,
            program,
        }
    }

    fn totals(&self) -> Value {
        self.lab.ctl_json(&["stats", "--parent"])[0].clone()
    }

    #[track_caller]
    fn check(&self, what: &str, bytes: &[u8], tags: u8, fate: Fate) {
        let (name, verdict, slot) = match fate {
            Fate::Miss => ("miss", xdp::PASS, None),
            Fate::Malformed => ("malformed", xdp::PASS, None),
            Fate::Drop(slot) => ("policy", xdp::DROP, Some(slot)),
            Fate::Device(slot) => ("device", xdp::PASS, Some(slot)),
            Fate::To(slot) => ("to", xdp::REDIRECT, Some(slot)),
        };
        let number = |totals: &Value| match name {
            "policy" => totals["dropped"]["policy"].as_u64(),
            _ => totals[name].as_u64(),
        };
        let counted = |slot: Option<u32>| {
            slot.map(|slot| {
                let stats = self.lab.stats(&format!("eth0:{slot}"));
                (stats["rx_packets"].as_u64(), stats["rx_bytes"].as_u64())
            })
        };
        let (before, own) = (number(&self.totals()), counted(slot));
        let run = self
            .lab
            .a
            .enter(|| bpf::prog_test_run(&self.program, bytes, Context::xdp()))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(run.retval, verdict, "{what}: verdict, to be {fate:?}");
        assert_eq!(
            number(&self.totals()),
            before.map(|count| count + 1),
            "{what}: {name}"
        );
        let risen = own.map(|(packets, length)| {
            let bytes = bytes.len() as u64;
            (packets.map(|p| p + 1), length.map(|l| l + bytes))
        });
        assert_eq!(counted(slot), risen, "{what}: the alias's figures");
        match fate {
            Fate::Device(_) => {
                let (words, _) = run.data_meta.as_chunks::<8>();
                let [_secret, order] = words else {
                    panic!("{what}: metadata of {} bytes", run.data_meta.len());
                };
                let order = u64::from_ne_bytes(*order);
                let port = self.lab.a.link("eth0:1")["link"]
                    .as_str()
                    .map(str::to_owned);
                let port = self.lab.a.ifindex(&port.expect("the other end"));
                assert_eq!(order as u32, port, "{what}: the port");
                assert_eq!((order >> 32) as u8, tags, "{what}: tags");
                assert_eq!((order >> 40) as u8 & Steer::PEER, 0, "{what}");
            }
            Fate::To(_) => assert_eq!(
                run.data_out,
                [&bytes[..12], &bytes[12 + usize::from(tags) * 4..]].concat(),
                "{what}: the frame after it"
            ),
            _ => assert_eq!(run.data_out, bytes, "{what}: the frame after it"),
        }
    }
}

#[test]
fn every_label_meets_its_fate() {
    for mode in XDP_MODES {
        let bench = Bench::new(mode);
        // Nobody on the cable is to be counted.
        bench.lab.b.ip("link set eth0 down");
        let start = || to_a(&bench.lab);
        let mpls = |start: Frame, label| start.raw(MPLS, &entry(label)).build();
        let stack = [entry(100), entry(200)].concat();
        let bottom_up = [entry(7), entry(100)].concat();
        for (what, bytes, tags, fate) in [
            ("drop", mpls(start(), 100), 0, Fate::Drop(0)),
            (
                "a priority tag",
                mpls(start().vlan(0), 100),
                1,
                Fate::Drop(0),
            ),
            ("on its VLAN", mpls(start().vlan(10), 100), 1, Fate::Drop(2)),
            (
                "on another VLAN",
                mpls(start().vlan(11), 100),
                1,
                Fate::Miss,
            ),
            (
                "two tags",
                mpls(start().service_vlan(10).vlan(20), 500),
                2,
                Fate::Drop(7),
            ),
            ("a device", mpls(start(), 200), 0, Fate::Device(1)),
            (
                "a device's, with a priority tag",
                mpls(start().vlan(0), 200),
                1,
                Fate::Device(1),
            ),
            ("to", mpls(start(), 300), 0, Fate::To(3)),
            ("disabled", mpls(start(), 400), 0, Fate::Miss),
            ("nobody's", mpls(start(), 101), 0, Fate::Miss),
            ("the least label", mpls(start(), 0), 0, Fate::Drop(5)),
            (
                "the largest label",
                mpls(start(), 0xfffff),
                0,
                Fate::Drop(6),
            ),
            (
                "a stack",
                start().raw(MPLS, &stack).build(),
                0,
                Fate::Drop(0),
            ),
            (
                "not the top",
                start().raw(MPLS, &bottom_up).build(),
                0,
                Fate::Miss,
            ),
            (
                "a long frame",
                start()
                    .raw(MPLS, &[&entry(100)[..], &[7; 1400]].concat())
                    .build(),
                0,
                Fate::Drop(0),
            ),
            (
                "multicast MPLS",
                start().raw(0x8848, &entry(100)).build(),
                0,
                Fate::Miss,
            ),
            (
                "no label",
                start().raw(MPLS, &[]).build(),
                0,
                Fate::Malformed,
            ),
            (
                "three bytes",
                start().raw(MPLS, &entry(100)[..3]).build(),
                0,
                Fate::Malformed,
            ),
            (
                "three bytes behind a tag",
                start().vlan(10).raw(MPLS, &entry(100)[..3]).build(),
                1,
                Fate::Malformed,
            ),
            (
                "no ethertype behind a tag",
                start().raw(0x8100, &[0, 10]).build(),
                0,
                Fate::Malformed,
            ),
        ] {
            bench.check(&format!("{mode:?} {what}"), &bytes, tags, fate);
        }
        let ip = start()
            .ipv4([192, 0, 2, 1].into(), [198, 51, 100, 8].into())
            .udp(1, 2, b"x");
        bench.check(&format!("{mode:?} IPv4"), &ip.build(), 0, Fate::Drop(9));
    }
}

/// Who has no types pays nothing: the program that runs without one is not the one
/// that runs with one, and not so much as asks.
#[test]
fn without_a_type_the_engine_knows_of_none() {
    for mode in XDP_MODES {
        let lab = Lab::attached(mode);
        let before = (lab.pins(), running(&lab));
        lab.ctl_ok(&["types", "add", &super::object_name()]);
        assert_ne!(running(&lab), before.1, "{mode:?}: another engine runs");
        lab.ctl_ok(&["types", "del", "mpls"]);
        let after = (lab.pins(), running(&lab));
        assert_eq!(after, before, "{mode:?}: the one from before is back");
    }
    for (name, calls) in [("alias.bpf.o", false), ("types.bpf.o", true)] {
        let bytes = fs::read(object().with_file_name(name)).expect("an object");
        for name in ["xdp", "xdp.frags"] {
            let code = &bytes[section(&bytes, name)];
            assert_eq!(code.chunks(8).any(is_tail_call), calls, "{name}");
        }
    }
}

/// BPF_JMP | BPF_CALL of helper 12, `bpf_tail_call` (linux/bpf.h).
fn is_tail_call(instruction: &[u8]) -> bool {
    instruction == [0x85, 0, 0, 0, 12, 0, 0, 0]
}

/// Id of the XDP program on eth0.
#[track_caller]
fn running(lab: &Lab) -> u64 {
    let id = lab.a.link("eth0")["xdp"]["prog"]["id"].as_u64();
    id.expect("XDP runs on eth0")
}
