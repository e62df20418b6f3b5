//! The script that made thousands of aliases in ifconfig's days, as it was: one
//! process for each.

use std::time::{Duration, Instant};

use alias_tests::{Lab, Mode, run_to_end};

use crate::ifconfig::ok;
use crate::ifconfig_list::Linked;

const SCRIPT: &str = "for y in $(seq 0 63); do for x in $(seq 1 254); do \
    ifconfig eth0:$((y*256+x)) 10.0.$y.$x || exit 1; done; done";
const ALIASES: usize = 64 * 254;

/// The whole script, which takes minutes: only what hangs takes longer.
const SCRIPT_LIMIT: Duration = Duration::from_secs(3600);

/// The names that `ifconfig -l` lists, but for `lo` and `eth0`.
#[track_caller]
fn aliases(lab: &Lab) -> usize {
    ok(lab, "-l").split_whitespace().count() - 2
}

/// The addresses of the script that are the host's own.
#[track_caller]
fn local_addresses(lab: &Lab) -> usize {
    let table = lab.a.ip("route show table local");
    let ours = |line: &&str| line.starts_with("local 10.0.");
    table.lines().filter(ours).count()
}

#[test]
fn sixteen_thousand_aliases_by_sixteen_thousand_processes() {
    let lab = Lab::attached(Mode::Native);
    let linked = Linked::named(&lab, "ifconfig");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut script = lab.a.command("sh");
    script
        .args(["-c", SCRIPT])
        .env("PATH", format!("{}:{path}", linked.directory().display()))
        .env("ALIAS_BPFFS_ROOT", lab.bpffs());
    let started = Instant::now();
    run_to_end(script, b"", SCRIPT_LIMIT).ok();
    println!(
        "{ALIASES} aliases by as many processes: {:.1?}",
        started.elapsed()
    );

    assert_eq!(aliases(&lab), ALIASES);
    assert_eq!(local_addresses(&lab), ALIASES);
    for y in 0..64 {
        lab.b.ping_ok(&format!("10.0.{y}.{}", y * 37 % 254 + 1), 1);
    }
    assert_eq!(lab.counter("eth0:1", "rx_packets"), 1);

    let started = Instant::now();
    let listing = ok(&lab, "-a");
    println!("ifconfig -a of them: {:.3?}", started.elapsed());
    assert_eq!(listing.matches("inet addr:10.0.").count(), ALIASES);

    ok(&lab, "eth0:1 down");
    assert_eq!(aliases(&lab), ALIASES - 1);
    assert_eq!(local_addresses(&lab), ALIASES - 1);
    lab.b.ping_unanswered("10.0.0.1");
    lab.b.ping_ok("10.0.0.2", 1);
    ok(&lab, "eth0 detach --cascade");
    assert_eq!(local_addresses(&lab), 0);
}
