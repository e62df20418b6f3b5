//! Datagrams for a socket: on devices of their own in another namespace, ours and
//! macvlan, and on the host itself with our programs and without.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use alias_tests::bpf::{self, Kind, xdp};
use alias_tests::{Destinations, Lab, Mode, Namespace};

use crate::cpu::on_one_cpu;
use crate::goal::Goal;
use crate::live::{self, End, LiveRow, Stage};
use crate::options::Effort;
use crate::peers;
use crate::report::Report;
use crate::{Progress, Result};

const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const LOCAL: u32 = 16_256;
const LOCAL_RANGE: &str = "198.18.0.0-198.18.63.127";

/// Numbers of devices, and by how much ours may be dearer.
const DEVICES: [(u32, f64); 3] = [(1, 1.05), (64, 1.08), (1_000, 1.2)];

/// The same of mode tc, which has the packet that the kernel has built.
const DEVICES_TC: [(u32, f64); 3] = [(1, 1.1), (64, 1.15), (1_000, 1.2)];

/// Locally administered; the number of the device is in the last two bytes.
const MACVLAN: [u8; 4] = [0x02, 0x00, 0x5e, 0x10];

// The rows after those of DEVICES, by the order of the report.
const JOINED: usize = 6;
const SHARED_MACVLAN: usize = 7;
const LOCAL_OURS: usize = 8;
const LOCAL_PLAIN: usize = 9;
const FIRST_TC: usize = 13;

pub(crate) fn measure(effort: &Effort, progress: &Progress, report: &mut Report) -> Result<()> {
    progress.step("delivery, making the hosts and 2,066 devices");
    let mut rows = rows();
    on_one_cpu(|| {
        live::measure(&mut rows, effort, |block| {
            progress.step(&format!("delivery, block {block} of {}", effort.blocks));
        })
    })?;
    let mut table = live::table(
        "delivery",
        "Delivery to an unread UDP socket: cpu ns a packet, veth to veth",
        &rows,
    );
    table.note("the socket's buffer is full, so that the figure ends where the packet is queued or dropped");
    report.add(table);
    let of = |row: usize| &rows[row].samples;
    for (n, (count, goal)) in DEVICES.into_iter().enumerate() {
        let work = format!("delivery to {count} alias devices: to macvlan");
        report.goal(Goal::at_most(&work, of(2 * n), of(2 * n + 1), goal));
    }
    for (n, (count, goal)) in DEVICES_TC.into_iter().enumerate() {
        let work = format!("delivery to {count} alias devices in mode tc: to macvlan");
        report.goal(Goal::at_most(&work, of(FIRST_TC + n), of(2 * n + 1), goal));
    }
    report.goal(Goal::at_most(
        "delivery to 1,000 joined aliases: to one macvlan with 1,000 addresses",
        of(JOINED),
        of(SHARED_MACVLAN),
        1.1,
    ));
    report.goal(Goal::at_most(
        "local delivery, 16,256: to the same without our program",
        of(LOCAL_OURS),
        of(LOCAL_PLAIN),
        1.03,
    ));
    Ok(())
}

fn rows() -> Vec<LiveRow> {
    let row = LiveRow::new;
    let ours = "alias devices in another namespace, one socket there";
    let tc = "the same with the engine at tc; GRO on at the receiver";
    let theirs = "macvlan devices in another namespace, one socket there; GRO on at the receiver";
    let join = "one alias device, the other aliases joined to it";
    let shared = "one macvlan with as many addresses; GRO on at the receiver";
    let local = "addresses of eth0, a socket on A";
    let passed =
        "the same, with a native XDP program that only passes: what XDP on a veth costs by itself";
    vec![
        row("ours: 1 device", ours, devices(1, Mode::Native)),
        row("peer: 1 macvlan", theirs, macvlans(1)),
        row("ours: 64 devices", ours, devices(64, Mode::Native)),
        row("peer: 64 macvlans", theirs, macvlans(64)),
        row("ours: 1,000 devices", ours, devices(1_000, Mode::Native)),
        row("peer: 1,000 macvlans", theirs, macvlans(1_000)),
        row("ours: 1,000 joined", join, joined(1_000)),
        row(
            "peer: 1 macvlan, 1,000 addresses",
            shared,
            shared_macvlan(1_000),
        ),
        row("ours: 16,256 --local", local, local_aliases()),
        row(
            "peer: 16,256 addresses",
            "the same without a program; GRO on at the receiver",
            local_addresses(),
        ),
        row(
            "1 macvlan behind an XDP_PASS",
            passed,
            macvlans(1).and_then(behind_xdp_pass),
        ),
        row(
            "1,000 macvlans behind an XDP_PASS",
            passed,
            macvlans(1_000).and_then(behind_xdp_pass),
        ),
        row(
            "16,256 addresses behind an XDP_PASS",
            passed,
            local_addresses().and_then(behind_xdp_pass),
        ),
        row("ours: 1 device, mode tc", tc, devices(1, Mode::Tc)),
        row("ours: 64 devices, mode tc", tc, devices(64, Mode::Tc)),
        row("ours: 1,000 devices, mode tc", tc, devices(1_000, Mode::Tc)),
    ]
}

