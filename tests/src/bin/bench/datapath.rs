//! `alias_rx` as loaded and pinned, timed by the kernel (BPF_PROG_TEST_RUN),
//! every row over a floor that only drops.

use std::io;

use alias_tests::bpf::{timed_run, xdp};
use alias_tests::{Lab, Mode};
use serde_json::{Value, json};

use crate::controller::{Labs, MILLION_RANGE, THOUSANDS, THOUSANDS_RANGE};
use crate::cpu::on_one_cpu;
use crate::goal::Goal;
use crate::options::Effort;
use crate::report::{Report, Table};
use crate::rows::{
    MILLION_RANGE_V6, PREFIX, Program, TAGGED, THOUSANDS_RANGE_V6, UNTAGGED, fill, rows,
};
use crate::samples::{Samples, shown};
use crate::varying::{reseed, state_of};
use crate::{Progress, Result};

/// That of all kinds, that of a million; of IPv6 that of thousands, of a million.
pub(crate) const LABS: usize = 6;
/// How long a run shall be.
const RUN_NS: f64 = 25e6;
/// The run that finds out how many repetitions that takes.
const TRIAL: u32 = 10_000;

/// A frame, a program and what it took.
pub(crate) struct Row {
    name: &'static str,
    program: io::Result<Program>,
    frame: Vec<u8>,
    /// Where the generator's state is in it.
    state: Option<usize>,
    verdict: u32,
    /// Whose aliases it hits.
    lab: usize,
    /// The row it is compared with.
    floor: Option<usize>,
    /// By how much it may be above that, in ns.
    goal: Option<f64>,
    method: &'static str,
    repeat: u32,
    samples: Samples,
}

pub(crate) fn measure(
    labs: &Labs,
    effort: &Effort,
    progress: &Progress,
    report: &mut Report,
) -> Result<()> {
    progress.step("datapath, making 2,065,542 aliases");
    let (thousands, million) = (&labs.thousands, &labs.million);
    let attached = |capacity: &str| {
        let builder = Lab::builder().mode(Mode::Native);
        builder.attach_options(&["--capacity", capacity]).build()
    };
    let (thousands_v6, million_v6) = (attached("65536"), attached("1000000"));
    // The rows' frames are for one station; so each parent is it. Its next change has the
    // programs follow.
    let mac = thousands.a.ip_json("link show dev eth0")[0]["address"]
        .as_str()
        .map(str::to_owned)
        .unwrap_or_default();
    let readdress = |lab: &Lab| {
        lab.a.ip(&format!("link set eth0 address {mac}"));
    };
    for lab in [million, &thousands_v6, &million_v6] {
        readdress(lab);
    }
    million.ctl_ok(&["add", "eth0", "--range", MILLION_RANGE, "--drop"]);
    thousands_v6.ctl_ok(&["add", "eth0", "--range", THOUSANDS_RANGE_V6, "--drop"]);
    million_v6.ctl_ok(&["add", "eth0", "--range", MILLION_RANGE_V6, "--drop"]);
    let [_far, home] = fill(thousands);
    let (fitting, prefixed) = (attached("16384"), attached("65536"));
    for lab in [&fitting, &prefixed] {
        readdress(lab);
    }
    fitting.ctl_ok(&["add", "eth0", "--range", THOUSANDS_RANGE, "--drop"]);
    prefixed.ctl_ok(&["add", "eth0", "--range", THOUSANDS_RANGE, "--drop"]);
    prefixed.ctl_ok(&["add", "eth0", PREFIX, "--prefix", "--drop"]);
    let labs = [
        thousands,
        million,
        &thousands_v6,
        &million_v6,
        &fitting,
        &prefixed,
    ];
    let before = labs.map(dropped);
    let mut rows = rows(labs)?;
    on_one_cpu(|| {
        thousands.a.enter(|| {
            for row in &mut rows {
                row.calibrate()?;
            }
            for run in 0..effort.runs {
                if run % 10 == 0 {
                    progress.step(&format!("datapath, run {} of {}", run + 1, effort.runs));
                }
                for row in &mut rows {
                    row.run()?;
                }
            }
            Ok(())
        })
    })?;
    let mut counted = [0; LABS];
    for ((counted, lab), before) in counted.iter_mut().zip(labs).zip(before) {
        *counted = dropped(lab)? - before?;
    }
    all_were_hit(thousands)?;
    all_were_hit(&thousands_v6)?;
    report.add(table(&rows, counted)?);
    let [untagged, tagged] = [UNTAGGED, TAGGED].map(|name| rows.iter().find(|r| r.name == name));
    if let Some((untagged, tagged)) = untagged.zip(tagged) {
        let work = format!("{TAGGED}: above the untagged");
        report.goal(Goal::above(&work, &tagged.samples, &untagged.samples, 2.0));
    }
    for row in &rows {
        if let (Some(floor), Some(ns)) = (row.floor, row.goal) {
            let work = format!("{}: above the floor", row.name);
            report.goal(Goal::above(&work, &row.samples, &rows[floor].samples, ns));
        }
    }
    drop(home);
    Ok(())
}

impl Row {
    pub(crate) fn new(
        name: &'static str,
        method: &'static str,
        program: io::Result<Program>,
        frame: Vec<u8>,
        verdict: u32,
    ) -> Self {
        Self {
            name,
            program,
            state: state_of(&frame),
            frame,
            verdict,
            lab: 0,
            floor: None,
            goal: None,
            method,
            repeat: TRIAL,
            samples: Samples::default(),
        }
    }

