//! `ifconfig eth0 …`: the device itself, its own addresses, and aliases that are
//! named by their address.

use std::net::{IpAddr, Ipv4Addr};

use alias_common::key::Vlan;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::lifecycle::delete::{self, Staying};
use crate::lifecycle::reconcile::events::{Events, Extent};
use crate::lifecycle::{reconcile, transaction};
use crate::model::ifconfig::{
    AddressChange, Broadcast, Configure, Given, Length, LinkChange, Mask, broadcast_of,
};
use crate::model::name::alias_name;
use crate::model::request::Victims;
use crate::netlink::{Address, AddressSpec, Link, LinkSettings, Request};
use crate::render::output;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;
use crate::wiring::veth;

use super::addresses::{find, is_own, own_address, remove};
use super::{alias, label};

/// Changes a device: what is refused in the end, undoes what came before.
pub(super) fn configure(tx: &mut Transaction<'_>, link: &Link, asked: &Configure) -> Result<()> {
    let mut change = asked.link;
    if matches!(asked.address, Some(AddressChange::Assign(_))) && change.up.is_none() {
        // As ifconfig always did.
        change.up = Some(true);
    }
    let goes_down = change.up == Some(false);
    if goes_down {
        change.up = None;
    }
    if veth::is_ours(link) && asked.address.is_some() {
        return Err(Refusal::new(
            &link.name,
            "ifconfig",
            "it is an alias's own device, which has its alias's address",
            libc::EINVAL,
        )
        .hint("nothing was changed; name the alias"));
    }
    let made = match asked.address {
        Some(
            AddressChange::Add(given)
            | AddressChange::AddFirst(given)
            | AddressChange::AddLogical(given),
        ) => Some(given),
        _ => None,
    };
    if let Some(given) = made {
        label::refuse_loopback(link, &link.name, &given)?;
    }
    if asked.deprecated.is_some() && made.is_none() {
        return Err(Refusal::new(
            "deprecated",
            "ifconfig",
            "it is said of an alias, not of a device",
            libc::EOPNOTSUPP,
        )
        .hint(format!(
            "nothing was changed; name an alias: {0}:0; of its own address: ip addr change ADDRESS dev {0} \
             preferred_lft 0",
            link.name
        )));
    }
    if !asked.tcp.is_empty() && made.is_none() {
        return Err(Refusal::new(
            &link.name,
            "ifconfig",
            "TCP options are an alias's, not a device's",
            libc::EOPNOTSUPP,
        )
        .hint(format!(
            "nothing was changed; name an alias: {}:0",
            link.name
        )));
    }
    let before = apply(tx, link, &change)?;
    let now = tx.host.link(&link.name, "ifconfig")?;
    if let Err(refusal) = addresses(tx, &now, asked) {
        // What cannot be put back either is not worth a second message.
        let _ = apply(tx, &now, &before);
        return Err(refusal);
    }
    if goes_down {
        tx.host.netlink.run(Request::set_down(link.ifindex))?;
        // What becomes of its aliases is not left to the next command: it may come
        // when the device is up again, and nothing tells that it was down.
        reconcile::reconcile(tx, &Events::default(), Extent::Whole)?;
    }
    Ok(())
}

