//! What was saved and is not there yet: made when the device, the namespace or the `--to`
//! device that it needs appears.

use std::collections::{HashMap, HashSet};
use std::fs;

use alias_common::header::Header;

use crate::dataplane::Parent;
use crate::error::Result;
use crate::lifecycle::configuration::restore;
use crate::lifecycle::reconcile::events::Events;
use crate::lifecycle::way_back;
use crate::model::declaration::Declaration;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;
use crate::wiring::veth;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Devices of which something is missing.
    devices: HashSet<String>,
    /// What was said to be in the way of each.
    said: HashMap<String, Vec<String>>,
    /// What there was when it was tried last.
    seen: Vec<String>,
}

impl Wanted {
    /// Whether something has come or gone since.
    pub(super) fn is_due(&self) -> bool {
        self.seen != surroundings()
    }

    /// Adds the devices that came up and have no aliases, and those of which a restore has
    /// left something out.
    pub(super) fn note(&mut self, host: &mut Host, events: &Events) -> Result<()> {
        let has_some = |parent: &Parent| parent.live().next().is_some();
        for ifindex in &events.up {
            let link = host.netlink.link_by_index(*ifindex)?;
            let Some(link) = link.filter(|link| link.up && !veth::is_ours(link)) else {
                continue;
            };
            let parent = Parent::open(&host.directory, *ifindex)?;
            if !parent.as_ref().is_some_and(has_some) {
                self.devices.insert(link.name);
            }
        }
        for ifindex in host.directory.parents()? {
            let header = Parent::peek(&host.directory, ifindex).ok().flatten();
            let is_incomplete = header.is_some_and(|header| header.flags & Header::INCOMPLETE != 0);
            if is_incomplete && let Some(link) = host.netlink.link_by_index(ifindex)? {
                self.devices.insert(link.name);
            }
        }
        Ok(())
    }

    /// Makes what can be made now. Returns what there is to say, nothing twice.
    pub(super) fn restore(&mut self, host: &mut Host) -> Result<Vec<String>> {
        self.seen = surroundings();
        if self.devices.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = std::mem::take(&mut self.devices);
        // Read once, whatever has come up.
        let Some((declaration, types)) = restore::saved(host)? else {
            return Ok(Vec::new());
        };
        let mut done = Vec::new();
        for parent in declaration.parents {
            let link = host.netlink.link_by_name(&parent.name)?;
            let Some(link) = link.filter(|link| link.up && wanted.contains(&link.name)) else {
                continue;
            };
            let mut tx = Transaction::wait(host)?;
            let parents = vec![parent];
            let refused = restore::restore_each(&mut tx, &types, Declaration { parents });
            way_back::tell(tx.host);
            if refused.is_empty() {
                self.said.remove(&link.name);
                done.push(format!("{}: came up: restored what was saved", link.name));
                continue;
            }
            self.devices.insert(link.name.clone());
            let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
            if self.said.get(&link.name) != Some(&refused) {
                done.extend(refused.iter().cloned());
            }
            self.said.insert(link.name, refused);
        }
        Ok(done)
    }
}

/// Names of the namespaces that have some, and of the devices here: what something that is
/// wanted may wait for.
fn surroundings() -> Vec<String> {
    let listed = |directory: &str| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    let mut names: Vec<String> = listed("/run/netns").collect();
    // Not by sysfs, which may be another namespace's.
    let devices = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let devices = devices.lines().filter_map(|line| line.split_once(':'));
    names.extend(devices.map(|(name, _)| name.trim().to_owned()));
    names.sort_unstable();
    names
}
