//! What it costs a parent that is full to get twice as many slots, while packets
//! come in as fast as one CPU sends them.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use alias_tests::{Destinations, Generator, Lab, Mode};
use serde_json::{Value, json};

use crate::options::Effort;
use crate::report::{Report, Table};
use crate::samples::{Samples, shown};
use crate::{Progress, Result};

const SIZES: [u32; 2] = [65_536, 524_288];
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
/// Packets that are sent in one go.
const BURST: u32 = 1 << 14;

pub(crate) fn measure(effort: &Effort, progress: &Progress, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        "capacity",
        "A full parent gets twice as many slots, for one alias more",
        &[
            "slots",
            "ms, median",
            "min",
            "n",
            "packets meanwhile",
            "missed",
        ],
    );
    for size in SIZES {
        let mut grown = Samples::default();
        let (mut packets, mut missed) = (0, 0);
        for round in 1..=effort.rounds {
            progress.step(&format!("capacity, {size} aliases, round {round}"));
            let once = once(size)?;
            grown.push(once.milliseconds);
            packets += once.packets;
            missed += once.missed;
        }
        table.row(
            vec![
                format!("{size} to {}", 2 * size),
                shown(grown.median()),
                shown(grown.minimum()),
                grown.count().to_string(),
                packets.to_string(),
                missed.to_string(),
            ],
            json!({
                "from": size,
                "to": 2 * size,
                "unit": "ms",
                "wall": grown.to_json(),
                "packets": packets,
                "missed": missed,
            }),
        );
    }
    table.note("wall time of the `add` that makes it grow; missed: packets that the device took and no alias counted");
    report.add(table);
    Ok(())
}

struct Once {
    milliseconds: f64,
    packets: u64,
    missed: u64,
}

fn once(size: u32) -> Result<Once> {
    let lab = Lab::builder().silent().build();
    lab.ctl_ok(&[
        "attach",
        "eth0",
        "--mode",
        Mode::Native.name(),
        "--capacity",
        &size.to_string(),
    ]);
    let range = format!(
        "{FIRST}-{}",
        Ipv4Addr::from_bits(FIRST.to_bits() + size - 1)
    );
    lab.ctl_ok(&["add", "eth0", "--range", &range, "--drop"]);
    let capacity = number(&lab.ctl_json(&["stats", "--parent"])[0]["capacity"])?;
    if capacity != u64::from(size) {
        // Its index was crowded (1 of some 400): what follows would not make it grow.
        return once(size);
    }
    let destinations = Destinations {
        first: FIRST,
        count: size,
        mac: lab.a.mac("eth0"),
        mac_each: false,
    };
    let over = AtomicBool::new(false);
    let before = received(&lab)?;
    let started = thread::scope(|scope| {
        let sender = scope.spawn(|| send(&lab, destinations, &over));
        let started = Instant::now();
        lab.ctl_ok(&["add", "eth0", "198.51.100.8", "--drop"]);
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        over.store(true, Ordering::Relaxed);
        let sent = sender
            .join()
            .map_err(|_| "the sender panicked".to_owned())?;
        sent.map(|()| milliseconds)
            .map_err(|error| error.to_string())
    });
    let milliseconds = started?;
    // What is in the ring comes in yet.
    let (mut came, mut counted) = (0, 0);
    for _ in 0..100 {
        let parent = lab.ctl_json(&["stats", "--parent"]);
        counted = number(&parent[0]["dropped"]["policy"])?;
        came = received(&lab)? - before;
        if came == counted {
            break;
        }
    }
    Ok(Once {
        milliseconds,
        packets: came,
        missed: came.abs_diff(counted),
    })
}

fn send(lab: &Lab, to: Destinations, over: &AtomicBool) -> std::io::Result<()> {
    lab.b.enter(|| {
        let generator = Generator::new(&lab.b, "eth0", to)?;
        while !over.load(Ordering::Relaxed) {
            generator.send(BURST)?;
        }
        Ok(())
    })
}

/// Packets that the device took.
fn received(lab: &Lab) -> Result<u64> {
    let links = lab.a.ip_json("-s link show dev eth0");
    number(&links[0]["stats64"]["rx"]["packets"])
}

fn number(value: &Value) -> Result<u64> {
    let number = value.as_u64();
    number.ok_or_else(|| format!("no number: {value}"))
}
