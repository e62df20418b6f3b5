//! Frames that are dropped, and frames that leave by another veth: ours and what
//! else can do it, on the same frames.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use alias_tests::bpf::{self, Kind, xdp};
use alias_tests::{Lab, Namespace};

use crate::classifier::{Lookup, classifier};
use crate::cpu::on_one_cpu;
use crate::goal::Goal;
use crate::live::{self, End, LiveRow, Stage};
use crate::options::Effort;
use crate::peers;
use crate::report::Report;
use crate::{Progress, Result, redirect};

const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const MANY: u32 = 16_384;
const MANY_RANGE: &str = "198.18.0.0/18";
/// xdp-filter refuses more than 10,000.
const FILTER: u32 = 8_192;

// The rows, by the order of the report.
const FLOOR: usize = 0;
const DROP: usize = 1;
const DROP_OF_FILTER: usize = 3;
const FILTERED: usize = 4;
const NFTABLES: usize = 5;
const TC: usize = 6;
const BARE_REDIRECT: usize = 7;
const REDIRECT: usize = 8;
const FORWARD: usize = 9;

pub(crate) fn measure(effort: &Effort, progress: &Progress, report: &mut Report) -> Result<()> {
    progress.step("traffic, making the hosts");
    let mut rows = rows();
    on_one_cpu(|| {
        live::measure(&mut rows, effort, |block| {
            progress.step(&format!("traffic, block {block} of {}", effort.blocks));
        })
    })?;
    report.add(live::table(
        "traffic",
        "Traffic between namespaces: cpu ns a packet, veth to veth",
        &rows,
    ));
    let of = |row: usize| &rows[row].samples;
    report.goal(Goal::at_most(
        "live drop, 16,384: to bare XDP_DROP",
        of(DROP),
        of(FLOOR),
        1.15,
    ));
    report.goal(Goal::faster(
        "live drop, 8,192: than xdp-filter",
        of(DROP_OF_FILTER),
        of(FILTERED),
        1.2,
    ));
    report.goal(Goal::faster(
        "live drop, 16,384: than nftables",
        of(DROP),
        of(NFTABLES),
        3.5,
    ));
    report.goal(Goal::faster(
        "live drop, 16,384: than tc with a BPF hash",
        of(DROP),
        of(TC),
        3.5,
    ));
    report.goal(Goal::at_most(
        "live redirect, 16,384: to a bare redirect",
        of(REDIRECT),
        of(BARE_REDIRECT),
        1.3,
    ));
    report.goal(Goal::faster(
        "live redirect, 16,384: than kernel forwarding",
        of(REDIRECT),
        of(FORWARD),
        3.5,
    ));
    Ok(())
}

fn rows() -> Vec<LiveRow> {
    let row = LiveRow::new;
    let add = format!("add eth0 --range {MANY_RANGE} --drop");
    let add_to = format!("add eth0 --range {MANY_RANGE} --to to0");
    let add_filter = "add eth0 --range 198.18.0.0/19 --drop";
    let ours = |count, lines: &[&str]| {
        Stage::new(Lab::plain(), FIRST, count, End::Dropped).map(|stage| stage.ctl(lines))
    };
    vec![
        row(
            "floor: bare XDP_DROP",
            "a program of two instructions",
            floor(),
        ),
        row(
            "ours: drop, 16,384 addresses",
            "alias_rx, native",
            ours(MANY, &["attach eth0", &add]),
        ),
        row(
            "ours: drop, 1 of 16,384 addresses",
            "the same, one destination",
            ours(1, &["attach eth0", &add]),
        ),
        row(
            "ours: drop, 8,192 addresses",
            "alias_rx, native",
            ours(FILTER, &["attach eth0", add_filter]),
        ),
        row(
            "peer: xdp-filter, 8,192 addresses",
            "-f ipv4, native; its map filled by bpf(2)",
            xdp_filter(),
        ),
        row(
            "peer: nftables, 16,384 addresses",
            "netdev ingress, a set with counters, drop; GRO on at the receiver",
            nftables(),
        ),
        row(
            "peer: tc BPF hash, 16,384 addresses",
            "tcx ingress, PERCPU_HASH with counters, TC_ACT_SHOT; GRO on at the receiver",
            tc(),
        ),
        row(
            "floor: bare redirect",
            "bpf_redirect_map to a second veth, whose other end drops in XDP",
            bare_redirect(),
        ),
        row(
            "ours: --to, 16,384 addresses",
            "the same second veth",
            redirected(&["attach eth0", &add_to]),
        ),
        row(
            "peer: kernel forwarding",
            "one route to the same second veth; GRO on at the receiver",
            forwarding(),
        ),
    ]
}