/// Changes the device's properties and returns what undoes it.
fn apply(tx: &mut Transaction<'_>, link: &Link, change: &LinkChange) -> Result<LinkChange> {
    let flags = [
        (libc::IFF_UP, change.up),
        (libc::IFF_NOARP, change.arp.map(|arp| !arp)),
        (libc::IFF_PROMISC, change.promisc),
        (libc::IFF_ALLMULTI, change.allmulti),
        (libc::IFF_MULTICAST, change.multicast),
    ];
    let mut settings = LinkSettings {
        mtu: change.mtu,
        tx_queue_len: change.tx_queue_len,
        mac: change.mac,
        ..LinkSettings::default()
    };
    for (flag, wanted) in flags {
        let flag = flag.cast_unsigned();
        if let Some(wanted) = wanted {
            settings.mask |= flag;
            settings.flags |= if wanted { flag } else { 0 };
        }
    }
    let was = |flag: libc::c_int| link.flags & flag.cast_unsigned() != 0;
    let before = LinkChange {
        up: change.up.map(|_| link.up),
        arp: change.arp.map(|_| !was(libc::IFF_NOARP)),
        promisc: change.promisc.map(|_| was(libc::IFF_PROMISC)),
        allmulti: change.allmulti.map(|_| was(libc::IFF_ALLMULTI)),
        multicast: change.multicast.map(|_| was(libc::IFF_MULTICAST)),
        mtu: change.mtu.map(|_| link.mtu),
        tx_queue_len: change.tx_queue_len.map(|_| link.tx_queue_len),
        mac: change.mac.map(|_| link.mac),
    };
    if settings == LinkSettings::default() || before == *change {
        return Ok(before);
    }
    let request = Request::configure(link.ifindex, &settings).about(&link.name);
    if let Err(refused) = tx.host.netlink.run(request) {
        let undo = LinkSettings {
            flags: link.flags,
            mtu: before.mtu,
            tx_queue_len: before.tx_queue_len,
            mac: before.mac,
            ..settings
        };
        // The kernel stops at what it refuses; the rest is taken back.
        let _ = tx.host.netlink.run(Request::configure(link.ifindex, &undo));
        return Err(refused.into());
    }
    if before.mac != change.mac || before.mtu != change.mtu {
        // Alias devices have their parent's.
        transaction::recover(tx)?;
    }
    Ok(before)
}

fn addresses(tx: &mut Transaction<'_>, link: &Link, asked: &Configure) -> Result<()> {
    match asked.address {
        None | Some(AddressChange::Delete) => Ok(()),
        Some(AddressChange::Add(given)) => alias::put(tx, link, None, &given, asked).map(drop),
        Some(AddressChange::AddFirst(given)) => {
            alias::put(tx, link, None, &given, asked)?;
            alias::note(&format!(
                "firstalias: no alias is before the others; who shall be a route's source: \
                 ip route change NETWORK dev {} src {}",
                link.name, given.address
            ));
            Ok(())
        }
        Some(AddressChange::AddLogical(given)) => {
            let slot = alias::put(tx, link, None, &given, asked)?;
            let name = alias_name(&link.name, slot);
            output::write(&format!("Created new logical interface {name}\n"))
        }
        Some(AddressChange::Assign(given)) => assign(tx.host, link, &given),
        Some(AddressChange::Remask(mask, broadcast)) => {
            let own = own_address(tx.host, link)?.ok_or_else(|| no_address(link))?;
            let given = Given {
                address: own.address,
                length: match mask {
                    Some(Mask::Bits(bits)) if bits > 32 => return Err(no_address(link)),
                    Some(Mask::Bits(bits)) => Length::Said(bits),
                    Some(Mask::Known) => Length::Known(own.prefix_len),
                    None => Length::Said(own.prefix_len),
                },
                broadcast,
            };
            assign(tx.host, link, &given)
        }
        Some(AddressChange::Remove(address)) => {
            if alias::slot_of(tx.host, link, address)?.is_some() {
                // It is named: then it goes, whoever put it there.
                for staying in delete_alias(tx, link, address)? {
                    remove(tx.host, link, &staying.address)?;
                }
                return Ok(());
            }
            let found = find(tx.host, link, address)?;
            remove(tx.host, link, &found)
        }
        Some(AddressChange::RemoveLogical(address)) => {
            if alias::slot_of(tx.host, link, address)?.is_none() {
                find(tx.host, link, address)?;
                return Err(Refusal::new(
                    address.to_string(),
                    "removeif",
                    format!("it is an address of {}, and no alias's", link.name),
                    libc::EINVAL,
                )
                .hint(format!(
                    "nothing was changed; if it shall go: alias-ctl ifconfig {} {address} delete",
                    link.name
                )));
            }
            let staying = delete_alias(tx, link, address)?;
            alias::leave(tx.host, link, staying)
        }
        Some(AddressChange::Del(address)) => {
            if alias::slot_of(tx.host, link, address)?.is_some() {
                let staying = delete_alias(tx, link, address)?;
                return alias::leave(tx.host, link, staying);
            }
            let found = find(tx.host, link, address)?;
            if is_own(link, &found) {
                aliases_first(tx, link, asked)?;
            }
            remove(tx.host, link, &found)
        }
        Some(AddressChange::Clear) => {
            let Some(own) = own_address(tx.host, link)? else {
                return Ok(());
            };
            aliases_first(tx, link, asked)?;
            remove(tx.host, link, &own)
        }
    }
}