fn range(count: u32) -> String {
    format!("{FIRST}-{}", address(count - 1))
}

fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST.to_bits() + n)
}

/// A lab and a namespace beside it that does not talk by itself.
fn hosts() -> Result<(Lab, Namespace)> {
    let lab = Lab::plain();
    let home = lab.namespace("home");
    home.without_ipv6();
    // Alias devices have loose reverse path filtering: senders must be somewhere.
    home.ip("link set lo up");
    home.ip("route add 192.0.2.0/24 dev lo");
    Ok((lab, home))
}

fn devices(count: u32, mode: Mode) -> Result<Stage> {
    let (lab, home) = hosts()?;
    if mode == Mode::Tc {
        // Native XDP switches NAPI on with it.
        peers::gro(&lab.a, "eth0")?;
    }
    let add = format!(
        "add eth0 --range {} --no-announce --netns {}",
        range(count),
        home.name()
    );
    let stage = Stage::new(lab, FIRST, count, End::Sockets)?;
    let attach = format!("attach eth0 --mode {}", mode.name());
    stage.with(home).ctl(&[&attach, &add]).unread()
}

fn joined(count: u32) -> Result<Stage> {
    let (lab, home) = hosts()?;
    let add = format!("add eth0:0 {FIRST} --no-announce --netns {}", home.name());
    let others = format!("{}-{}", address(1), address(count - 1));
    let join = format!("add eth0 --range {others} --join eth0:0 --no-announce");
    let stage = Stage::new(lab, FIRST, count, End::Sockets)?;
    stage.with(home).ctl(&["attach eth0", &add, &join]).unread()
}

fn macvlans(count: u32) -> Result<Stage> {
    let (lab, home) = hosts()?;
    peers::gro(&lab.a, "eth0")?;
    peers::has_link_kind(&lab.a, "macvlan")?;
    let [a, b, c, d] = MACVLAN;
    let (mut links, mut addresses) = (String::new(), String::new());
    for n in 0..count {
        let [e, f, ..] = (n as u16).to_be_bytes();
        // Writing to a String cannot fail.
        let _ = writeln!(
            links,
            "link add mv{n} link eth0 address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} \
             netns {} type macvlan mode bridge",
            home.name()
        );
        let _ = writeln!(
            addresses,
            "link set mv{n} up\naddr add {}/32 dev mv{n}",
            address(n)
        );
    }
    lab.a.ip_batch(&links);
    home.ip_batch(&addresses);
    let to = Destinations {
        first: FIRST,
        count,
        mac: [a, b, c, d, 0, 0],
        mac_each: true,
    };
    Stage::sending(lab, to, End::Sockets)?.with(home).unread()
}

fn shared_macvlan(count: u32) -> Result<Stage> {
    let (lab, home) = hosts()?;
    peers::gro(&lab.a, "eth0")?;
    peers::has_link_kind(&lab.a, "macvlan")?;
    lab.a.ip(&format!(
        "link add mv0 link eth0 netns {} type macvlan mode bridge",
        home.name()
    ));
    home.ip("link set mv0 up");
    home.ip_batch(&addresses("mv0", count));
    let to = Destinations {
        first: FIRST,
        count,
        mac: home.mac("mv0"),
        mac_each: false,
    };
    Stage::sending(lab, to, End::Sockets)?.with(home).unread()
}

fn local_aliases() -> Result<Stage> {
    let add = format!("add eth0 --range {LOCAL_RANGE} --local --no-announce");
    let stage = Stage::new(Lab::plain(), FIRST, LOCAL, End::SocketsOfA)?;
    stage.ctl(&["attach eth0", &add]).unread()
}

fn local_addresses() -> Result<Stage> {
    let lab = Lab::plain();
    peers::gro(&lab.a, "eth0")?;
    lab.a.ip_batch(&addresses("eth0", LOCAL));
    Stage::new(lab, FIRST, LOCAL, End::SocketsOfA)?.unread()
}

/// With a program on the device that packets come in by, which does nothing.
fn behind_xdp_pass(stage: Stage) -> Result<Stage> {
    let program = bpf::load(Kind::Xdp, &bpf::only_return(xdp::PASS as i32));
    let link = program.and_then(|program| bpf::attach_xdp(&program, stage.receiver(), "eth0"));
    let link = link.map_err(|error| format!("XDP_PASS: {error}"))?;
    Ok(stage.holding(vec![link]))
}

/// For `ip -batch`.
pub(crate) fn addresses(device: &str, count: u32) -> String {
    (0..count).fold(String::new(), |mut lines, n| {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "addr add {}/32 dev {device}", address(n));
        lines
    })
}
