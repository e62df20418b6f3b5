//! `ifconfig eth0 …`: the device itself, its own addresses, and aliases that are
//! named by their address.

use std::net::{IpAddr, Ipv4Addr};

use alias_common::key::Vlan;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::lifecycle::delete;
use crate::lifecycle::reconcile::events::{Events, Extent};
use crate::lifecycle::{reconcile, transaction};
use crate::model::bits::network;
use crate::model::ifconfig::{AddressChange, Configure, Given, LinkChange, broadcast_of};
use crate::model::request::Victims;
use crate::netlink::{Address, AddressSpec, Link, LinkSettings, Request, sysctl};
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;
use crate::wiring::veth;

use super::alias;

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
    if !asked.tcp.is_empty() && !matches!(asked.address, Some(AddressChange::Add(_))) {
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
        Some(AddressChange::Add(given)) => alias::put(tx, link, None, &given, &asked.tcp),
        Some(AddressChange::Assign(given)) => assign(tx.host, link, &given),
        Some(AddressChange::Remask(mask, broadcast)) => {
            let own = own_address(tx.host, link)?.ok_or_else(|| no_address(link))?;
            let given = Given {
                address: own.address,
                prefix_len: mask.unwrap_or(own.prefix_len),
                broadcast,
            };
            if given.prefix_len > 32 {
                return Err(no_address(link));
            }
            assign(tx.host, link, &given)
        }
        Some(AddressChange::Remove(address)) => {
            if alias::slot_of(tx.host, link, address)?.is_some() {
                return delete_alias(tx, link, address);
            }
            let found = find(tx.host, link, address)?;
            remove(tx.host, link, &found)
        }
        Some(AddressChange::Del(address)) => {
            if alias::slot_of(tx.host, link, address)?.is_some() {
                return delete_alias(tx, link, address);
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

fn delete_alias(tx: &mut Transaction<'_>, link: &Link, address: IpAddr) -> Result<()> {
    let victims = Victims::Address {
        device: link.name.clone(),
        address: address.into(),
        vlan: Vlan::NONE,
    };
    delete::delete(tx, &victims)
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

/// The device's own: not an alias's label, and so nobody's alias.
fn is_own(link: &Link, address: &Address) -> bool {
    address
        .label
        .as_deref()
        .is_none_or(|label| label == link.name)
}

/// The address that `ifconfig eth0 …` means: the first IPv4 one that is the
/// device's own.
fn own_address(host: &mut Host, link: &Link) -> Result<Option<Address>> {
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let parent = Parent::open(&host.directory, link.ifindex)?;
    let is_alias = |address: &Address| {
        // A long label is cut by nobody: such an alias has the device's.
        let slot = parent
            .as_ref()
            .and_then(|p| p.slot_of(address.address, Vlan::NONE));
        slot.is_some() && address.prefix_len == 32
    };
    let mut own = addresses
        .into_iter()
        .filter(|address| address.address.is_ipv4() && is_own(link, address));
    Ok(own.find(|address| !is_alias(address)))
}

fn find(host: &mut Host, link: &Link, address: IpAddr) -> Result<Address> {
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let found = addresses.into_iter().find(|found| found.address == address);
    found.ok_or_else(|| alias::absent(link, address))
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
    let new = AddressSpec {
        ifindex: link.ifindex,
        address: given.address,
        prefix_len: given.prefix_len,
        label: Some(link.name.clone()),
        no_prefix_route: false,
        metric: None,
        no_dad: false,
        broadcast: given
            .broadcast
            .or_else(|| default_broadcast(link, v4, given.prefix_len)),
    };
    let same = |old: &Address| (old.address, old.prefix_len) == (new.address, new.prefix_len);
    match old {
        None => Ok(host.netlink.run(Request::add_address(&new))?),
        Some(old) if same(&old) && given.broadcast.is_none_or(|b| old.broadcast == Some(b)) => {
            Ok(())
        }
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

/// Removes one address and no other: without this the kernel removes all of the
/// same subnet that came after a subnet's first.
fn remove(host: &mut Host, link: &Link, address: &Address) -> Result<()> {
    let subnet = |of: &Address| (of.prefix_len, network(of.address, of.prefix_len));
    let addresses = host.netlink.addresses(Some(link.ifindex))?;
    let depend = !address.is_secondary()
        && addresses
            .iter()
            .any(|other| other.is_secondary() && subnet(other) == subnet(address));
    let _promotion = if depend { Promotion::of(link)? } else { None };
    Ok(host.netlink.run(Request::delete_address(&address.spec()))?)
}

/// Makes the kernel promote secondary addresses while it lives.
struct Promotion {
    path: String,
}

impl Promotion {
    /// `None`: it does so anyway.
    fn of(link: &Link) -> Result<Option<Promotion>> {
        let path = |of: &str| format!("ipv4/conf/{of}/promote_secondaries");
        let on = |path: &str| Ok::<_, Refusal>(sysctl::read(path)? != "0");
        let own = path(&link.name);
        if on(&own)? || on(&path("all"))? {
            return Ok(None);
        }
        sysctl::write(&own, "1")?;
        Ok(Some(Promotion { path: own }))
    }
}

impl Drop for Promotion {
    fn drop(&mut self) {
        // Left on, it spares an address one day; there is nobody to tell.
        let _ = sysctl::write(&self.path, "0");
    }
}
