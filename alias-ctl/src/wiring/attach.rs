//! Attaching a parent: populate, pin, attach, and only then publish. Until the
//! last step, everything hangs on a draft directory whose removal undoes it.

use std::io;
use std::path::Path;

use alias_common::ABI_VERSION;
use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::limits::MAX_ALIASES;
use alias_common::link_local;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::dataplane::crowding::spreads;
use crate::dataplane::directory::WriteLock;
use crate::dataplane::engine::Place;
use crate::dataplane::header::{self, mode_flag, on_down_flag};
use crate::dataplane::losses::hear_losses;
use crate::dataplane::parent::Parent;
use crate::dataplane::pins::restrict;
use crate::dataplane::registry::Registered;
use crate::dataplane::shape::Extent;
use crate::dataplane::{cpus, listing, object};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::model::declaration::{Hook, Mode};
use crate::model::request::AttachSpec;
use crate::netlink::{Conversation, Link, hardware};

use super::hooks::Device;
use super::{engine, hearing};

/// Attaches a parent that is not attached.
///
/// # Errors
///
/// EBUSY for a foreign XDP program, EOPNOTSUPP for a driver without native XDP and a
/// kernel without tcx, else what the kernel said. Nothing is left behind.
pub fn attach(lock: &WriteLock, link: &Link, spec: &AttachSpec) -> Result<Parent> {
    let types = Registered::all(lock)?;
    let attach = |mode| {
        engine::refuse_foreign(link, mode)?;
        listing::make(lock)?;
        let draft = lock.begin(link.ifindex)?;
        let (header, extent) = populate(&draft, link, spec, mode, lock)?;
        let place = Place {
            path: &draft,
            name: &link.name,
            header: &header,
            extent,
        };
        place.follow(&types, lock)?;
        listing::insert(lock, &draft)?;
        interrupt::check(&link.name, "attach")?;
        lock.commit(link.ifindex)?;
        Parent::open(lock.directory(), link.ifindex)?.ok_or_else(|| gone(link))
    };
    let instead =
        |refusal: Refusal, mode, is_reason: fn(&Refusal) -> bool| match is_reason(&refusal) {
            true => attach(mode),
            false => Err(refusal),
        };
    let result = match spec.mode {
        Mode::BestEffort => attach(Mode::Native)
            .or_else(|refusal| instead(refusal, Mode::Tc, engine::driver_cannot))
            .or_else(|refusal| instead(refusal, Mode::Generic, engine::has_no_tcx)),
        chosen => attach(chosen),
    };
    if result.is_err() {
        tidy_own(lock)?;
    }
    result
}

fn gone(link: &Link) -> Refusal {
    Refusal::new(&link.name, "attach", "its pins vanished", libc::ENOENT)
}

fn populate(
    draft: &Path,
    link: &Link,
    spec: &AttachSpec,
    mode: Mode,
    lock: &WriteLock,
) -> Result<(Header, Extent)> {
    let refused = |what: &str, error: &io::Error| Refusal::io(&link.name, what.to_owned(), error);
    let rows = cpus::rows().map_err(|error| refused("count CPUs", &error))?;
    let mut header = Header {
        abi_version: ABI_VERSION,
        parent_ifindex: link.ifindex,
        max_aliases: spec.max_aliases.unwrap_or(MAX_ALIASES),
        hash_key: draw_hash_key()?,
        secret: random()?[0],
        interface_id: link_local::interface_id(random()?[0] as u32),
        mac: link.mac,
        log_level: spec.log_level,
        name: header::padded_name(&link.name),
        flags: spec.on_down.map_or(0, on_down_flag) | mode_flag(mode),
        ..Header::default()
    };
    let extent = Extent {
        capacity: spec.capacity,
        rows,
    };
    object::load(draft, &link.name, &header, extent)?;
    hear_losses(draft).map_err(|error| refused("attach to tracepoints", &error))?;
    // What is most often refused comes first. The index is empty, so that the
    // order in which programs start to run makes no difference to a packet.
    engine::attach(draft, link, mode)?;
    header.flags |= attach_tc(draft, link, spec.hook)?;
    let takes_tags_out = mode != Mode::Tc && takes_tags_out(link);
    if takes_tags_out {
        header.flags |= Header::RXVLAN_WAS_ON;
    }
    header::initialise(draft, &header)?;
    if takes_tags_out {
        // One that cannot be switched is left as it is; `doctor` says so.
        let _ = hardware::set_rx_vlan_offload(&link.name, false);
    }
    if let Some(parent) = Parent::open_at(draft.to_owned())? {
        parent.edit(lock)?.set_mac(link.mac);
    }
    restrict(draft)?;
    Ok((header, extent))
}

