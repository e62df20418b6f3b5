//! Frames that go from one namespace into another, and what happens to them there.
//!
//! A figure is what each further packet takes, by the clock and on one CPU: a long run
//! less short ones, over the packets that it has more. A run of live frames ends with
//! the kernel waiting for a grace period, some 20 ms, which would be most of it. Making the
//! frames is in every row alike. That each frame got where it should is checked by the
//! counters of whoever is there.
//!
//! Ours is attached only while its row is measured: one of its programs hears of
//! every packet that the kernel drops, on this whole machine, and peers drop many.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use alias_tests::{Destinations, Generator, Lab, Namespace};
use serde_json::{Value, json};

use crate::Result;
use crate::options::Effort;
use crate::report::Table;
use crate::samples::{Samples, shown};

/// How long the packets of a run shall take.
const RUN_NS: f64 = 150e6;
/// The run that finds out how many packets that takes.
const TRIAL: u32 = 50_000;
/// The run that finds out what a run takes without packets.
const SHORT: u32 = 1_000;
/// Of those, a block has so many, and the middle one counts.
const SHORTS: usize = 5;
/// No row is as fast as this.
const LEAST_NS: f64 = 50.0;
const SETTLE: Duration = Duration::from_millis(50);
/// For the last frames, which may still be in the other end's queue.
const LIMIT: Duration = Duration::from_secs(5);
/// Of 1,000 packets, how many may get lost on the way.
const LOSS: u64 = 1;

/// Where the frames end.
pub(crate) enum End {
    /// Before A's stack: by its device, less what its IP layer saw.
    Dropped,
    /// In a device of that name, in the last namespace.
    Device(&'static str),
    /// In UDP sockets of A.
    SocketsOfA,
    /// In UDP sockets of the last namespace.
    Sockets,
}

/// One row: hosts, frames, and what they cost.
pub(crate) struct LiveRow {
    pub(crate) name: &'static str,
    method: &'static str,
    stage: Result<Stage>,
    repeat: u32,
    sent: u64,
    arrived: u64,
    pub(crate) samples: Samples,
}

/// Where a row is measured. Dropped in this order.
pub(crate) struct Stage {
    generator: Generator,
    end: End,
    /// What `alias-ctl` is told before each block; detached after it.
    ctl: Vec<String>,
    _sockets: Vec<UdpSocket>,
    _programs: Vec<OwnedFd>,
    others: Vec<Namespace>,
    lab: Lab,
}

impl Stage {
    /// Frames from B's eth0 to A's.
    pub(crate) fn new(lab: Lab, first: Ipv4Addr, count: u32, end: End) -> Result<Self> {
        let mac = lab.a.mac("eth0");
        let to = Destinations {
            first,
            count,
            mac,
            mac_each: false,
        };
        Self::sending(lab, to, end)
    }

    pub(crate) fn sending(lab: Lab, to: Destinations, end: End) -> Result<Self> {
        lab.a.without_ipv6();
        lab.b.without_ipv6();
        let generator =
            Generator::new(&lab.b, "eth0", to).map_err(|error| format!("generator: {error}"))?;
        Ok(Self {
            generator,
            end,
            ctl: Vec::new(),
            _sockets: Vec::new(),
            _programs: Vec::new(),
            others: Vec::new(),
            lab,
        })
    }

    /// One of ours.
    pub(crate) fn ctl(mut self, lines: &[&str]) -> Self {
        self.ctl = lines.iter().map(|&line| line.to_owned()).collect();
        self
    }

    pub(crate) fn with(mut self, other: Namespace) -> Self {
        self.others.push(other);
        self
    }

    pub(crate) fn holding(mut self, programs: Vec<OwnedFd>) -> Self {
        self._programs = programs;
        self
    }

    /// A socket that nobody reads, on the port that is sent to.
    pub(crate) fn unread(mut self) -> Result<Self> {
        let host = match self.end {
            End::SocketsOfA => &self.lab.a,
            _ => self.last(),
        };
        let socket = host.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, Generator::PORT)));
        self._sockets
            .push(socket.map_err(|error| format!("UDP socket: {error}"))?);
        Ok(self)
    }

    /// Where the frames come in.
    pub(crate) fn receiver(&self) -> &Namespace {
        &self.lab.a
    }

    fn last(&self) -> &Namespace {
        self.others.last().unwrap_or(&self.lab.a)
    }

    fn begin(&self) {
        for line in &self.ctl {
            let words: Vec<&str> = line.split_whitespace().collect();
            self.lab.ctl_ok(&words);
        }
    }

    fn finish(&self) {
        if !self.ctl.is_empty() {
            self.lab.ctl_ok(&["detach", "eth0", "--cascade"]);
        }
    }

    /// ns in all.
    fn run(&self, packets: u32) -> Result<f64> {
        let taken = self.lab.b.enter(|| {
            let start = Instant::now();
            self.generator.send(packets).map(|()| start.elapsed())
        });
        let taken = taken.map_err(|error| format!("generator: {error}"))?;
        Ok(taken.as_secs_f64() * 1e9)
    }

    fn arrived(&self) -> Result<u64> {
        match self.end {
            End::Dropped => {
                let seen = snmp(&self.lab.a, "Ip", &["InReceives"])?;
                Ok(received(&self.lab.a, "eth0")?.saturating_sub(seen))
            }
            End::Device(device) => received(self.last(), device),
            End::SocketsOfA => snmp(&self.lab.a, "Udp", &["InDatagrams", "InErrors"]),
            End::Sockets => snmp(self.last(), "Udp", &["InDatagrams", "InErrors"]),
        }
    }
}

