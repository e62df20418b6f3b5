//! The wire between a guest's two network cards: two taps in a bridge, in a
//! network namespace of its own, where no device of this machine is. Taps give the
//! guest's driver what it has in real machines: several queues, and offloads.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// Of the namespaces; behind it comes the pid of the xtask that made it.
const PREFIX: &str = "alias-vm-";

/// Where iproute2 keeps the names of network namespaces.
const NAMESPACES: &str = "/run/netns";

/// As many as the guest has processors: the driver then has none left for XDP's own
/// transmissions, as on most rented machines.
const QUEUES: usize = 2;

/// A laid wire, which goes with this value.
pub(crate) struct Wire<'a> {
    namespace: String,
    workspace: &'a Workspace,
}

impl<'a> Wire<'a> {
    pub(crate) fn lay(workspace: &'a Workspace) -> Result<Self> {
        sweep(workspace);
        let namespace = format!("{PREFIX}{}", std::process::id());
        process::run_quietly(ip(workspace).args(["netns", "add", &namespace]))?;
        let wire = Self {
            namespace,
            workspace,
        };
        // The bridge itself says nothing: what is heard on the wire, a guest said.
        wire.inside("sysctl -qw net.ipv6.conf.default.disable_ipv6=1")?;
        // Where a firewall looks into bridges (br_netfilter, which Docker loads), frames
        // lose their padding on the way. A kernel without it has no such setting.
        for family in ["iptables", "ip6tables", "arptables"] {
            let setting = format!("net.bridge.bridge-nf-call-{family}");
            wire.inside(&format!("sysctl -qew {setting}=0"))?;
        }
        wire.inside("ip link add wire type bridge forward_delay 0 mcast_snooping 0")?;
        for card in ["card-a", "card-b"] {
            wire.inside(&format!(
                "ip tuntap add dev {card} mode tap multi_queue vnet_hdr"
            ))?;
            wire.inside(&format!("ip link set {card} master wire up"))?;
        }
        wire.inside("ip link set wire up")?;
        Ok(wire)
    }

    fn inside(&self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        process::run_quietly(
            ip(self.workspace)
                .args(["netns", "exec", &self.namespace])
                .args(words),
        )
    }

    /// Words that run a program at the wire.
    pub(crate) fn enter(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.namespace]
    }

    /// The emulator's words for both cards.
    pub(crate) fn cards(&self) -> Vec<String> {
        // Two interrupts for each queue, one for configuration, one for control.
        let vectors = 2 * QUEUES + 2;
        ["a", "b"]
            .iter()
            .flat_map(|card| {
                [
                    "-netdev".to_owned(),
                    format!(
                        "tap,id={card},ifname=card-{card},queues={QUEUES},script=no,downscript=no,vhost=off"
                    ),
                    "-device".to_owned(),
                    format!(
                        "virtio-net-pci,netdev={card},mq=on,vectors={vectors},mac=52:54:00:00:00:0{card}"
                    ),
                ]
            })
            .collect()
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        delete(&self.namespace, self.workspace);
    }
}

/// The cards where no wire can be laid: on one wire all the same, which the emulator
/// makes by itself, with one queue and no offloads.
pub(crate) fn plain_cards() -> Vec<String> {
    ["a", "b"]
        .iter()
        .flat_map(|card| {
            [
                "-netdev".to_owned(),
                format!("hubport,id={card},hubid=1"),
                "-device".to_owned(),
                format!("virtio-net-pci,netdev={card},mac=52:54:00:00:00:0{card}"),
            ]
        })
        .collect()
}

fn ip(workspace: &Workspace) -> Command {
    process::command("ip", workspace)
}

fn delete(namespace: &str, workspace: &Workspace) {
    let deleted = process::run_quietly(ip(workspace).args(["netns", "del", namespace]))
        .with_context(|| format!("vm: namespace {namespace} is left behind"));
    if let Err(error) = deleted {
        eprintln!("{error:#}");
    }
}

/// A run that was killed could not clean up.
fn sweep(workspace: &Workspace) {
    let names = fs::read_dir(NAMESPACES);
    for entry in names.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX);
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            delete(&name, workspace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cards_are_there_either_way() {
        let workspace = Workspace::locate().unwrap();
        // Never laid: nothing to delete.
        let wire = std::mem::ManuallyDrop::new(Wire {
            namespace: "none".to_owned(),
            workspace: &workspace,
        });
        for (words, backend) in [(wire.cards(), "tap,id="), (plain_cards(), "hubport,id=")] {
            let backends = words.iter().filter(|word| word.starts_with(backend));
            assert_eq!(backends.count(), 2, "{words:?}");
            assert_eq!(words.len(), 8, "{words:?}");
        }
    }
}