fn delete_alias(tx: &mut Transaction<'_>, link: &Link, address: IpAddr) -> Result<Vec<Staying>> {
    let victims = Victims::Address {
        device: link.name.clone(),
        address: address.into(),
        vlan: Vlan::NONE,
    };
    delete::delete_aliases(tx, &victims)
}

fn no_address(link: &Link) -> Refusal {
    Refusal::new(
        &link.name,
        "ifconfig",
        "it has no IPv4 address of its own whose mask could change",
        libc::EADDRNOTAVAIL,
    )
    .hint("nothing was changed; name the address too")
}

/// System V: the device's own address goes after its aliases.
fn aliases_first(tx: &mut Transaction<'_>, link: &Link, asked: &Configure) -> Result<()> {
    let parent = Parent::open(&tx.host.directory, link.ifindex)?;
    let count = parent.map_or(0, |parent| parent.live().count());
    if count == 0 {
        return Ok(());
    }
    if asked.cascade {
        return delete::delete(tx, &Victims::All(link.name.clone()));
    }
    Err(Refusal::new(
        &link.name,
        "delete its address",
        format!("it has {count} aliases"),
        libc::EBUSY,
    )
    .hint("nothing was changed; delete them first, or say --cascade"))
}

/// Gives the device another address of its own: the new one comes before the old
/// one goes.
fn assign(host: &mut Host, link: &Link, given: &Given) -> Result<()> {
    let IpAddr::V4(v4) = given.address else {
        return Err(Refusal::new(
            given.address.to_string(),
            "ifconfig",
            "a device has no first IPv6 address that could be replaced",
            libc::EINVAL,
        )
        .hint("nothing was changed; say add, or alias"));
    };
    if alias::slot_of(host, link, given.address)?.is_some() {
        return Err(Refusal::new(
            given.address.to_string(),
            "ifconfig",
            format!("it is the address of an alias of {}", link.name),
            libc::EEXIST,
        )
        .hint("nothing was changed; delete that alias first"));
    }
    let old = own_address(host, link)?;
    let prefix_len = alias::prefix_len(host, link, given)?;
    let broadcast = match given.broadcast {
        Some(Broadcast::Said(broadcast)) => Some(broadcast),
        Some(Broadcast::Network) => Some(broadcast_of(v4, prefix_len)),
        None => None,
    };
    let new = AddressSpec {
        ifindex: link.ifindex,
        address: given.address,
        prefix_len,
        label: Some(link.name.clone()),
        no_prefix_route: false,
        metric: None,
        no_dad: false,
        deprecated: false,
        host_scope: false,
        broadcast: broadcast.or_else(|| default_broadcast(link, v4, prefix_len)),
        protocol: 0,
    };
    let same = |old: &Address| (old.address, old.prefix_len) == (new.address, new.prefix_len);
    match old {
        None => Ok(host.netlink.run(Request::add_address(&new))?),
        Some(old) if same(&old) && broadcast.is_none_or(|b| old.broadcast == Some(b)) => Ok(()),
        // Only the broadcast address differs, and the kernel changes none in place.
        Some(old) if same(&old) => {
            remove(host, link, &old)?;
            let added = host.netlink.run(Request::add_address(&new));
            if added.is_err() {
                let old = AddressSpec {
                    broadcast: old.broadcast,
                    ..new
                };
                let _ = host.netlink.run(Request::add_address(&old));
            }
            Ok(added?)
        }
        Some(old) => {
            host.netlink.run(Request::add_address(&new))?;
            let removed = remove(host, link, &old);
            if removed.is_err() {
                // The first refusal is the one to tell.
                let _ = host.netlink.run(Request::delete_address(&new));
            }
            removed
        }
    }
}

/// What the kernel gives an address that ifconfig sets.
fn default_broadcast(link: &Link, address: Ipv4Addr, prefix_len: u8) -> Option<Ipv4Addr> {
    let broadcasts = link.flags & libc::IFF_BROADCAST.cast_unsigned() != 0;
    (broadcasts && prefix_len < 31).then(|| broadcast_of(address, prefix_len))
}