/// Hangs the parent's tc programs on tcx, or on clsact where there is no tcx or
/// the user wants it so. Returns the header's flag.
fn attach_tc(draft: &Path, link: &Link, wanted: Option<Hook>) -> Result<u32> {
    let device = Device {
        ifindex: link.ifindex,
        name: &link.name,
    };
    let both = |hook: Hook| {
        let [deliver, egress] = hook.on_parent(device);
        deliver.attach(draft)?;
        let second = egress.attach(draft);
        if second.is_err() {
            // A filter is not undone by unpinning its program.
            let _ = deliver.detach(draft);
        }
        second
    };
    match both(wanted.unwrap_or(Hook::Tcx)) {
        Ok(()) if wanted == Some(Hook::Clsact) => Ok(Header::CLSACT),
        Ok(()) => Ok(0),
        // tcx came with Linux 6.6.
        Err(refusal) if wanted.is_none() && refusal.errno == libc::EINVAL => {
            both(Hook::Clsact)?;
            Ok(Header::CLSACT)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Whether a link is the device that a parent's state was made for: it has the noted MAC.
/// The XDP link tells while it is attached; one that somebody detached looks like one whose
/// device was deleted, and a device that is made again under its name and number has
/// another MAC.
#[must_use]
pub fn is_noted(link: &Link, header: &Header) -> bool {
    link.mac == header.mac
}

/// A NIC that takes VLAN tags out of frames hides them from XDP: an alias would
/// get another VLAN's packets. On a veth the flag means nothing.
fn takes_tags_out(link: &Link) -> bool {
    let is_veth = link.kind.as_deref() == Some("veth");
    !is_veth && hardware::rx_vlan_offload(&link.name).unwrap_or(false)
}

/// A key that spreads addresses. It is as secret as any other: nine of ten do.
fn draw_hash_key() -> Result<HashKey> {
    const TRIES: u32 = 64;
    let mut key = HashKey::from_random(random()?);
    for _ in 1..TRIES {
        if spreads(&key) {
            break;
        }
        key = HashKey::from_random(random()?);
    }
    Ok(key)
}

fn random() -> Result<[u64; 3]> {
    let mut bytes = [[0; 8]; 3];
    // With no flags and fewer than 256 bytes the call fills all of them, once the kernel's
    // generator is seeded.
    getrandom(bytes.as_flattened_mut(), GetRandomFlags::empty())
        .map_err(|errno| Refusal::io("getrandom", "draw a hash key", &errno.into()))?;
    Ok(bytes.map(u64::from_ne_bytes))
}

/// Detaches a parent whose aliases are gone.
///
/// # Errors
///
/// That of removing its pins.
pub fn detach(lock: &WriteLock, parent: Parent, link: Option<&Link>) -> Result<()> {
    if let Some(link) = link
        && parent.header().flags & Header::RXVLAN_WAS_ON != 0
    {
        // The device may have lost the feature meanwhile: nothing to give back.
        let _ = hardware::set_rx_vlan_offload(&link.name, true);
    }
    if let Some(link) = link {
        hearing::release(&mut Conversation::new()?, link, &parent.header())?;
    }
    let ifindex = parent.ifindex();
    if let Some(link) = link {
        let device = Device {
            ifindex,
            name: &link.name,
        };
        for point in parent.hook().on_parent(device) {
            point.detach(parent.path())?;
        }
    }
    drop(parent);
    discard(lock, ifindex)
}

/// Removes a parent's directory: unpinning its links detaches its programs.
///
/// # Errors
///
/// That of removing it.
pub fn discard(lock: &WriteLock, ifindex: u32) -> Result<()> {
    lock.retire(ifindex)?;
    tidy(lock)
}

/// Removes what is half made or half removed; with the last parent goes what it
/// shared with others.
///
/// # Errors
///
/// That of removing it.
pub fn tidy(lock: &WriteLock) -> Result<()> {
    if lock.directory().has_drafts()? {
        // The drafts go last: should a kill come first, this is done again.
        listing::drop_strangers(lock)?;
        lock.clear_drafts()?;
    }
    lock.clear_shared()
}

/// The same for the calling thread's namespace, with what hangs on its devices by no
/// link that a draft's removal would detach.
///
/// # Errors
///
/// As for [`tidy`]; what the kernel refused.
pub fn tidy_own(lock: &WriteLock) -> Result<()> {
    let directory = lock.directory();
    for ifindex in directory.drafts()? {
        let draft = Parent::open_at(directory.draft(ifindex)).ok().flatten();
        if let Some(draft) = draft
            && draft.header().flags & Header::RXVLAN_WAS_ON != 0
        {
            let name = draft.header().name;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let _ = hardware::set_rx_vlan_offload(&String::from_utf8_lossy(name), true);
        }
        let name = format!("device {ifindex}");
        let device = Device {
            ifindex,
            name: &name,
        };
        for point in Hook::Clsact.on_parent(device) {
            point.detach(&directory.draft(ifindex))?;
        }
    }
    tidy(lock)
}
