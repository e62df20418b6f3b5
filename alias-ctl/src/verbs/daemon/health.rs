//! What the daemon says of itself beside the figures: passes, repairs, its build.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::dataplane::build::{self, Build};
use crate::render::openmetrics::{Dialect, Family, Kind, head, sample};

const fn family(name: &'static str, kind: Kind, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind,
        unit: None,
    }
}

const fn seconds(name: &'static str, help: &'static str) -> Family {
    Family {
        unit: Some("seconds"),
        ..family(name, Kind::Gauge, help)
    }
}

const BUILD: Family = family(
    "alias_daemon_build_info",
    Kind::Gauge,
    "Always 1: the daemon's version, and the build of the programs it carries.",
);
const STARTED: Family = seconds(
    "alias_daemon_start_time_seconds",
    "When the daemon started, since 1970-01-01.",
);
const PASSES: Family = family(
    "alias_daemon_passes",
    Kind::Counter,
    "Passes that compared devices and aliases with the kernel, by result.",
);
const REPAIRS: Family = family(
    "alias_daemon_repairs",
    Kind::Counter,
    "What passes have put right or restored, by the lines said of it.",
);
const OVERRUNS: Family = family(
    "alias_daemon_overruns",
    Kind::Counter,
    "How often events of the kernel were lost, and everything was looked at.",
);
const DURATION: Family = seconds(
    "alias_daemon_last_pass_duration_seconds",
    "How long the last pass took.",
);
const ENDED: Family = seconds(
    "alias_daemon_last_pass_timestamp_seconds",
    "When the last pass ended, since 1970-01-01.",
);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Health {
    started: SystemTime,
    done: u64,
    failed: u64,
    repairs: u64,
    overruns: u64,
    last: Option<(Duration, SystemTime)>,
}

impl Health {
    /// Of a daemon that starts now.
    pub(super) fn new() -> Health {
        Health {
            started: SystemTime::now(),
            done: 0,
            failed: 0,
            repairs: 0,
            overruns: 0,
            last: None,
        }
    }

    /// A pass has ended.
    pub(super) fn note_pass(&mut self, succeeded: bool, repairs: usize, took: Duration) {
        if succeeded {
            self.done += 1;
        } else {
            self.failed += 1;
        }
        self.repairs += repairs as u64;
        self.last = Some((took, SystemTime::now()));
    }

    /// Events were lost.
    pub(super) fn note_overrun(&mut self) {
        self.overruns += 1;
    }

    /// Appends it all.
    pub(super) fn write(&self, text: &mut String, dialect: Dialect) {
        let begin = |text: &mut String, family: &Family| head(text, dialect, family);
        begin(text, &BUILD);
        let programs = build::name(Some(Build::own()));
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("programs", programs.as_str()),
        ];
        sample(text, &BUILD, &labels, 1);
        begin(text, &STARTED);
        sample(text, &STARTED, &[], since_epoch(self.started));
        begin(text, &PASSES);
        for (result, count) in [("done", self.done), ("failed", self.failed)] {
            sample(text, &PASSES, &[("result", result)], count);
        }
        begin(text, &REPAIRS);
        sample(text, &REPAIRS, &[], self.repairs);
        begin(text, &OVERRUNS);
        sample(text, &OVERRUNS, &[], self.overruns);
        let Some((took, ended)) = self.last else {
            return;
        };
        begin(text, &DURATION);
        sample(text, &DURATION, &[], took.as_secs_f64());
        begin(text, &ENDED);
        sample(text, &ENDED, &[], since_epoch(ended));
    }
}

fn since_epoch(time: SystemTime) -> f64 {
    // A clock before 1970 is no clock.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64()
}