fn said(error: std::io::Error) -> String {
    error.to_string()
}

fn only_drop(host: &Namespace, device: &str) -> Result<Vec<OwnedFd>> {
    let program = bpf::load(Kind::Xdp, &bpf::only_return(xdp::DROP as i32)).map_err(said)?;
    let link = bpf::attach_xdp(&program, host, device).map_err(said)?;
    Ok(vec![link])
}

fn floor() -> Result<Stage> {
    let lab = Lab::plain();
    let programs = only_drop(&lab.a, "eth0")?;
    Ok(Stage::new(lab, FIRST, MANY, End::Dropped)?.holding(programs))
}

fn xdp_filter() -> Result<Stage> {
    let lab = Lab::plain();
    let table = peers::xdp_filter(&lab.a, FIRST, FILTER)?;
    Ok(Stage::new(lab, FIRST, FILTER, End::Dropped)?.holding(vec![table]))
}

fn nftables() -> Result<Stage> {
    let lab = Lab::plain();
    peers::gro(&lab.a, "eth0")?;
    peers::nftables(&lab.a, FIRST, MANY)?;
    Stage::new(lab, FIRST, MANY, End::Dropped)
}

fn tc() -> Result<Stage> {
    let lab = Lab::plain();
    peers::gro(&lab.a, "eth0")?;
    let program = classifier(Kind::Tc, Lookup::Hash, FIRST, MANY).map_err(said)?;
    let link = bpf::attach_tc(&program, &lab.a, "eth0").map_err(said)?;
    Ok(Stage::new(lab, FIRST, MANY, End::Dropped)?.holding(vec![link]))
}

/// A, with a second veth whose other end drops what comes.
fn with_second_veth() -> Result<(Lab, Namespace, Vec<OwnedFd>)> {
    let lab = Lab::plain();
    let far = lab.namespace("far");
    far.without_ipv6();
    lab.a.without_ipv6();
    let name = far.name();
    lab.a.ip(&format!(
        "link add to0 type veth peer name far0 netns {name}"
    ));
    lab.a.ip("link set to0 up");
    far.ip("link set far0 up");
    let programs = only_drop(&far, "far0")?;
    Ok((lab, far, programs))
}

fn bare_redirect() -> Result<Stage> {
    let (lab, far, mut programs) = with_second_veth()?;
    let program = redirect::bare(&lab.a, "to0").map_err(said)?;
    programs.push(bpf::attach_xdp(&program, &lab.a, "eth0").map_err(said)?);
    let stage = Stage::new(lab, FIRST, MANY, End::Device("far0"))?;
    Ok(stage.with(far).holding(programs))
}

fn redirected(lines: &[&str]) -> Result<Stage> {
    let (lab, far, programs) = with_second_veth()?;
    let stage = Stage::new(lab, FIRST, MANY, End::Device("far0"))?;
    Ok(stage.with(far).holding(programs).ctl(lines))
}

fn forwarding() -> Result<Stage> {
    let (lab, far, programs) = with_second_veth()?;
    peers::gro(&lab.a, "eth0")?;
    lab.a.sysctl("ipv4/ip_forward", "1");
    lab.a.ip("addr add 203.0.113.1/30 dev to0");
    lab.a
        .ip("neigh add 203.0.113.2 lladdr 02:00:5e:00:53:02 dev to0");
    lab.a.ip(&format!("route add {MANY_RANGE} via 203.0.113.2"));
    let stage = Stage::new(lab, FIRST, MANY, End::Device("far0"))?;
    Ok(stage.with(far).holding(programs))
}
