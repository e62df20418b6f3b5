//! How the cost of a lookup grows with the number of addresses: ours, and the
//! kernel's own maps doing the same.

use std::net::Ipv4Addr;

use alias_tests::bpf::{Kind, timed_run, xdp};
use alias_tests::frame::frame;
use alias_tests::{Lab, Mode};
use serde_json::json;

use crate::classifier::{Lookup, classifier};
use crate::cpu::on_one_cpu;
use crate::detour::{Detour, Likeness};
use crate::options::Effort;
use crate::plot::{Curve, Plot};
use crate::report::{Report, Table};
use crate::rows::alias_rx;
use crate::samples::{Samples, shown};
use crate::varying::{SEED, random_destination, reseed, state_of};
use crate::{Progress, Result};

const SIZES: [u32; 5] = [1, 1_000, 16_384, 131_072, 1_000_000];
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// How long a run shall be.
const RUN_NS: f64 = 25e6;
const TRIAL: u32 = 10_000;

/// The file beside the tables.
pub(crate) const PLOT: &str = "growth.svg";

/// One program over so many addresses.
struct Point {
    what: &'static str,
    size: u32,
    program: Result<Detour>,
    repeat: u32,
    samples: Samples,
}

/// The curves, by the order of the report; the first is subtracted from the others.
const CURVES: [&str; 4] = ["floor", "alias_rx", "kernel hash", "kernel LPM trie"];

pub(crate) fn measure(effort: &Effort, progress: &Progress, report: &mut Report) -> Result<()> {
    let mut points = Vec::new();
    // They keep the programs' aliases alive.
    let mut labs = Vec::new();
    for size in SIZES {
        progress.step(&format!("growth, filling the tables of {size} addresses"));
        let capacity = size.max(65_536).to_string();
        let options = ["--capacity", &capacity];
        let lab = Lab::builder()
            .mode(Mode::Native)
            .attach_options(&options)
            .build();
        let last = Ipv4Addr::from_bits(FIRST.to_bits() + size - 1);
        lab.ctl_ok(&[
            "add",
            "eth0",
            "--range",
            &format!("{FIRST}-{last}"),
            "--drop",
        ]);
        let ours = ours(&lab, size);
        let likeness = Likeness::of(&alias_rx(&lab)?).map_err(|error| error.to_string())?;
        points.extend([
            Point::new("floor", size, floor(likeness, size)),
            Point::new("alias_rx", size, ours),
            Point::new("kernel hash", size, kernel(Lookup::Hash, size)),
            Point::new("kernel LPM trie", size, kernel(Lookup::Lpm, size)),
        ]);
        labs.push(lab);
    }
    let mut bytes = frame()
        .ipv4(SOURCE, FIRST)
        .udp(40_000, 9, &SEED)
        .padded()
        .build();
    let state = state_of(&bytes);
    on_one_cpu(|| {
        for run in 0..=effort.runs {
            reseed(&mut bytes, state, run as u64);
            if run % 10 == 1 {
                progress.step(&format!("growth, run {run} of {}", effort.runs));
            }
            for point in &mut points {
                point.run(&bytes)?;
            }
        }
        Ok(())
    })?;
    report.add(table(&points));
    report.plot(PLOT, plot(&points));
    Ok(())
}

fn ours(lab: &Lab, size: u32) -> Result<Detour> {
    let rx = alias_rx(lab)?;
    behind(&rx, size).map_err(|error| error.to_string())
}

fn floor(likeness: Likeness, size: u32) -> Result<Detour> {
    let floor = likeness.only_return(xdp::DROP);
    floor
        .and_then(|floor| behind(&floor, size))
        .map_err(|error| error.to_string())
}

fn kernel(lookup: Lookup, size: u32) -> Result<Detour> {
    classifier(Kind::Xdp, lookup, FIRST, size)
        .and_then(|program| behind(&program, size))
        .map_err(|error| error.to_string())
}

fn behind(program: &std::os::fd::OwnedFd, size: u32) -> std::io::Result<Detour> {
    let draw = random_destination(FIRST, size);
    Detour::new(Likeness::of(program)?, &draw, program)
}

impl Point {
    fn new(what: &'static str, size: u32, program: Result<Detour>) -> Self {
        Self {
            what,
            size,
            program,
            repeat: 0,
            samples: Samples::default(),
        }
    }

    /// The first run only finds out how long the others shall be.
    fn run(&mut self, frame: &[u8]) -> Result<()> {
        let Ok(detour) = &self.program else {
            return Ok(());
        };
        let repeat = if self.repeat == 0 { TRIAL } else { self.repeat };
        let run = timed_run(&detour.program, frame, repeat)
            .map_err(|error| format!("{}: test run: {error}", self.what))?;
        if run.verdict != xdp::DROP {
            return Err(format!(
                "{} of {}: verdict {}: an address was not found",
                self.what, self.size, run.verdict
            ));
        }
        if self.repeat == 0 {
            self.repeat = (RUN_NS / run.ns.max(1.0)) as u32;
        } else {
            self.samples.push(run.ns);
        }
        Ok(())
    }
}

fn at<'a>(points: &'a [Point], what: &str, size: u32) -> Option<&'a Point> {
    points.iter().find(|p| p.what == what && p.size == size)
}

/// The median of the turns' differences.
fn above_floor(points: &[Point], point: &Point) -> Option<f64> {
    let floor = at(points, CURVES[0], point.size)?;
    point
        .samples
        .against(&floor.samples, |point, floor| point - floor)?
        .median()
}

fn table(points: &[Point]) -> Table {
    let mut table = Table::new(
        "growth",
        "Growth: look up, count and drop, random destinations, ns a packet by BPF_PROG_TEST_RUN",
        &[
            "what",
            "addresses",
            "median",
            "minimum",
            "unit",
            "runs",
            "over floor",
            "method",
        ],
    );
    for what in CURVES {
        let method = match what {
            "floor" => "draw a destination, tail call, return XDP_DROP",
            "alias_rx" => "the same before the loaded program",
            "kernel hash" => "the same before PERCPU_HASH with the counters inside",
            _ => "the same before LPM_TRIE with the counters inside, added atomically",
        };
        for point in points.iter().filter(|point| point.what == what) {
            let above = above_floor(points, point);
            let missing = point.program.as_ref().err();
            table.row(
                vec![
                    what.to_owned(),
                    point.size.to_string(),
                    shown(point.samples.median()),
                    shown(point.samples.minimum()),
                    "ns".to_owned(),
                    point.samples.count().to_string(),
                    above.map_or_else(String::new, |ns| format!("{ns:+.1}")),
                    missing.map_or_else(|| method.to_owned(), |e| format!("NOT MEASURED: {e}")),
                ],
                json!({
                    "what": what,
                    "addresses": point.size,
                    "unit": "ns",
                    "time": point.samples.to_json(),
                    "over_floor_ns": above,
                    "method": method,
                    "missing": missing,
                }),
            );
        }
    }
    table.note("over floor: the median of the turns' differences; the kernel's maps are looked up by a program with nothing else in it, alias_rx is the whole loaded program");
    table
}

fn plot(points: &[Point]) -> Plot {
    let curve = |what: &'static str| Curve {
        name: what,
        points: points
            .iter()
            .filter(|point| point.what == what)
            .filter_map(|point| Some((f64::from(point.size), above_floor(points, point)?)))
            .collect(),
    };
    Plot {
        title: "Look up, count, drop: ns a packet above a bare XDP_DROP",
        x: "addresses",
        curves: CURVES[1..].iter().copied().map(curve).collect(),
    }
}
