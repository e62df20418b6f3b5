//! Programs that come from the distribution, what each package manager calls
//! them, and the one package manager that setup drives itself: apt.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::kernel;
use crate::process;
use crate::workspace::Workspace;

/// A program this project runs, and the packages that hold it.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    debian: &'static [&'static str],
    fedora: &'static str,
    arch: &'static str,
}

const fn tool(
    program: &'static str,
    debian: &'static [&'static str],
    fedora: &'static str,
    arch: &'static str,
) -> Tool {
    Tool {
        program,
        debian,
        fedora,
        arch,
    }
}

/// What compiling needs beside Rust: bpf-linker's dependencies and every
/// build script are linked with cc; its libLLVM is the compiler's own. objcopy
/// takes the debug information out of alias-ctl.
pub(crate) const BUILD_TOOLS: &[Tool] = &[
    tool("cc", &["gcc", "libc6-dev"], "gcc", "gcc"),
    tool("objcopy", &["binutils"], "binutils", "binutils"),
];

/// What the demonstration and the tests run.
pub(crate) const RUNTIME_TOOLS: &[Tool] = &[
    tool("ip", &["iproute2"], "iproute", "iproute2"),
    tool("ping", &["iputils-ping"], "iputils", "iputils"),
    tool("arping", &["iputils-arping"], "iputils", "iputils"),
    tool("dnsmasq", &["dnsmasq-base"], "dnsmasq", "dnsmasq"),
    tool("iperf3", &["iperf3"], "iperf3", "iperf3"),
    tool("tcpdump", &["tcpdump"], "tcpdump", "tcpdump"),
    tool("ethtool", &["ethtool"], "ethtool", "ethtool"),
    tool("setpriv", &["util-linux"], "util-linux", "util-linux"),
    tool("mount", &["mount"], "util-linux", "util-linux"),
    tool("sysctl", &["procps"], "procps-ng", "procps-ng"),
];

/// What `bench` compares with. It does without what cannot be had, and says so.
pub(crate) const PEER_TOOLS: &[Tool] = &[
    tool("xdp-filter", &["xdp-tools"], "xdp-tools", "xdp-tools"),
    tool("nft", &["nftables"], "nftables", "nftables"),
    tool("ifconfig", &["net-tools"], "net-tools", "net-tools"),
];

/// What `vm` boots other kernels with, and makes a root for them.
pub(crate) const VM_TOOLS: &[Tool] = &[
    tool(
        "qemu-system-x86_64",
        &["qemu-system-x86"],
        "qemu-system-x86-core",
        "qemu-system-x86",
    ),
    tool(
        "debootstrap",
        &["debootstrap", "debian-archive-keyring"],
        "debootstrap",
        "debootstrap",
    ),
    tool("depmod", &["kmod"], "kmod", "kmod"),
    tool("xz", &["xz-utils"], "xz", "xz"),
];

/// Debian's compiler with `core` for BPF already in it.
pub(crate) const DEBIAN_COMPILER: &[&str] = &["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

const APT_INSTALL: &[&str] = &[
    "install",
    "-y",
    "--no-install-recommends",
    // Never trade a package the user has for one of these.
    "--no-remove",
];

/// How this machine installs packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    Apt,
    Dnf,
    Pacman,
    Unknown,
}

impl Manager {
    pub(crate) fn here() -> Self {
        [
            ("apt-get", Self::Apt),
            ("dnf", Self::Dnf),
            ("pacman", Self::Pacman),
        ]
        .into_iter()
        .find(|(program, _)| !process::on_path(program).is_empty())
        .map_or(Self::Unknown, |(_, manager)| manager)
    }

