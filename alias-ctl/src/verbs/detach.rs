//! `detach`.

use std::io::{self, Write as _};

use crate::error::{Refusal, Result};
use crate::lifecycle::sweep::sweep_dead_namespaces;
use crate::lifecycle::upgrade::others;
use crate::lifecycle::{attachment, transaction};
use crate::model::request::Detach;
use crate::netlink::Netns;
use crate::wiring::host::Host;

/// `alias-ctl detach`.
///
/// # Errors
///
/// EBUSY when a device has aliases and they shall not go too. Of several devices the others
/// are detached all the same.
pub fn detach(asked: &Detach) -> Result<()> {
    if let Some(device) = &asked.device {
        let mut host = Host::open()?;
        let mut tx = transaction::begin(&mut host)?;
        return attachment::detach(&mut tx, device, asked.cascade);
    }
    let mut refusals = here(asked.cascade)?;
    if asked.all_netns {
        let own = Host::open()?.directory;
        for netns in Netns::all() {
            // What was detached meanwhile, as another name of one namespace, is in it no more.
            if others(&own)?.contains(&netns.cookie()?) {
                refusals.extend(netns.within(|| here(asked.cascade))??);
            }
        }
        sweep_dead_namespaces(&own)?;
        refusals.extend(others(&own)?.into_iter().map(|cookie| {
            Refusal::new(
                format!("network namespace with cookie {cookie}"),
                "detach",
                "devices are attached there still",
                libc::EBUSY,
            )
            .hint("go there, and look: alias-ctl show")
        }));
    }
    let last = refusals.pop();
    for refusal in refusals {
        let _ = writeln!(io::stderr(), "alias-ctl: {refusal}");
    }
    last.map_or(Ok(()), Err)
}

/// Every attached device of the calling thread's namespace; returns what was refused.
fn here(cascade: bool) -> Result<Vec<Refusal>> {
    let mut host = Host::open()?;
    let mut tx = transaction::begin(&mut host)?;
    let mut refusals = Vec::new();
    for ifindex in tx.host.directory.parents()? {
        // A device that has gone meanwhile is the next command's matter.
        let Some(link) = tx.host.netlink.link_by_index(ifindex)? else {
            continue;
        };
        refusals.extend(attachment::detach(&mut tx, &link.name, cascade).err());
    }
    Ok(refusals)
}
