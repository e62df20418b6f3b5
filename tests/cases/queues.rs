//! Several CPUs at once, on the queues of one parent and on parents of their own: no
//! packet is counted twice, or not at all, or for another parent.

use std::{io, mem, net::Ipv4Addr, thread};

use alias_tests::{Destinations, Generator, Lab, Mode, map::possible_cpus, wait_for};
use serde_json::Value;

use crate::scene::LIMIT;

const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const RANGE: &str = "198.18.0.0-198.18.0.99";
const HALF_OF_IT: &str = "198.18.0.0-198.18.0.49";
const ALIASES: u32 = 100;
const PACKETS: u32 = 400_000;

#[test]
fn counters_are_exact_with_every_cpu_receiving() {
    let cpus = possible_cpus().expect("the number of CPUs");
    assert!(
        cpus > 1,
        "one CPU cannot race with itself: this tests nothing here"
    );
    let lab = Lab::builder().silent().build();
    // A veth's sender chooses the queue by its own CPU. Before the attachment,
    // because Linux 6.18 does not run XDP on queues that a veth gets later.
    lab.a
        .run(&format!("ethtool -L eth0 rx {cpus} tx {cpus}"))
        .ok();
    lab.b
        .run(&format!("ethtool -L eth0 rx {cpus} tx {cpus}"))
        .ok();
    lab.ctl_ok(&["attach", "eth0", "--mode", Mode::Native.name()]);
    lab.ctl_ok(&["add", "eth0", "--range", RANGE, "--drop"]);
    // Half of them hit.
    let destinations = Destinations {
        first: FIRST,
        count: 2 * ALIASES,
        mac: lab.a.mac("eth0"),
        mac_each: false,
    };
    let before = Counts::read(&lab, "eth0");
    let all: Vec<_> = (0..cpus).map(|_| ("eth0", destinations)).collect();
    send_at_once(&lab, &all);
    exact(&lab, "eth0", &before, u64::from(PACKETS) * cpus as u64);
}

#[test]
fn parents_that_receive_at_once_count_apart() {
    let lab = Lab::builder().silent().build();
    lab.a.ip(&format!(
        "link add eth1 type veth peer name eth1 netns {}",
        lab.b.name()
    ));
    for host in [&lab.a, &lab.b] {
        host.ip("link set eth1 up");
    }
    // The same addresses on both, and on one of them half as many.
    lab.ctl_ok(&["attach", "eth0", "--mode", Mode::Native.name()]);
    lab.ctl_ok(&["attach", "eth1", "--mode", Mode::Native.name()]);
    lab.ctl_ok(&["add", "eth0", "--range", RANGE, "--drop"]);
    lab.ctl_ok(&["add", "eth1", "--range", HALF_OF_IT, "--drop"]);
    let destinations = |device| Destinations {
        first: FIRST,
        count: ALIASES,
        mac: lab.a.mac(device),
        mac_each: false,
    };
    let before = ["eth0", "eth1"].map(|parent| Counts::read(&lab, parent));
    let to = ["eth0", "eth1"].map(|device| (device, destinations(device)));
    send_at_once(&lab, &to);
    let eth0 = exact(&lab, "eth0", &before[0], PACKETS.into());
    let eth1 = exact(&lab, "eth1", &before[1], PACKETS.into());
    // Destinations are drawn: all of them are eth0's, half of them eth1's.
    assert_eq!(eth0.misses - before[0].misses, 0);
    let (hits, misses) = (eth1.hits - before[1].hits, eth1.misses - before[1].misses);
    assert!(hits > 0 && misses > 0, "{hits} and {misses}");
}

/// Sends to each of these devices' far ends, each from a CPU of its own.
#[track_caller]
fn send_at_once(lab: &Lab, to: &[(&str, Destinations)]) {
    lab.b.enter(|| {
        thread::scope(|scope| {
            for (cpu, (device, destinations)) in to.iter().enumerate() {
                scope.spawn(move || {
                    stay_on(cpu).unwrap_or_else(|error| panic!("CPU {cpu}: {error}"));
                    let generator = Generator::new(&lab.b, device, *destinations);
                    generator
                        .and_then(|generator| generator.send(PACKETS))
                        .unwrap_or_else(|error| panic!("CPU {cpu}: {error}"));
                });
            }
        });
    });
}

/// Waits until as much as was sent has come in, and compares all figures.
#[track_caller]
fn exact(lab: &Lab, parent: &str, before: &Counts, sent: u64) -> Counts {
    let mut after = Counts::read(lab, parent);
    wait_for(
        "every packet to come in, or to find its ring full",
        LIMIT,
        || {
            after = Counts::read(lab, parent);
            after.received + after.lost == before.received + before.lost + sent
        },
    );
    assert_eq!(
        after.hits - before.hits,
        after.dropped - before.dropped,
        "{parent}"
    );
    assert_eq!(
        (after.hits - before.hits) + (after.misses - before.misses),
        after.received - before.received,
        "{parent}"
    );
    after
}

/// What the device and the programs say.
#[derive(Debug)]
struct Counts {
    /// By the device: what its programs were given.
    received: u64,
    /// By the device: what its sender could not put into the ring.
    lost: u64,
    /// Sum over the aliases.
    hits: u64,
    /// Of the parent: for an alias, and dropped.
    dropped: u64,
    /// Of the parent: for none.
    misses: u64,
}

impl Counts {
    fn read(lab: &Lab, parent: &str) -> Self {
        let links = lab.a.ip_json(&format!("-s link show dev {parent}"));
        let device = &links[0]["stats64"]["rx"];
        let parents = lab.ctl_json(&["stats", "--parent", parent]);
        let aliases = lab.ctl_json(&["stats", parent]);
        let number = |value: &Value| {
            value
                .as_u64()
                .unwrap_or_else(|| panic!("no number: {value}"))
        };
        Self {
            received: number(&device["packets"]),
            lost: number(&device["dropped"]),
            hits: aliases
                .as_array()
                .expect("an array")
                .iter()
                .map(|alias| number(&alias["rx_packets"]))
                .sum(),
            dropped: number(&parents[0]["dropped"]["policy"]),
            misses: number(&parents[0]["miss"]),
        }
    }
}

fn stay_on(cpu: usize) -> io::Result<()> {
    // SAFETY: the set is a plain bit mask, which is valid zeroed and outlives the
    // call that reads it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
