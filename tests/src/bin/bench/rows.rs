//! What the datapath is tried on: aliases of every kind, a frame for each, and
//! the loaded program, bare or behind something that changes the frame.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use alias_tests::bpf::{self, Context, Kind, xdp};
use alias_tests::frame::{Frame, frame};
use alias_tests::{Lab, Namespace};

use crate::classifier::{Lookup, classifier};
use crate::controller::{MILLION, THOUSANDS, THOUSANDS_RANGE};
use crate::datapath::{LABS, Row};
use crate::detour::{Detour, Likeness};
use crate::varying::{METADATA, SEED, random_destination, random_destination_v6, without_metadata};
use crate::verifier::pins_of_parent;
use crate::{Result, redirect};

const VLAN: u16 = 10;
const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SOURCE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1);
/// Far from the ranges that are filled.
const NOBODY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 99);
/// An alias of its own in one of the labs, as a whole.
pub(crate) const PREFIX: &str = "198.51.100.0/24";
const IN_PREFIX: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);
const NOBODY_FIRST: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 0);
const THOUSANDS_FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const MILLION_FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const DROPPED: Ipv4Addr = Ipv4Addr::new(198, 18, 20, 7);
const LOCAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const DEVICE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 3);
const TO: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 4);
const WITH_TAG: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
const DROPPED_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 6);
const THOUSANDS_FIRST_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 6, 0, 0, 0, 0, 0);
/// As many as of IPv4.
pub(crate) const THOUSANDS_RANGE_V6: &str = "2001:db8:6::-2001:db8:6::3fff";
const MILLION_FIRST_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 0);
/// A million of them.
pub(crate) const MILLION_RANGE_V6: &str = "2001:db8:7::-2001:db8:7::f:423f";

/// Two rows that are compared with each other too.
pub(crate) const UNTAGGED: &str = "IPv4 drop, hot";
pub(crate) const TAGGED: &str = "IPv4 drop, one VLAN tag";

/// What a row's program stands behind.
pub(crate) enum Program {
    Bare(OwnedFd),
    Behind(Detour),
}

/// The rows that others are compared with.
const FLOOR: usize = 0;
const FLOOR_METADATA: usize = 1;
const FLOOR_RANDOM: usize = 2;
/// Behind the rows of devices.
const FLOOR_TC: usize = 12;

/// Of linux/pkt_cls.h.
const TC_ACT_REDIRECT: u32 = 7;

/// All kinds of aliases beside the many. The namespaces are to outlive them.
pub(crate) fn fill(lab: &Lab) -> [Namespace; 2] {
    let (far, home) = (lab.namespace("far"), lab.namespace("home"));
    let name = far.name();
    lab.a.ip(&format!(
        "link add to0 type veth peer name far0 netns {name}"
    ));
    lab.a.ip("link set to0 up");
    far.ip("link set far0 up");
    lab.ctl_ok(&["add", "eth0", "--range", THOUSANDS_RANGE, "--drop"]);
    let (vlan, v6) = (VLAN.to_string(), DROPPED_V6.to_string());
    let one = |address: &str, options: &[&str]| {
        lab.ctl_ok(&[&["add", "eth0", address], options].concat());
    };
    one(&LOCAL.to_string(), &["--local"]);
    one(&DEVICE.to_string(), &["--netns", home.name()]);
    // The frame is run again as it came out: readdressed to another station than the
    // parent, it would be nobody's from the second time on.
    let mac = lab.a.ip_json("link show dev eth0")[0]["address"]
        .as_str()
        .map(str::to_owned)
        .expect("a MAC address");
    one(&TO.to_string(), &["--to", "to0", "--mac", &mac]);
    one(&WITH_TAG.to_string(), &["--drop", "--vlan", &vlan]);
    one(&v6, &["--drop"]);
    [far, home]
}

