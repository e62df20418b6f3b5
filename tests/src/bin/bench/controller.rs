//! The controller as its users start it: whole processes, and what they would
//! use without it next to them.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use alias_tests::{Lab, Mode, Namespace};
use serde_json::json;

use crate::child::timed;
use crate::delivery::addresses;
use crate::goal::Goal;
use crate::options::Effort;
use crate::report::{Report, Table};
use crate::samples::{Samples, shown};
use crate::{Progress, Result};

/// The first of the addresses of each kind, and how many there are.
pub(crate) const MILLION: u32 = 1_000_000;
pub(crate) const MILLION_RANGE: &str = "10.0.0.0-10.15.66.63";
pub(crate) const THOUSANDS: u32 = 16_384;
pub(crate) const THOUSANDS_RANGE: &str = "198.18.0.0/18";
const DEVICES: u32 = 1_000;
const DEVICES_RANGE: &str = "198.18.0.0-198.18.3.231";

const LOCAL: u32 = 16_256;
const LOCAL_RANGE: &str = "198.18.0.0-198.18.63.127";
/// How many of them ifconfig is given: a process each, and slower with each.
const SAMPLE: u32 = 256;

/// Group of the bare devices, so that one command deletes them.
const GROUP: u32 = 77;

/// Where it happens: each parent in a namespace of its own.
pub(crate) struct Labs {
    // Dropped in this order: the devices' home before its lab.
    home: Namespace,
    devices: Lab,
    pub(crate) thousands: Lab,
    pub(crate) million: Lab,
}

/// A command that is measured again and again.
struct Case {
    name: &'static str,
    /// What it is divided by.
    each: u32,
    /// What it is multiplied by.
    times: f64,
    method: &'static str,
    /// The case it is compared with.
    peer: Option<usize>,
    wall: Samples,
    rss: Samples,
    /// Why there is no figure, or not all.
    missing: Option<String>,
}

/// The cases, by the order of the report.
const ADD_MILLION: usize = 0;
const STATS_MILLION: usize = 1;
const DEL_MILLION: usize = 2;
const ADD_THOUSANDS: usize = 3;
const SHOW_THOUSANDS: usize = 4;
const STATS_THOUSANDS: usize = 5;
const ADD_ONE: usize = 6;
const IP_ADD_ONE: usize = 7;
const ADD_DEVICES: usize = 8;
const IP_ADD_DEVICES: usize = 9;
const DEL_DEVICES: usize = 10;
const IP_DEL_DEVICES: usize = 11;
const ADD_LOCAL: usize = 12;
const IP_ADD_LOCAL: usize = 13;
const IFCONFIG_LOCAL: usize = 14;
const ADD_LIST: usize = 15;
const DEL_LIST: usize = 16;

pub(crate) struct Controller {
    pub(crate) labs: Labs,
    ctl: PathBuf,
    cases: Vec<Case>,
    list: List,
}

/// A file with the addresses of the range, one a line; it goes with the bench.
struct List(PathBuf);

