//! The kernel's state of this namespace, as one pass sees it: read at most once
//! for all parents, and only what is asked for.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::error::Result;
use crate::netlink::{Address, Link};
use crate::wiring::host::Host;

/// See the module.
#[derive(Default)]
pub(super) struct Snapshot {
    links: OnceCell<HashMap<u32, Link>>,
    addresses: OnceCell<Vec<Address>>,
    pairs: OnceCell<HashSet<(u32, IpAddr)>>,
}

impl Snapshot {
    /// All links, by ifindex.
    pub(super) fn links(&self, host: &mut Host) -> Result<&HashMap<u32, Link>> {
        if self.links.get().is_none() {
            let links = host.netlink.links()?;
            let by_index = links.into_iter().map(|link| (link.ifindex, link));
            let _ = self.links.set(by_index.collect());
        }
        Ok(self.links.get_or_init(HashMap::new))
    }

    /// All addresses, those of a device in the kernel's order.
    pub(super) fn addresses(&self, host: &mut Host) -> Result<&Vec<Address>> {
        if self.addresses.get().is_none() {
            let _ = self.addresses.set(host.netlink.addresses(None)?);
        }
        Ok(self.addresses.get_or_init(Vec::new))
    }

    /// All addresses, each with its link.
    pub(super) fn has(&self, host: &mut Host) -> Result<&HashSet<(u32, IpAddr)>> {
        let found = self.addresses(host)?;
        let pairs = || found.iter().map(|found| (found.ifindex, found.address));
        Ok(self.pairs.get_or_init(|| pairs().collect()))
    }
}
