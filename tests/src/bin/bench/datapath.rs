//! `alias_rx` as loaded and pinned, timed by the kernel (BPF_PROG_TEST_RUN),
//! every row over a floor that only drops.

use std::io;

use alias_tests::Lab;
use alias_tests::bpf::{timed_run, xdp};
use serde_json::{Value, json};

use crate::controller::{Labs, MILLION_RANGE, THOUSANDS};
use crate::cpu::on_one_cpu;
use crate::goal::Goal;
use crate::options::Effort;
use crate::report::{Report, Table};
use crate::rows::{Program, RANDOM_MILLION, fill, rows};
use crate::samples::{Samples, shown};
use crate::{Progress, Result};

/// How long a run shall be.
const RUN_NS: u32 = 25_000_000;
/// The run that finds out how many repetitions that takes.
const TRIAL: u32 = 10_000;

/// A frame, a program and what it took.
pub(crate) struct Row {
    name: &'static str,
    program: io::Result<Program>,
    frame: Vec<u8>,
    verdict: u32,
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
    progress.step("datapath, making 1,016,389 aliases");
    let (thousands, million) = (&labs.thousands, &labs.million);
    million.ctl_ok(&["add", "eth0", "--range", MILLION_RANGE, "--drop"]);
    let [_far, home] = fill(thousands);
    let before = [dropped(thousands)?, dropped(million)?];
    let mut rows = rows(thousands, million)?;
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
    let counted = [
        dropped(thousands)? - before[0],
        dropped(million)? - before[1],
    ];
    all_were_hit(thousands)?;
    report.add(table(&rows, counted)?);
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
            frame,
            verdict,
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

    fn calibrate(&mut self) -> Result<()> {
        let Some(ns) = self.time(TRIAL)? else {
            return Ok(());
        };
        self.repeat = RUN_NS / ns.max(1);
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        if let Some(ns) = self.time(self.repeat)? {
            self.samples.push(f64::from(ns));
        }
        Ok(())
    }

    fn time(&self, repeat: u32) -> Result<Option<u32>> {
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
        let drops = self.floor.is_some() && self.verdict == xdp::DROP && self.program.is_ok();
        if drops {
            u64::from(TRIAL) + u64::from(self.repeat) * self.samples.count() as u64
        } else {
            0
        }
    }
}

fn table(rows: &[Row], counted: [u64; 2]) -> Result<Table> {
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
        let over = floor.and_then(|floor| Some(row.samples.median()? - floor.median()?));
        let over_of_minima =
            floor.and_then(|floor| Some(row.samples.minimum()? - floor.minimum()?));
        let missing = row.program.as_ref().err().map(ToString::to_string);
        let method = match &missing {
            None => row.method.to_owned(),
            Some(reason) => format!("NOT MEASURED: cannot be put together: {reason}"),
        };
        let signed = |ns: Option<f64>| ns.map_or_else(String::new, |ns| format!("{ns:+}"));
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
        "the kernel's own figure, whole ns rounded down, of runs of about 25 ms, all on one CPU; over floor: of medians, then of minima",
    );
    table.note("the goal with a tag is that of the IPv4 hit and 2; whether one address alone sits at its home position is this run's luck, random rows average over it");
    table.note(proof(rows, counted)?);
    Ok(table)
}

/// Every packet that was to be dropped must have hit an alias.
fn proof(rows: &[Row], counted: [u64; 2]) -> Result<String> {
    let (million, thousands): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.name == RANDOM_MILLION);
    let expected = [thousands, million].map(|rows| rows.iter().map(|row| row.hits()).sum::<u64>());
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
    if hits < THOUSANDS as usize {
        return Err(format!(
            "only {hits} aliases were hit, and {THOUSANDS} is expected: the destinations are not random"
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