    /// Compared with this row, and by how much it may be above it.
    pub(crate) fn over(mut self, floor: usize, goal: Option<f64>) -> Self {
        (self.floor, self.goal) = (Some(floor), goal);
        self
    }

    /// A program that counts for nobody's aliases.
    pub(crate) fn of_peer(mut self) -> Self {
        self.lab = usize::MAX;
        self
    }

    /// Other than the first.
    pub(crate) fn in_lab(mut self, lab: usize) -> Self {
        self.lab = lab;
        self
    }

    fn calibrate(&mut self) -> Result<()> {
        let Some(ns) = self.time(TRIAL)? else {
            return Ok(());
        };
        self.repeat = (RUN_NS / ns.max(1.0)) as u32;
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        let run = self.samples.count() as u64 + 1;
        reseed(&mut self.frame, self.state, run);
        if let Some(ns) = self.time(self.repeat)? {
            self.samples.push(ns);
        }
        Ok(())
    }

    fn time(&self, repeat: u32) -> Result<Option<f64>> {
        let program = match &self.program {
            Ok(Program::Bare(program)) => program,
            Ok(Program::Behind(detour)) => &detour.program,
            Err(_) => return Ok(None),
        };
        let run = timed_run(program, &self.frame, repeat)
            .map_err(|error| format!("{}: test run: {error}", self.name))?;
        if run.verdict != self.verdict {
            return Err(format!(
                "{}: verdict {}, and {} is expected: what is measured is not what it says",
                self.name, run.verdict, self.verdict
            ));
        }
        Ok(Some(run.ns))
    }

    /// Packets that `alias_rx` has dropped for it, if all hit.
    fn hits(&self) -> u64 {
        let drops = self.floor.is_some()
            && self.lab < LABS
            && self.verdict == xdp::DROP
            && self.program.is_ok();
        if drops {
            u64::from(TRIAL) + u64::from(self.repeat) * self.samples.count() as u64
        } else {
            0
        }
    }
}

fn table(rows: &[Row], counted: [u64; LABS]) -> Result<Table> {
    let mut table = Table::new(
        "datapath",
        "Datapath: alias_rx, ns a packet by BPF_PROG_TEST_RUN, 16,389 aliases unless it says so",
        &[
            "what",
            "median",
            "minimum",
            "unit",
            "runs",
            "over floor",
            "of minima",
            "goal",
            "method",
        ],
    );
    for row in rows {
        let floor = row.floor.map(|floor| &rows[floor].samples);
        let over = floor.and_then(|floor| {
            row.samples
                .against(floor, |ours, floor| ours - floor)?
                .median()
        });
        let over_of_minima =
            floor.and_then(|floor| Some(row.samples.minimum()? - floor.minimum()?));
        let missing = row.program.as_ref().err().map(ToString::to_string);
        let method = match &missing {
            None => row.method.to_owned(),
            Some(reason) => format!("NOT MEASURED: cannot be put together: {reason}"),
        };
        let signed = |ns: Option<f64>| ns.map_or_else(String::new, |ns| format!("{ns:+.1}"));
        table.row(
            vec![
                row.name.to_owned(),
                shown(row.samples.median()),
                shown(row.samples.minimum()),
                "ns".to_owned(),
                row.samples.count().to_string(),
                signed(over),
                signed(over_of_minima),
                signed(row.goal),
                method,
            ],
            json!({
                "name": row.name,
                "unit": "ns",
                "time": row.samples.to_json(),
                "packets_a_run": row.repeat,
                "floor": row.floor.map(|floor| rows[floor].name),
                "over_floor_ns": over,
                "over_floor_of_minima_ns": over_of_minima,
                "goal_over_floor_ns": row.goal,
                "method": row.method,
                "missing": missing,
            }),
        );
    }
    table.note(
        "CPU time of runs of about 25 ms, all on one CPU; over floor: the median of the turns' differences, then that of minima",
    );
    table.note("whether one address alone sits at its home position is this run's luck, random rows average over it");
    table.note(proof(rows, counted)?);
    Ok(table)
}

/// Every packet that was to be dropped must have hit an alias.
fn proof(rows: &[Row], counted: [u64; LABS]) -> Result<String> {
    let mut expected = [0; LABS];
    for row in rows.iter().filter(|row| row.lab < LABS) {
        expected[row.lab] += row.hits();
    }
    if counted != expected {
        return Err(format!(
            "the programs counted {counted:?} dropped packets, and {expected:?} is expected: not every packet hit an alias"
        ));
    }
    let all: u64 = counted.iter().sum();
    Ok(format!(
        "checked: all {all} packets of the drop rows were counted as such by the aliases' parents"
    ))
}

/// The random destinations must have reached every alias there is for them.
fn all_were_hit(lab: &Lab) -> Result<()> {
    let hit = |alias: &&Value| alias["rx_packets"].as_u64().is_some_and(|n| n > 0);
    let counts = lab.ctl_json(&["stats"]);
    let hits = counts
        .as_array()
        .map_or(0, |all| all.iter().filter(hit).count());
    let expected = THOUSANDS as usize;
    if hits < expected {
        return Err(format!(
            "only {hits} aliases were hit, and {expected} is expected: the destinations are not random"
        ));
    }
    Ok(())
}

/// Packets that the parent's programs dropped for an alias.
fn dropped(lab: &Lab) -> Result<u64> {
    let parents = lab.ctl_json(&["stats", "--parent"]);
    let count = |value: &Value| value[0]["dropped"]["policy"].as_u64();
    count(&parents).ok_or_else(|| format!("stats --parent -j: no dropped.policy in {parents}"))
}
