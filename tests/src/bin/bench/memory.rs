//! What the kernel holds for the aliases of a parent: its maps, as the kernel
//! itself accounts for them.

use std::fs;
use std::os::fd::AsRawFd;

use alias_common::names;
use alias_tests::bpf::open_pinned;
use alias_tests::map::possible_cpus;
use alias_tests::{Lab, Mode};
use serde_json::json;

use crate::report::{Report, Table};
use crate::verifier::pins_of_parent;
use crate::{Progress, Result};

const CAPACITIES: [u32; 3] = [1_000, 16_384, 1_000_000];
/// For which the others are computed.
const CPUS: [usize; 2] = [2, 64];
/// Maps with elements for every CPU.
const OF_EACH_CPU: [&str; 1] = [names::COUNTERS];

/// Bytes of the maps of a parent.
struct Held {
    of_each_cpu: f64,
    others: f64,
}

pub(crate) fn measure(progress: &Progress, report: &mut Report) -> Result<()> {
    progress.step("memory");
    let cpus = possible_cpus().map_err(|error| error.to_string())?;
    let mut table = Table::new(
        "memory",
        "Memory in the kernel: bytes an alias, of a parent that is full",
        &["aliases", "CPUs", "bytes an alias", "MiB in all", "method"],
    );
    for capacity in CAPACITIES {
        let options = ["--capacity", &capacity.to_string()];
        let lab = Lab::builder()
            .mode(Mode::Native)
            .attach_options(&options)
            .build();
        let held = held(&lab)?;
        let computed = CPUS.into_iter().filter(|&other| other != cpus);
        let computed = computed.map(|cpus| (cpus, "computed from it"));
        for (cpus, method) in std::iter::once((cpus, "this machine")).chain(computed) {
            let bytes = held.others + held.of_each_cpu * cpus as f64;
            let each = bytes / f64::from(capacity);
            table.row(
                vec![
                    capacity.to_string(),
                    cpus.to_string(),
                    format!("{each:.0}"),
                    format!("{:.1}", bytes / f64::from(1 << 20)),
                    method.to_owned(),
                ],
                json!({
                    "aliases": capacity,
                    "cpus": cpus,
                    "bytes_an_alias": each,
                    "bytes": bytes,
                    "method": method,
                }),
            );
        }
    }
    table.note("memlock of every pinned map (fdinfo), divided by the capacity; the counters of each CPU are scaled, the rest is not; programs, links and alias devices not included");
    report.add(table);
    Ok(())
}

fn held(lab: &Lab) -> Result<Held> {
    let cpus = possible_cpus().map_err(|error| error.to_string())? as f64;
    let mut held = Held {
        of_each_cpu: 0.0,
        others: 0.0,
    };
    for pin in pins_of_parent(lab)? {
        let said = |error| format!("{}: {error}", pin.display());
        let object = open_pinned(&pin).map_err(said)?;
        let path = format!("/proc/self/fdinfo/{}", object.as_raw_fd());
        let text = fs::read_to_string(path).map_err(said)?;
        if !text.lines().any(|line| line.starts_with("map_type:")) {
            continue;
        }
        let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        let bytes = line.and_then(|bytes| bytes.trim().parse::<f64>().ok());
        let bytes = bytes.ok_or_else(|| format!("{}: no memlock", pin.display()))?;
        if OF_EACH_CPU.iter().any(|name| pin.ends_with(name)) {
            held.of_each_cpu += bytes / cpus;
        } else {
            held.others += bytes;
        }
    }
    Ok(held)
}
