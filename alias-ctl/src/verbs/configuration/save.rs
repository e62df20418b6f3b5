//! `save`: what is running, as a configuration file.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::lifecycle::configuration::observe::{self, Names};
use crate::lifecycle::{families, transaction};
use crate::model::alias_request::Target;
use crate::model::declaration::{self, Attachment, Declaration, Hook, fold};
use crate::model::lifecycle::OnDown;
use crate::model::name::alias_name;
use crate::model::plan::Live;
use crate::netlink::Link;
use crate::store::{file, write};
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;
use crate::wiring::{local_network, peer};

/// `alias-ctl save`. It checks, reads and writes under one lock, so that no half-done
/// change is saved, and nothing older over what is newer.
///
/// # Errors
///
/// EINVAL for an alias that leads to what has no name, those of writing the file.
pub fn save(path: Option<PathBuf>) -> Result<()> {
    let mut host = Host::open()?;
    let mut tx = Transaction::wait(&mut host)?;
    let before = refuse_what_goes(tx.host)?;
    transaction::recover(&mut tx)?;
    refuse_what_went(tx.host, &before)?;
    let text = write::write(&running(tx.host)?, &families::rows(tx.host)?);
    let routes = local_network::made_through_aliases(&mut tx.host.netlink)?;
    // Under the lock: what another writer saves next is newer.
    file::write(&path.unwrap_or_else(file::default_path), &text)?;
    drop(tx);
    if routes > 0 {
        let _ = writeln!(
            io::stderr(),
            "alias-ctl: note: save: the file has no routes, and {routes} lead through aliases here (alias-ctl route -n): what makes them again is yours to keep"
        );
    }
    Ok(())
}

/// Aliases of a device that is down go with the next change, and would be missing from
/// a file that has them. Returns the devices whose aliases go when they go down, and how
/// many each has.
fn refuse_what_goes(host: &mut Host) -> Result<Vec<(u32, usize)>> {
    let mut before = Vec::new();
    for ifindex in host.directory.parents()? {
        let Some(link) = host.netlink.link_by_index(ifindex)? else {
            continue;
        };
        let Ok(Some(parent)) = Parent::open(&host.directory, ifindex) else {
            continue;
        };
        let count = parent.live().count();
        if host.on_down(&parent.header()) != OnDown::Delete || count == 0 {
            continue;
        }
        if !link.up {
            let reason = "it is down, and its aliases go with the next change";
            return Err(
                Refusal::new(&link.name, "save", reason, libc::ENETDOWN).hint(format!(
                    "nothing was saved; bring it up first: ip link set dev {0} up; or detach it: alias-ctl detach {0} --cascade",
                    link.name
                )),
            );
        }
        before.push((ifindex, count));
    }
    Ok(before)
}

/// A device that went down between the check and the look at it took its aliases along.
fn refuse_what_went(host: &mut Host, before: &[(u32, usize)]) -> Result<()> {
    for (ifindex, count) in before {
        let Some(link) = host.netlink.link_by_index(*ifindex)? else {
            continue;
        };
        let left =
            Parent::open(&host.directory, *ifindex)?.map_or(0, |parent| parent.live().count());
        if left < *count && !link.up {
            let reason = format!("it went down, and {} aliases with it", count - left);
            return Err(
                Refusal::new(&link.name, "save", reason, libc::ENETDOWN).hint(
                    "nothing was saved; bring it up and restore what was saved before: alias-ctl restore",
                ),
            );
        }
    }
    Ok(())
}

/// A limit below what is there already would refuse the file.
fn raise_limit(link: &Link, attachment: &mut Attachment, live: &[Live]) {
    let count = live.len() as u32;
    if let Some(limit) = attachment.max_aliases.filter(|limit| *limit < count) {
        attachment.max_aliases = Some(count);
        let _ = writeln!(
            io::stderr(),
            "alias-ctl: warning: {}: save: it has {count} aliases, over the limit {limit}: {count} is saved",
            link.name
        );
    }
}

/// Everything that is attached, in a form that makes it again.
fn running(host: &mut Host) -> Result<Declaration> {
    let names = Names::look_up(host)?;
    let mut declaration = Declaration::default();
    for ifindex in host.directory.parents()? {
        let Some(link) = host.netlink.link_by_index(ifindex)? else {
            continue;
        };
        let Some(parent) = Parent::open(&host.directory, ifindex)? else {
            continue;
        };
        let created: HashMap<u32, u64> = parent
            .live()
            .map(|(slot, record)| (slot, record.created))
            .collect();
        let (mut live, nameless) = observe::aliases(host, &link, &parent, &names)?;
        if let Some(nameless) = nameless {
            return Err(Refusal::new(
                alias_name(&link.name, nameless.slot),
                "save",
                nameless.reason,
                libc::EINVAL,
            )
            .hint("nothing was saved; name it (ip netns attach NAME PID), or delete the alias"));
        }
        live.sort_by_key(|alias| created.get(&alias.slot).copied());
        leave_out_found_macs(host, &link, &mut live)?;
        let mut attachment = observe::attachment(&parent);
        // What nobody chose is not written.
        attachment.log = attachment.log.filter(|level| *level != 0);
        attachment.tc = attachment.tc.filter(|tc| *tc == Hook::Clsact);
        raise_limit(&link, &mut attachment, &live);
        let aliases = live
            .into_iter()
            .map(|alias| (alias.slot, alias.address, alias.properties));
        declaration.parents.push(declaration::Parent {
            name: link.name,
            attachment,
            runs: fold(aliases),
        });
    }
    Ok(declaration)
}

/// The MAC of a veth's far end is found out anew when the alias is made again:
/// by then it may be another.
fn leave_out_found_macs(host: &mut Host, link: &Link, live: &mut [Live]) -> Result<()> {
    let mut found: HashMap<String, Option<[u8; 6]>> = HashMap::new();
    for alias in live {
        let Target::To { device, mac } = &mut alias.properties.target else {
            continue;
        };
        if mac.is_none() {
            continue;
        }
        if !found.contains_key(device) {
            let there = match host.netlink.link_by_name(device)? {
                Some(there) => peer::mac(host, &there)?.filter(|mac| *mac != link.mac),
                None => None,
            };
            found.insert(device.clone(), there);
        }
        if found[device] == *mac {
            *mac = None;
        }
    }
    Ok(())
}
