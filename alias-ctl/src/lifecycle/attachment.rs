//! Attaches parents and detaches them, with their aliases if they shall go too.

use alias_common::limits::MAX_ALIASES;
use alias_common::record::State;

use crate::dataplane::Parent;
use crate::error::{Refusal, Result};
use crate::model::declaration::Mode;
use crate::model::request::{AttachSpec, DEFAULT_CAPACITY};
use crate::netlink::Link;
use crate::wiring::transaction::Transaction;
use crate::wiring::{attach, engine, veth};

use super::{grow, lost, retire, sweep};

/// Attaches a parent, as one of several changes.
///
/// # Errors
///
/// EEXIST when it is attached; those of [`attach::attach`].
pub fn attach(tx: &mut Transaction<'_>, device: &str, spec: &AttachSpec) -> Result<()> {
    let link = tx.host.link(device, "attach")?;
    if let Some(refusal) = tx.host.barred.get(&link.ifindex) {
        return Err(refusal.clone());
    }
    if Parent::open(&tx.host.directory, link.ifindex)?.is_some() {
        return Err(
            Refusal::new(device, "attach", "it is attached", libc::EEXIST).hint(format!(
                "see it: alias-ctl show {device}; to change it: alias-ctl set {device} --help"
            )),
        );
    }
    attach_link(tx, &link, spec).map(drop)
}

/// Opens the state of a parent, attaching it with room for so many aliases when it is not.
///
/// # Errors
///
/// Those of [`attach::attach`].
pub fn open_or_attach(tx: &mut Transaction<'_>, link: &Link, count: u64) -> Result<Parent> {
    if let Some(refusal) = tx.host.barred.get(&link.ifindex) {
        return Err(refusal.clone());
    }
    match Parent::open(&tx.host.directory, link.ifindex)? {
        Some(parent) if !parent.is_alive() => {
            // It was tried: what is in its place is somebody else's.
            engine::reattach(link, &parent)?;
            Ok(parent)
        }
        Some(parent) => Ok(parent),
        None => {
            let spec = AttachSpec {
                mode: Mode::Native,
                // More than fit any parent are refused when they are looked at.
                capacity: u32::try_from(count)
                    .ok()
                    .filter(|count| *count <= MAX_ALIASES)
                    .map_or(DEFAULT_CAPACITY, |count| count.max(DEFAULT_CAPACITY)),
                max_aliases: None,
                log_level: 0,
                on_down: None,
                hook: None,
            };
            attach_link(tx, link, &spec)
        }
    }
}

fn attach_link(tx: &mut Transaction<'_>, link: &Link, spec: &AttachSpec) -> Result<Parent> {
    const ARPHRD_ETHER: u16 = 1;
    tx.host.check_version(link, "attach")?;
    if link.hardware_type != ARPHRD_ETHER {
        return Err(Refusal::new(
            &link.name,
            "attach",
            "it is no Ethernet device",
            libc::EINVAL,
        )
        .hint("aliases live on devices with Ethernet frames"));
    }
    if veth::is_ours(link) {
        return Err(Refusal::new(
            &link.name,
            "attach",
            "it is an alias's own device",
            libc::EINVAL,
        )
        .hint("aliases live on main devices"));
    }
    grow::check_capacity(link, spec.capacity, "attach")?;
    sweep::sweep_dead_namespaces(&tx.host.directory)?;
    let link = lost::free(tx, link)?;
    attach::attach(tx.lock(), &link, spec)
}

/// Detaches a parent, as one of several changes.
///
/// # Errors
///
/// EBUSY when it has aliases and they shall not go too.
pub fn detach(tx: &mut Transaction<'_>, device: &str, cascade: bool) -> Result<()> {
    let link = tx.host.link(device, "detach")?;
    let parent = tx.host.attached(&link, "detach")?;
    let slots: Vec<u32> = parent.in_state(State::Live).map(|(slot, _)| slot).collect();
    if !slots.is_empty() && !cascade {
        return Err(Refusal::new(
            device,
            "detach",
            format!("it has {} aliases", slots.len()),
            libc::EBUSY,
        )
        .hint(format!(
            "delete them too: alias-ctl detach {device} --cascade"
        )));
    }
    let mut on = tx.on(&link, &parent)?;
    on.parent.set_unfinished(true);
    retire::retire(&mut on, &slots)?;
    attach::detach(tx.lock(), parent, Some(&link))
}