impl List {
    fn write() -> Result<Self> {
        let name = format!("alias-bench-{}-addresses", std::process::id());
        let list = Self(std::env::temp_dir().join(name));
        let mut text = String::new();
        for n in 0..MILLION {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", Ipv4Addr::from(0x0a00_0000 + n));
        }
        std::fs::write(&list.0, text).map_err(|error| format!("{}: {error}", list.0.display()))?;
        Ok(list)
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Controller {
    pub(crate) fn set(ctl: &Path) -> Result<Self> {
        let attached = |options: &[&str]| {
            let lab = Lab::builder().mode(Mode::Native).attach_options(options);
            lab.build()
        };
        let devices = attached(&[]);
        Ok(Self {
            labs: Labs {
                home: devices.namespace("home"),
                devices,
                thousands: attached(&[]),
                million: attached(&["--capacity", "1000000"]),
            },
            ctl: ctl.to_owned(),
            cases: cases(),
            list: List::write()?,
        })
    }

    /// Every round does everything once, single commands several times.
    pub(crate) fn measure(&mut self, effort: &Effort, progress: &Progress) -> Result<()> {
        for round in 1..=effort.rounds {
            progress.step(&format!("controller, round {round} of {}", effort.rounds));
            self.a_million()?;
            for _ in 0..effort.singles {
                self.one()?;
            }
            self.thousands()?;
            self.devices()?;
            self.local()?;
        }
        Ok(())
    }

    fn a_million(&mut self) -> Result<()> {
        let add = self.ctl(&self.labs.million, &add(MILLION_RANGE, "--drop"));
        self.time(ADD_MILLION, add)?;
        let stats = self.ctl(&self.labs.million, &["stats", "-j"]);
        self.time(STATS_MILLION, stats)?;
        let del = self.ctl(&self.labs.million, &["del", "eth0", "--all"]);
        self.time(DEL_MILLION, del)?;
        let list = self.list.0.display().to_string();
        let words = ["add", "eth0", "--from", &list, "--drop"];
        let add = self.ctl(&self.labs.million, &words);
        self.time(ADD_LIST, add)?;
        let del = self.ctl(&self.labs.million, &["del", "eth0", "--from", &list]);
        self.time(DEL_LIST, del)
    }

    fn thousands(&mut self) -> Result<()> {
        let add = self.ctl(&self.labs.thousands, &add(THOUSANDS_RANGE, "--drop"));
        self.time(ADD_THOUSANDS, add)?;
        let show = self.ctl(&self.labs.thousands, &["show", "-j"]);
        self.time(SHOW_THOUSANDS, show)?;
        let stats = self.ctl(&self.labs.thousands, &["stats", "-j"]);
        self.time(STATS_THOUSANDS, stats)?;
        self.labs.thousands.ctl_ok(&["del", "eth0", "--all"]);
        Ok(())
    }

    fn one(&mut self) -> Result<()> {
        let host = &self.labs.thousands;
        let add = self.ctl(host, &["add", "eth0:7", "203.0.113.7", "--drop"]);
        self.time(ADD_ONE, add)?;
        self.labs.thousands.ctl_ok(&["del", "eth0:7"]);
        let host = &self.labs.thousands.a;
        if self.time_peer(IP_ADD_ONE, ip(host, "addr add 203.0.113.8/32 dev eth0"), "") {
            self.labs.thousands.a.ip("addr del 203.0.113.8/32 dev eth0");
        }
        Ok(())
    }

    fn devices(&mut self) -> Result<()> {
        let home = self.labs.home.name().to_owned();
        let options = ["--netns", &home];
        let words = [&["add", "eth0", "--range", DEVICES_RANGE], &options[..]].concat();
        let add = self.ctl(&self.labs.devices, &words);
        self.time(ADD_DEVICES, add)?;
        let del = self.ctl(&self.labs.devices, &["del", "eth0", "--all"]);
        self.time(DEL_DEVICES, del)?;
        let mut batch = String::new();
        for n in 0..DEVICES {
            // Writing to a String cannot fail.
            let _ = writeln!(
                batch,
                "link add bare{n} group {GROUP} type veth peer name far{n} netns {home}"
            );
        }
        let add = ip(&self.labs.devices.a, "-batch -");
        self.time_peer(IP_ADD_DEVICES, add, &batch);
        // Also what a batch that failed has left.
        let del = ip(&self.labs.devices.a, &format!("link del group {GROUP}"));
        self.time_peer(IP_DEL_DEVICES, del, "");
        Ok(())
    }

    /// Addresses of the host's own stack, by everything that can add them.
    fn local(&mut self) -> Result<()> {
        let add = self.ctl(&self.labs.thousands, &add(LOCAL_RANGE, "--local"));
        self.time(ADD_LOCAL, add)?;
        self.labs.thousands.ctl_ok(&["del", "eth0", "--all"]);
        let batch = addresses("peer0", LOCAL);
        let adds = ip(&self.labs.thousands.a, "-batch -");
        let host = &self.labs.thousands.a;
        // A device of the same kind, which goes with all its addresses.
        let fresh = |host: &Namespace| {
            host.ip("link add peer0 type veth peer name peer1");
            host.ip_batch("link set peer0 up\nlink set peer1 up\n");
        };
        fresh(host);
        self.time_peer(IP_ADD_LOCAL, adds, &batch);
        let host = &self.labs.thousands.a;
        host.ip("link del peer0");
        fresh(host);
        let mut ifconfig = host.command("sh");
        let one = "ifconfig peer0:$n 198.18.$((n / 256)).$((n % 256)) netmask 255.255.255.255";
        ifconfig.args([
            "-c",
            &format!("n=0; while [ $n -lt {SAMPLE} ]; do {one} || exit 1; n=$((n + 1)); done"),
        ]);
        self.time_peer(IFCONFIG_LOCAL, ifconfig, "");
        self.labs.thousands.a.ip("link del peer0");
        Ok(())
    }

    fn ctl(&self, lab: &Lab, words: &[&str]) -> Command {
        let mut command = lab.a.command(&self.ctl);
        command.args(words).env("ALIAS_BPFFS_ROOT", lab.bpffs());
        command
    }

    fn time(&mut self, case: usize, command: Command) -> Result<()> {
        self.record(case, command, "")
    }

    /// A peer that fails is reported in its row.
    fn time_peer(&mut self, case: usize, command: Command, input: &str) -> bool {
        let done = self.record(case, command, input);
        let succeeded = done.is_ok();
        if let Err(reason) = done {
            self.cases[case].missing = Some(reason);
        }
        succeeded
    }

    fn record(&mut self, case: usize, command: Command, input: &str) -> Result<()> {
        let spent = timed(command, input)?;
        let case = &mut self.cases[case];
        case.wall
            .push(spent.wall_ms * case.times / f64::from(case.each));
        case.rss.push(spent.peak_rss_kib);
        Ok(())
    }

    pub(crate) fn report(&self, report: &mut Report) {
        let mut table = Table::new(
            "controller",
            "Controller: wall time of a whole process, from fork to wait4, output to /dev/null",
            &[
                "what", "median", "minimum", "unit", "runs", "peak RSS", "ratio", "method",
            ],
        );
        for case in &self.cases {
            self.report_case(case, &mut table);
        }
        table.note(
            "peak RSS: ru_maxrss in MiB, median; pages of mapped maps that were touched are in it, \
             and so is what this bench had in memory when it forked, which no figure can be below",
        );
        table.note("ratio: to the peer in the next row, the median of the turns' ratios");
        report.add(table);
        let of = |case: usize| &self.cases[case].wall;
        for (work, case, seconds) in [
            ("bulk add, 1,000,000 drop", ADD_MILLION, 1.0),
            ("bulk delete, 1,000,000", DEL_MILLION, 1.0),
            ("bulk add, 1,000,000 drop, from a file", ADD_LIST, 1.0),
            ("bulk delete, 1,000,000, from a file", DEL_LIST, 1.0),
            ("bulk add, 16,256 drop", ADD_THOUSANDS, 0.1),
            ("show -j, 16,256", SHOW_THOUSANDS, 0.1),
            ("stats -j, 1,000,000", STATS_MILLION, 0.5),
        ] {
            report.goal(Goal::within(work, of(case), seconds));
        }
        for (work, ours, peer, times) in [
            ("one add --drop: to ip addr add", ADD_ONE, IP_ADD_ONE, 2.0),
            (
                "bulk add, 16,256 local: to ip -batch",
                ADD_LOCAL,
                IP_ADD_LOCAL,
                1.2,
            ),
            (
                "bulk add, 1,000 devices: to bare veth creation",
                ADD_DEVICES,
                IP_ADD_DEVICES,
                1.2,
            ),
        ] {
            report.goal(Goal::at_most(work, of(ours), of(peer), times));
        }
    }

    fn report_case(&self, case: &Case, table: &mut Table) {
        let peer = case.peer.map(|peer| &self.cases[peer]);
        let ratio = peer.and_then(|peer| {
            case.wall
                .against(&peer.wall, |ours, peer| ours / peer)?
                .median()
        });
        let unit = if case.each == 1 { "ms" } else { "ms each" };
        let method = match &case.missing {
            None => case.method.to_owned(),
            Some(reason) => format!("NOT MEASURED: {reason}"),
        };
        table.row(
            vec![
                if case.name.starts_with("peer") {
                    format!("  {}", case.name)
                } else {
                    case.name.to_owned()
                },
                shown(case.wall.median()),
                shown(case.wall.minimum()),
                unit.to_owned(),
                case.wall.count().to_string(),
                shown(case.rss.median().map(|kib| kib / 1024.0)),
                match ratio {
                    Some(ratio) => format!("{ratio:.2}"),
                    None if peer.is_some() => "no peer".to_owned(),
                    None => String::new(),
                },
                method,
            ],
            json!({
                "name": case.name,
                "unit": unit,
                "wall": case.wall.to_json(),
                "peak_rss_kib": case.rss.to_json(),
                "peer": peer.map(|peer| peer.name),
                "ratio": ratio,
                "method": case.method,
                "missing": case.missing,
            }),
        );
    }
}

fn cases() -> Vec<Case> {
    let million = "parent with --capacity 1000000";
    let a_line = "the same addresses in a file, one a line";
    let thousands = "parent with the default capacity";
    let one = "parent attached, no other alias";
    let devices = "one command, aliases with an address each, announced";
    let case = |name, each, method, peer| Case {
        name,
        each,
        times: 1.0,
        method,
        peer,
        wall: Samples::default(),
        rss: Samples::default(),
        missing: None,
    };
    let mut cases = vec![
        case("add --range, 1,000,000 --drop", 1, million, None),
        case("stats -j, 1,000,000", 1, million, None),
        case("del --all, 1,000,000", 1, million, None),
        case("add --range, 16,384 --drop", 1, thousands, None),
        case("show -j, 16,384", 1, thousands, None),
        case("stats -j, 16,384", 1, thousands, None),
        case("add, one --drop", 1, one, Some(IP_ADD_ONE)),
        case("peer: ip addr add", 1, "same namespace and device", None),
        case(
            "add --range --netns, 1,000 devices",
            DEVICES,
            devices,
            Some(IP_ADD_DEVICES),
        ),
        case(
            "peer: ip -batch, 1,000 bare veth pairs",
            DEVICES,
            "same two namespaces; no address, not up",
            None,
        ),
        case(
            "del --all, 1,000 devices",
            DEVICES,
            "one command",
            Some(IP_DEL_DEVICES),
        ),
        case(
            "peer: ip link del group, 1,000 bare veth pairs",
            DEVICES,
            "one command",
            None,
        ),
        case(
            "add --range, 16,256 --local",
            1,
            "parent with the default capacity",
            Some(IP_ADD_LOCAL),
        ),
        case(
            "peer: ip -batch, the same addresses",
            1,
            "one conversation; a veth beside the parent",
            None,
        ),
        case(
            "peer: ifconfig, 16,256 of the same",
            1,
            "extrapolated from 256, a process each, to 16,256 as if the cost of one stayed the same",
            None,
        ),
        case("add --from, 1,000,000 --drop", 1, a_line, None),
        case("del --from, 1,000,000", 1, a_line, None),
    ];
    cases[IFCONFIG_LOCAL].times = f64::from(LOCAL) / f64::from(SAMPLE);
    cases
}

fn add<'a>(range: &'a str, target: &'a str) -> [&'a str; 5] {
    ["add", "eth0", "--range", range, target]
}

fn ip(host: &Namespace, words: &str) -> Command {
    let mut command = host.command("ip");
    command.args(words.split_whitespace());
    command
}