/// Rows over the aliases of these labs: all kinds, a million; of IPv6 thousands, a million;
/// thousands in a table of their size, thousands and a prefix.
pub(crate) fn rows(labs: [&Lab; LABS]) -> Result<Vec<Row>> {
    let [
        thousands,
        million,
        thousands_v6,
        million_v6,
        fitting,
        prefixed,
    ] = labs;
    let rx = alias_rx(thousands)?;
    let rx_of_fitting = alias_rx(fitting)?;
    let with_prefixes = pinned(prefixed, "alias_rx_types")?;
    let rx_of_million = alias_rx(million)?;
    let rx_of_thousands_v6 = alias_rx(thousands_v6)?;
    let rx_of_million_v6 = alias_rx(million_v6)?;
    let likeness = Likeness::of(&rx);
    let bare = |program: io::Result<OwnedFd>| program.map(Program::Bare);
    let behind = |first: &[_], next: io::Result<OwnedFd>| match &likeness {
        Ok(likeness) => Detour::new(*likeness, first, &next?).map(Program::Behind),
        Err(error) => Err(again(error)),
    };
    let only_drop = || match &likeness {
        Ok(likeness) => likeness.only_return(xdp::DROP),
        Err(error) => Err(again(error)),
    };
    let floor = bpf::load(Kind::Xdp, &bpf::only_return(xdp::DROP as i32));
    let loaded = || rx.try_clone();
    let of_nobody = random_destination(NOBODY_FIRST, 1 << 16);
    let of_thousands = random_destination(THOUSANDS_FIRST, THOUSANDS);
    let of_million = random_destination(MILLION_FIRST, MILLION);
    let of_thousands_v6 = random_destination_v6(THOUSANDS_FIRST_V6, THOUSANDS);
    let of_million_v6 = random_destination_v6(MILLION_FIRST_V6, MILLION);

    let stations = frame().between(thousands.b.mac("eth0"), thousands.a.mac("eth0"));
    let to = |destination| datagram(stations.clone().ipv4(SOURCE, destination));
    let tagged = datagram(stations.clone().vlan(VLAN).ipv4(SOURCE, WITH_TAG));
    let to_v6 = |destination| datagram(stations.clone().ipv6(SOURCE_V6, destination));

    let row = Row::new;
    let one = "one frame again and again";
    let no_metadata = "the metadata of the frame before taken off, then a tail call";
    let drawn = "destination drawn anew each time, then a tail call";
    let to_device = orders_as_expected(&rx, &to(DEVICE))
        .and_then(|()| behind(&without_metadata(METADATA), loaded()));
    // The first three are FLOOR, FLOOR_METADATA, FLOOR_RANDOM.
    Ok(vec![
        row(
            "floor: return XDP_DROP",
            one,
            bare(floor),
            to(DROPPED),
            xdp::DROP,
        ),
        row(
            "floor of the device row",
            "bpf_xdp_adjust_meta by 0, then a tail call into the floor",
            behind(&without_metadata(0), only_drop()),
            to(DEVICE),
            xdp::DROP,
        ),
        row(
            "floor of the random rows",
            "destination drawn anew each time, then a tail call into the floor",
            behind(&of_thousands, only_drop()),
            to(DROPPED),
            xdp::DROP,
        ),
        row(
            "miss, one address",
            one,
            bare(loaded()),
            to(NOBODY),
            xdp::PASS,
        )
        .over(FLOOR, Some(8.0)),
        row(UNTAGGED, one, bare(loaded()), to(DROPPED), xdp::DROP).over(FLOOR, Some(5.0)),
        row(
            "IPv6 drop, hot",
            one,
            bare(loaded()),
            to_v6(DROPPED_V6),
            xdp::DROP,
        )
        .over(FLOOR, Some(7.0)),
        row(TAGGED, one, bare(loaded()), tagged, xdp::DROP).over(FLOOR, None),
        row("IPv4 local", one, bare(loaded()), to(LOCAL), xdp::PASS).over(FLOOR, None),
        row(
            "IPv4 --to, redirect",
            one,
            bare(loaded()),
            to(TO),
            xdp::REDIRECT,
        )
        .over(FLOOR, Some(15.0)),
        row(
            "bare redirect",
            "bpf_redirect_map and nothing else, to the same device",
            bare(redirect::bare(&thousands.a, "to0")),
            to(TO),
            xdp::REDIRECT,
        )
        .over(FLOOR, None),
        row(
            "IPv4 device, with metadata",
            no_metadata,
            to_device,
            to(DEVICE),
            xdp::PASS,
        )
        .over(FLOOR_METADATA, None),
        row(
            "IPv4 device, metadata refused",
            "no room for more metadata behind that of the runs before, as with a driver that has none",
            bare(loaded()),
            to(DEVICE),
            xdp::PASS,
        )
        .over(FLOOR, None),
        row(
            "floor of tc",
            "a tc program that returns TC_ACT_REDIRECT",
            bare(bpf::load(Kind::Tc, &bpf::only_return(TC_ACT_REDIRECT as i32))),
            to(DEVICE),
            TC_ACT_REDIRECT,
        ),
        // The row above has had the programs told that metadata was refused.
        row(
            "IPv4 device, alias_deliver looks it up",
            "what a frame without metadata costs at tc, up to the redirect itself",
            bare(Ok(pinned(thousands, "alias_deliver")?)),
            to(DEVICE),
            TC_ACT_REDIRECT,
        )
        .over(FLOOR_TC, None),
        row(
            "miss, random of 65,536",
            drawn,
            behind(&of_nobody, loaded()),
            to(NOBODY),
            xdp::PASS,
        )
        .over(FLOOR_RANDOM, Some(8.0)),
        row(
            "IPv4 drop, random of 16,384",
            drawn,
            behind(&of_thousands, loaded()),
            to(DROPPED),
            xdp::DROP,
        )
        .over(FLOOR_RANDOM, Some(12.0)),
        row(
            "IPv4 drop, random of 16,384, --capacity 16384",
            drawn,
            behind(&of_thousands, Ok(rx_of_fitting)),
            to(DROPPED),
            xdp::DROP,
        )
        .over(FLOOR_RANDOM, None)
        .in_lab(4),
        row(
            "IPv4 drop, random of 1,000,000",
            drawn,
            behind(&of_million, Ok(rx_of_million)),
            to(DROPPED),
            xdp::DROP,
        )
        .over(FLOOR_RANDOM, Some(100.0))
        .in_lab(1),
        row(
            "IPv6 drop, random of 16,384",
            drawn,
            behind(&of_thousands_v6, Ok(rx_of_thousands_v6)),
            to_v6(THOUSANDS_FIRST_V6),
            xdp::DROP,
        )
        .over(FLOOR_RANDOM, Some(16.0))
        .in_lab(2),
        row(
            "IPv6 drop, random of 1,000,000",
            drawn,
            behind(&of_million_v6, Ok(rx_of_million_v6)),
            to_v6(MILLION_FIRST_V6),
            xdp::DROP,
        )
        .over(FLOOR_RANDOM, Some(150.0))
        .in_lab(3),
        row(
            "beside a prefix: IPv4 drop, hot",
            one,
            bare(with_prefixes.try_clone()),
            to(DROPPED),
            xdp::DROP,
        )
        .over(FLOOR, None)
        .in_lab(5),
        row(
            "beside a prefix: miss",
            one,
            bare(with_prefixes.try_clone()),
            to(NOBODY),
            xdp::PASS,
        )
        .over(FLOOR, None),
        row(
            "by a prefix: IPv4 drop",
            one,
            bare(Ok(with_prefixes)),
            to(IN_PREFIX),
            xdp::DROP,
        )
        .over(FLOOR, None)
        .in_lab(5),
        row(
            "peer: kernel LPM_TRIE, one entry",
            one,
            bare(classifier(Kind::Xdp, Lookup::Lpm, DROPPED, 1)),
            to(DROPPED),
            xdp::DROP,
        )
        .over(FLOOR, None)
        .of_peer(),
        row(
            "peer: kernel PERCPU_HASH, one entry",
            one,
            bare(classifier(Kind::Xdp, Lookup::Hash, DROPPED, 1)),
            to(DROPPED),
            xdp::DROP,
        )
        .over(FLOOR, None)
        .of_peer(),
    ])
}

fn datagram(frame: Frame) -> Vec<u8> {
    frame.udp(40_000, 9, &SEED).padded().build()
}

/// The loaded program of a lab's parent.
pub(crate) fn alias_rx(lab: &Lab) -> Result<OwnedFd> {
    pinned(lab, "alias_rx")
}

fn pinned(lab: &Lab, name: &str) -> Result<OwnedFd> {
    let pins = pins_of_parent(lab)?;
    let pin = pins.iter().find(|pin| pin.ends_with(name));
    let pin = pin.ok_or_else(|| format!("{name}: is not pinned"))?;
    bpf::open_pinned(pin).map_err(|error| format!("{}: {error}", pin.display()))
}

/// What is taken off must be what was put there.
fn orders_as_expected(rx: &OwnedFd, to_device: &[u8]) -> io::Result<()> {
    let run = bpf::test_run(rx, to_device, Context::xdp())?;
    if run.data_meta.len() != METADATA as usize {
        return Err(io::Error::other(format!(
            "{} bytes of metadata, and {METADATA} is expected",
            run.data_meta.len()
        )));
    }
    Ok(())
}

fn again(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