impl LiveRow {
    pub(crate) fn new(name: &'static str, method: &'static str, stage: Result<Stage>) -> Self {
        Self {
            name,
            method,
            stage,
            repeat: 0,
            sent: 0,
            arrived: 0,
            samples: Samples::default(),
        }
    }

    /// Some runs, without anything else in between.
    fn block(&mut self, runs: usize) -> Result<()> {
        let Ok(stage) = &self.stage else {
            return Ok(());
        };
        // What the row before has left for the kernel to do later shall not be
        // paid by this one.
        thread::sleep(SETTLE);
        stage.begin();
        thread::sleep(SETTLE);
        let before = stage.arrived()?;
        let mut sent = u64::from(TRIAL) + u64::from(SHORT) * SHORTS as u64;
        // It is also what fills caches.
        let trial = stage.run(TRIAL)?;
        let mut shorts = Samples::default();
        for _ in 0..SHORTS {
            shorts.push(stage.run(SHORT)?);
        }
        let short = shorts.median().unwrap_or_default();
        let a_packet = |ns: f64, packets: u32| (ns - short) / f64::from(packets - SHORT);
        if self.repeat == 0 {
            self.repeat = (RUN_NS / a_packet(trial, TRIAL).max(LEAST_NS)) as u32;
        }
        for _ in 0..runs {
            let ns = stage.run(self.repeat)?;
            self.samples.push(a_packet(ns, self.repeat));
            sent += u64::from(self.repeat);
        }
        let deadline = Instant::now() + LIMIT;
        let mut arrived = stage.arrived()? - before;
        while arrived < sent - sent * LOSS / 1000 && Instant::now() < deadline {
            thread::sleep(SETTLE);
            arrived = stage.arrived()? - before;
        }
        stage.finish();
        self.sent += sent;
        self.arrived += arrived.min(sent);
        Ok(())
    }

    fn missing(&self) -> Option<String> {
        let lost = self.sent - self.arrived;
        match &self.stage {
            Err(reason) => Some(format!("NOT MEASURED: {reason}")),
            Ok(_) if lost * 1000 > self.sent * LOSS => Some(format!(
                "NOT VALID: {lost} of {} packets did not get there",
                self.sent
            )),
            Ok(_) => None,
        }
    }
}

/// Blocks of all rows, one after the other, again and again.
pub(crate) fn measure(
    rows: &mut [LiveRow],
    effort: &Effort,
    mut step: impl FnMut(usize),
) -> Result<()> {
    for block in 1..=effort.blocks {
        step(block);
        for row in &mut *rows {
            row.block(effort.runs_a_block)
                .map_err(|error| format!("{}: {error}", row.name))?;
        }
    }
    // A figure of frames that were lost is none.
    for row in rows {
        if row.missing().is_some() {
            row.samples = Samples::default();
        }
    }
    Ok(())
}

pub(crate) fn table(key: &'static str, title: &str, rows: &[LiveRow]) -> Table {
    let mut table = Table::new(
        key,
        title,
        &["what", "median", "minimum", "unit", "runs", "method"],
    );
    for row in rows {
        let missing = row.missing();
        table.row(
            vec![
                row.name.to_owned(),
                shown(row.samples.median()),
                shown(row.samples.minimum()),
                "ns".to_owned(),
                row.samples.count().to_string(),
                missing.clone().unwrap_or_else(|| row.method.to_owned()),
            ],
            json!({
                "name": row.name,
                "unit": "ns",
                "time": row.samples.to_json(),
                "packets_a_run": row.repeat,
                "packets_sent": row.sent,
                "packets_arrived": row.arrived,
                "method": row.method,
                "missing": missing,
            }),
        );
    }
    let sent: u64 = rows.iter().map(|row| row.sent).sum();
    table.note("wall time of what a packet more takes, everything on one CPU, the generator included: BPF_PROG_TEST_RUN with live frames, runs of about 150 ms less the median of five of 1,000 packets, destinations drawn at random");
    table.note(format!(
        "checked: of all {sent} packets at most {LOSS} of 1,000 did not get where they should, in any row"
    ));
    table
}

fn received(host: &Namespace, device: &str) -> Result<u64> {
    let links = host.ip_json(&format!("-s link show dev {device}"));
    let packets: &Value = &links[0]["stats64"]["rx"]["packets"];
    packets
        .as_u64()
        .ok_or_else(|| format!("{device}: no rx packets in {links}"))
}

/// The sum of some counters of one protocol.
fn snmp(host: &Namespace, protocol: &str, names: &[&str]) -> Result<u64> {
    let path = "/proc/thread-self/net/snmp";
    let text = host
        .enter(|| fs::read_to_string(path))
        .map_err(|error| format!("{path}: {error}"))?;
    let prefix = format!("{protocol}: ");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let (head, values) = (lines.next(), lines.next());
    let (head, values) = head
        .zip(values)
        .ok_or_else(|| format!("{path}: no {protocol}"))?;
    let pairs = head.split_whitespace().zip(values.split_whitespace());
    let counted = pairs.filter(|(name, _)| names.contains(name));
    counted
        .map(|(name, value)| {
            let value = value.parse::<u64>();
            value.map_err(|error| format!("{path}: {name}: {error}"))
        })
        .sum()
}
