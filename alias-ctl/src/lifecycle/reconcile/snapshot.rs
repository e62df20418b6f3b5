//! The kernel's state of this namespace, as one pass sees it: read at most once
//! for all parents, and only what is asked for.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::error::Result;
use crate::netlink::Link;
use crate::wiring::host::Host;

/// See the module.
#[derive(Default)]
pub(super) struct Snapshot {
    links: OnceCell<HashMap<u32, Link>>,
    addresses: OnceCell<HashSet<(u32, IpAddr)>>,
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

    /// All addresses, each with its link.
    pub(super) fn addresses(&self, host: &mut Host) -> Result<&HashSet<(u32, IpAddr)>> {
        if self.addresses.get().is_none() {
            let found = host.netlink.addresses(None)?;
            let pairs = found.iter().map(|found| (found.ifindex, found.address));
            let _ = self.addresses.set(pairs.collect());
        }
        Ok(self.addresses.get_or_init(HashSet::new))
    }
}
