//! One TCP stream by iperf3, to an alias device and to a macvlan.

use std::fs;
use std::time::Duration;

use alias_tests::{Background, Mode, Namespace, run_to_end, wait_for};
use serde_json::{Value, json};

use crate::ends::{ADDRESS, Ends};
use crate::goal::Goal;
use crate::options::Effort;
use crate::peers::is_installed;
use crate::report::{Report, Table};
use crate::samples::{Samples, shown};
use crate::{Progress, Result};

const PORT: u16 = 5201;
const LIMIT: Duration = Duration::from_secs(30);
/// LISTEN of tcp_states.h, as /proc/net/tcp has it.
const LISTEN: &str = "0A";

struct Row {
    name: &'static str,
    /// Whether the sender had it.
    found: &'static str,
    ends: Result<Ends>,
    samples: Samples,
    missing: Option<String>,
}

pub(crate) fn measure(effort: &Effort, progress: &Progress, report: &mut Report) -> Result<()> {
    progress.step("stream, making the hosts");
    let native = || Ends::alias(Mode::Native);
    let mut rows = [
        row("ours: device alias", true, native()),
        row("peer: macvlan", true, Ends::macvlan()),
        row(
            "peer: macvlan behind an XDP_PASS",
            true,
            Ends::macvlan_behind_xdp(),
        ),
        row(
            "ours: device alias, generic XDP",
            true,
            Ends::alias(Mode::Generic),
        ),
        row("ours: device alias, TSO off", false, native()),
        row("peer: macvlan, TSO off", false, Ends::macvlan()),
        row("ours: device alias, mode tc", true, Ends::alias(Mode::Tc)),
    ];
    for turn in 1..=effort.turns {
        progress.step(&format!("stream, turn {turn} of {}", effort.turns));
        for row in &mut rows {
            row.turn();
        }
    }
    report.add(table(&rows));
    for (work, ours, peer) in [
        ("to macvlan", 0, 1),
        ("to macvlan behind an XDP_PASS", 0, 2),
        ("TSO off, to macvlan", 4, 5),
    ] {
        let work = format!("one TCP stream to a device alias: {work}");
        let (ours, peer) = (&rows[ours].samples, &rows[peer].samples);
        report.goal(Goal::at_least(&work, ours, peer, 0.95));
    }
    let (tc, peer) = (&rows[6].samples, &rows[1].samples);
    let work = "one TCP stream to a device alias in mode tc: to macvlan";
    report.goal(Goal::at_least(work, tc, peer, 0.9));
    Ok(())
}

fn row(name: &'static str, segmentation: bool, ends: Result<Ends>) -> Row {
    let ends = ends.and_then(|ends| {
        if !is_installed("iperf3") {
            return Err("iperf3 is not installed".to_owned());
        }
        if !segmentation {
            ends.lab.b.run("ethtool -K eth0 tso off").ok();
        }
        Ok(ends)
    });
    Row {
        name,
        found: "-",
        missing: ends.as_ref().err().map(|e| format!("NOT MEASURED: {e}")),
        ends,
        samples: Samples::default(),
    }
}

impl Row {
    fn turn(&mut self) {
        let Ok(ends) = &self.ends else {
            return;
        };
        ends.begin();
        self.found = sender_segmentation(ends);
        match rate(ends) {
            Ok(rate) => self.samples.push(rate),
            Err(reason) => self.missing = Some(format!("NOT MEASURED: {reason}")),
        }
        ends.finish();
    }
}

/// The kernel takes TSO from a veth whose other end has native XDP.
fn sender_segmentation(ends: &Ends) -> &'static str {
    let features = ends.lab.b.run("ethtool -k eth0").ok().stdout;
    match features.contains("tcp-segmentation-offload: on") {
        true => "on",
        false => "off",
    }
}

/// Gbit/s that the server received.
fn rate(ends: &Ends) -> Result<f64> {
    let _server = listening(ends.server());
    let mut client = ends.lab.b.command("iperf3");
    // One CPU for each end, so that the scheduler's mood is not measured.
    client.args(["-c", ADDRESS, "-t", "1", "-J", "-A", "0,1"]);
    let output = run_to_end(client, b"", LIMIT);
    let said: Value = serde_json::from_str(&output.stdout)
        .map_err(|error| format!("iperf3: no JSON: {error}: {}", output.stderr))?;
    let rate = &said["end"]["sum_received"]["bits_per_second"];
    rate.as_f64()
        .map(|bits| bits / 1e9)
        .ok_or_else(|| format!("iperf3: {}", said["error"]))
}

/// A server for one client.
fn listening(host: &Namespace) -> Background {
    let server = host.spawn("iperf3 -s -1 --logfile /dev/null");
    wait_for("iperf3 to listen", LIMIT, || {
        let sockets = host.enter(|| {
            ["tcp", "tcp6"]
                .map(|family| fs::read_to_string(format!("/proc/thread-self/net/{family}")))
        });
        let port = format!(":{PORT:04X}");
        let listens = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(1).is_some_and(|local| local.ends_with(&port))
                && words.get(3) == Some(&LISTEN)
        };
        sockets
            .iter()
            .flatten()
            .any(|sockets| sockets.lines().any(listens))
    });
    server
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "stream",
        "One TCP stream by iperf3, MTU 1,500, veth to veth",
        &["what", "median", "least", "unit", "runs", "TSO", "method"],
    );
    for row in rows {
        let method = row.missing.as_deref().unwrap_or(
            "1 s, what the server received; the device is in another namespace of the receiver",
        );
        table.row(
            vec![
                row.name.to_owned(),
                shown(row.samples.median()),
                shown(row.samples.minimum()),
                "Gbit/s".to_owned(),
                row.samples.count().to_string(),
                row.found.to_owned(),
                method.to_owned(),
            ],
            json!({
                "name": row.name,
                "unit": "Gbit/s",
                "rate": row.samples.to_json(),
                "sender_tso": row.found,
                "method": method,
                "missing": row.missing,
            }),
        );
    }
    table.note("client and server on a CPU each; more is better; no offload is switched off by hand but the sender's TSO in the rows that say so");
    table.note("TSO: what the sender had. Linux takes it from a veth whose other end has native XDP, whosever program that is; a NIC's sender keeps it, and its receiver gets frames of 1,500 bytes as with TSO off");
    table
}
