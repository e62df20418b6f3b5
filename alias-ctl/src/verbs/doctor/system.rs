//! What all devices have in common: the kernel, its settings, the state directory.

use std::collections::HashSet;
use std::fs;

use crate::dataplane::{object, symbols};
use crate::error::Result;
use crate::model::finding::Findings;
use crate::netlink::Netns;
use crate::wiring::host::Host;

/// What can be seen without any right.
pub(super) fn examine(findings: &mut Findings) {
    kernel(findings);
    if !object::is_embedded() {
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
    if symbols::redirect_site() == [0; 2] {
        findings.note(
            "kernel",
            "it hides its addresses: losses on the way to alias devices stay uncounted",
            "sysctl -w kernel.kptr_restrict=1 as root, then attach anew",
        );
    }
}

/// tcx came with Linux 6.6; links of XDP programs with 5.9.
fn kernel(findings: &mut Findings) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        Some(version) if version < (5, 9) => findings.problem(
            "kernel",
            format!("Linux {release} has no links for XDP programs"),
            "Linux 6.1 or later is needed, 6.6 is better",
        ),
        Some(version) if version < (6, 6) => findings.note(
            "kernel",
            format!("Linux {release} has no tcx: clsact is used"),
            "",
        ),
        _ => findings.fine("kernel", format!("Linux {release}")),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_of_kernels() {
        for (release, expected) in [
            ("6.18.5-microvm", Some((6, 18))),
            ("5.9.0", Some((5, 9))),
            ("6.6-rc1", Some((6, 6))),
            ("", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
    }
}