    /// The packages that hold these programs here, each once.
    pub(crate) fn packages(self, tools: &[&Tool]) -> Vec<&'static str> {
        let mut packages = Vec::new();
        for tool in tools {
            let names: &[&str] = match self {
                Self::Apt | Self::Unknown => tool.debian,
                Self::Dnf => &[tool.fedora],
                Self::Pacman => &[tool.arch],
            };
            for name in names {
                if !packages.contains(name) {
                    packages.push(*name);
                }
            }
        }
        packages
    }

    /// The command that installs packages, as text for people.
    pub(crate) fn install_command(self, packages: &[&str]) -> String {
        let packages = packages.join(" ");
        match self {
            Self::Apt => format!("apt-get {} {packages}", APT_INSTALL.join(" ")),
            Self::Dnf => format!("dnf install -y {packages}"),
            Self::Pacman => format!("pacman -S --needed --noconfirm {packages}"),
            Self::Unknown => format!(
                "(your package manager's install command) {packages} (Debian's names for them)"
            ),
        }
    }
}

/// The tools of the list that are not on this machine.
pub(crate) fn missing(tools: &'static [Tool]) -> Vec<&'static Tool> {
    tools
        .iter()
        .filter(|tool| process::on_path(tool.program).is_empty())
        .collect()
}

/// Whether apt, with the package lists it has now, could install a package.
pub(crate) fn apt_offers(package: &str, workspace: &Workspace) -> bool {
    process::answer(
        apt("apt-cache", workspace)
            .args(["policy", package])
            .env("LC_ALL", "C"),
    )
    .is_some_and(|text| has_candidate(&text))
}

fn has_candidate(policy: &str) -> bool {
    policy
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate: "))
        .any(|candidate| candidate != "(none)")
}

pub(crate) fn apt_update(workspace: &Workspace) -> Result<()> {
    require_root("apt-get update")?;
    process::run_quietly(apt("apt-get", workspace).args(["-q", "update"]))
        .context("package lists: cannot be refreshed: check the network and /etc/apt/sources.list*")
}

pub(crate) fn apt_install(packages: &[&str], workspace: &Workspace) -> Result<()> {
    let by_hand = Manager::Apt.install_command(packages);
    require_root(&by_hand)?;
    process::run_quietly(
        apt("apt-get", workspace)
            .arg("-q")
            .args(APT_INSTALL)
            .args(packages),
    )
    .with_context(|| {
        format!("packages: cannot be installed: run `{by_hand}` by hand to see and decide")
    })
}

fn apt(program: &str, workspace: &Workspace) -> Command {
    let mut command = process::isolated(program, workspace);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn require_root(command: &str) -> Result<()> {
    if !kernel::is_root()? {
        bail!("`{command}` needs root (EPERM): run it with sudo");
    }
    Ok(())
}

/// The distribution's name, for messages.
pub(crate) fn distribution() -> String {
    fs::read_to_string("/etc/os-release")
        .ok()
        .and_then(|text| pretty_name(&text))
        .unwrap_or_else(|| "this distribution".to_owned())
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_is_read_from_policy() {
        let check = |policy: &str, expected: bool| {
            assert_eq!(has_candidate(policy), expected, "{policy}");
        };
        check(
            "x:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1\n",
            true,
        );
        check("x:\n  Installed: (none)\n  Candidate: (none)\n", false);
        check("", false);
    }

    #[test]
    fn a_package_is_named_once() {
        let tools: Vec<&Tool> = RUNTIME_TOOLS
            .iter()
            .chain(PEER_TOOLS)
            .chain(VM_TOOLS)
            .collect();
        for manager in [Manager::Apt, Manager::Dnf, Manager::Pacman] {
            let mut packages = manager.packages(&tools);
            let named = packages.len();
            packages.sort_unstable();
            packages.dedup();
            assert_eq!(packages.len(), named, "{manager:?}");
        }
    }

    #[test]
    fn pretty_name_is_read_from_os_release() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(pretty_name(text).as_deref(), expected, "{text}");
        };
        check(
            "ID=x\nPRETTY_NAME=\"Some Linux 12\"\n",
            Some("Some Linux 12"),
        );
        check("ID=x\n", None);
    }
}
