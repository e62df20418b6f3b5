//! A parent whose queues are served by several CPUs at once: no packet is counted
//! twice or not at all.

use std::{io, mem, net::Ipv4Addr, thread, time::Duration};

use alias_tests::{Destinations, Generator, Lab, Mode, map::possible_cpus, wait_for};
use serde_json::Value;

const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const RANGE: &str = "198.18.0.0-198.18.0.99";
const ALIASES: u32 = 100;
const PACKETS: u32 = 400_000;
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn counters_are_exact_with_every_cpu_receiving() {
    let cpus = possible_cpus().expect("the number of CPUs");
    assert!(
        cpus > 1,
        "one CPU cannot race with itself: this tests nothing here"
    );
    let lab = Lab::plain();
    // A veth's sender chooses the queue by its own CPU. Before the attachment,
    // because Linux 6.18 does not run XDP on queues that a veth gets later.
    lab.a
        .run(&format!("ethtool -L eth0 rx {cpus} tx {cpus}"))
        .ok();
    lab.b
        .run(&format!("ethtool -L eth0 rx {cpus} tx {cpus}"))
        .ok();
    for host in [&lab.a, &lab.b] {
        host.sysctl("ipv6/conf/eth0/disable_ipv6", "1");
    }
    lab.ctl_ok(&["attach", "eth0", "--mode", Mode::Native.name()]);
    lab.ctl_ok(&["add", "eth0", "--range", RANGE, "--drop"]);
    // Half of them hit.
    let destinations = Destinations {
        first: FIRST,
        count: 2 * ALIASES,
        mac: lab.a.mac("eth0"),
        mac_each: false,
    };
    let before = Counts::read(&lab);
    lab.b.enter(|| {
        thread::scope(|scope| {
            for cpu in 0..cpus {
                let lab = &lab;
                scope.spawn(move || {
                    stay_on(cpu).unwrap_or_else(|error| panic!("CPU {cpu}: {error}"));
                    let generator = Generator::new(&lab.b, "eth0", destinations);
                    generator
                        .and_then(|generator| generator.send(PACKETS))
                        .unwrap_or_else(|error| panic!("CPU {cpu}: {error}"));
                });
            }
        });
    });
    let sent = u64::from(PACKETS) * cpus as u64;
    let mut after = Counts::read(&lab);
    wait_for(
        "every packet to come in, or to find its ring full",
        LIMIT,
        || {
            after = Counts::read(&lab);
            after.received + after.lost == before.received + before.lost + sent
        },
    );
    assert_eq!(after.hits - before.hits, after.dropped - before.dropped);
    assert_eq!(
        (after.hits - before.hits) + (after.misses - before.misses),
        after.received - before.received
    );
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
    fn read(lab: &Lab) -> Self {
        let links = lab.a.ip_json("-s link show dev eth0");
        let device = &links[0]["stats64"]["rx"];
        let parents = lab.ctl_json(&["stats", "--parent"]);
        let aliases = lab.ctl_json(&["stats"]);
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
