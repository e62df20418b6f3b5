//! What all devices have in common: the kernel, its settings, the state directory.

use std::collections::HashSet;
use std::fs;

use crate::dataplane::probe::{self, Probe};
use crate::dataplane::{embedded, listing};
use crate::error::Result;
use crate::model::finding::Findings;
use crate::netlink::Netns;
use crate::wiring::host::Host;

/// What can be seen without any right.
pub(super) fn examine(findings: &mut Findings) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    findings.fine("kernel", format!("Linux {}", release.trim()));
    if !embedded::is_embedded() {
        findings.problem(
            "alias-ctl",
            "this binary was built without the datapath",
            "build it with: cargo xtask build",
        );
    }
    if fs::metadata("/sys/kernel/btf/vmlinux").is_err() {
        findings.problem(
            "kernel",
            "it has no BTF (CONFIG_DEBUG_INFO_BTF)",
            "boot a kernel of your distribution, which has",
        );
    }
    match setting("/proc/sys/net/core/bpf_jit_enable") {
        Some(0) => findings.problem(
            "BPF JIT",
            "it is off: every packet is interpreted, many times slower",
            "sysctl -w net.core.bpf_jit_enable=1",
        ),
        _ => findings.fine("BPF JIT", "on"),
    }
    if setting("/proc/sys/net/core/bpf_jit_harden") == Some(2) {
        findings.note(
            "BPF JIT",
            "hardened for root too: programs are slower",
            "sysctl -w net.core.bpf_jit_harden=1 hardens for others only",
        );
    }
}

/// What the kernel answered when it was asked what it can do.
fn probes(findings: &mut Findings) {
    for Probe {
        feature,
        there,
        without,
    } in probe::all()
    {
        match there {
            Ok(true) => findings.fine("kernel", format!("it has {feature}")),
            Ok(false) => findings.note("kernel", format!("it has no {feature}: {without}"), ""),
            Err(error) => findings.note(
                "kernel",
                format!("whether it has {feature} cannot be found out: {error}"),
                "",
            ),
        }
    }
}

fn setting(path: &str) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The state directory, and what namespaces that are gone left in it.
pub(super) fn examine_state(host: &Host, findings: &mut Findings) -> Result<()> {
    let alive: HashSet<u64> = Netns::all()
        .filter_map(|netns| netns.cookie().ok())
        .collect();
    let dead = host.directory.siblings()?;
    let dead = dead
        .iter()
        .filter(|sibling| !alive.contains(&sibling.cookie()));
    probes(findings);
    if listing::is_refused(&host.directory) {
        findings.note(
            "kernel",
            "it took no iterator: there are no files aliases and alias_types on bpffs",
            "alias-ctl show --proc prints the same; why: alias-ctl verify",
        );
    }
    match dead.count() {
        0 => findings.fine("state", "bpffs is mounted, and the directory is ours alone"),
        count => findings.note(
            "state",
            format!("{count} network namespaces that are gone left programs and maps"),
            "the next attach clears them away",
        ),
    }
    Ok(())
}
