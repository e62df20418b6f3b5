//! Attaching a parent: populate, pin, attach, and only then publish. Until the
//! last step, everything hangs on a draft directory whose removal undoes it.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use alias_common::ABI_VERSION;
use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::limits::MAX_ALIASES;
use alias_common::link_local;
use alias_common::names;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::dataplane::crowding::spreads;
use crate::dataplane::directory::WriteLock;
use crate::dataplane::engine::Place;
use crate::dataplane::header::{self, on_down_flag};
use crate::dataplane::losses::hear_losses;
use crate::dataplane::parent::Parent;
use crate::dataplane::pins::{link_name, restrict};
use crate::dataplane::probe::LINEAR_MTU;
use crate::dataplane::registry::Registered;
use crate::dataplane::shape::Extent;
use crate::dataplane::sys::{self, AttachType, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
use crate::dataplane::{cpus, elsewhere, listing, object};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::model::declaration::{Hook, Mode};
use crate::model::request::AttachSpec;
use crate::netlink::{Conversation, Link, hardware};

use super::hearing;
use super::hooks::Device;

/// Attaches a parent that is not attached.
///
/// # Errors
///
/// EBUSY for a foreign XDP program, EOPNOTSUPP for a driver without native XDP,
/// else what the kernel said. Nothing is left behind.
pub fn attach(lock: &WriteLock, link: &Link, spec: &AttachSpec) -> Result<Parent> {
    refuse_foreign_program(link)?;
    let types = Registered::all(lock)?;
    let attach = |generic| {
        listing::make(lock)?;
        let draft = lock.begin(link.ifindex)?;
        let (header, extent) = populate(&draft, link, spec, generic, lock)?;
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
    let result = match spec.mode {
        Mode::Native => attach(false),
        Mode::Generic => attach(true),
        Mode::BestEffort => attach(false).or_else(|refusal| match driver_cannot(&refusal) {
            true => attach(true),
            false => Err(refusal),
        }),
    };
    if result.is_err() {
        tidy_own(lock)?;
    }
    result
}

/// What the native mode is refused with: whether another would do better.
const NATIVE: &str = "attach in native mode";

/// Whether it was the driver that refused, for what it cannot do. What is refused for want
/// of rights or of memory is refused in any mode.
fn driver_cannot(refusal: &Refusal) -> bool {
    /// The kernel's own, of drivers that return it.
    const ENOTSUPP: i32 = 524;
    let is_driver = matches!(
        refusal.errno,
        libc::EOPNOTSUPP | ENOTSUPP | libc::EINVAL | libc::ERANGE | libc::E2BIG
    );
    refusal.operation == NATIVE && is_driver
}

fn gone(link: &Link) -> Refusal {
    Refusal::new(&link.name, "attach", "its pins vanished", libc::ENOENT)
}

/// A program that somebody else attached is never replaced.
fn refuse_foreign_program(link: &Link) -> Result<()> {
    let Some(xdp) = &link.xdp else { return Ok(()) };
    let name = sys::program_name(xdp.prog_id).unwrap_or_else(|_| "unknown".into());
    Err(Refusal::new(
        &link.name,
        "attach",
        format!(
            "another XDP program is attached: id {}, name {name}",
            xdp.prog_id
        ),
        libc::EBUSY,
    )
    .hint(elsewhere::take_off_hint(&link.name, xdp.prog_id)))
}

fn populate(
    draft: &Path,
    link: &Link,
    spec: &AttachSpec,
    generic: bool,
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
        flags: spec.on_down.map_or(0, on_down_flag) | if generic { Header::GENERIC } else { 0 },
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
    attach_xdp(draft, link, generic)?;
    header.flags |= attach_tc(draft, link, spec.hook)?;
    let takes_tags_out = takes_tags_out(link);
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

/// Attaches the XDP program again that another tool has detached. Index, records and
/// counters are as they were.
///
/// # Errors
///
/// EBUSY for a foreign program in its place, of which nothing is touched; else what the
/// kernel said.
pub fn reattach(link: &Link, parent: &Parent) -> Result<()> {
    let refused = |error: &io::Error| Refusal::io(&link.name, "attach again", error);
    let pin = parent.path().join(link_name(names::ALIAS_RX));
    // bpffs takes no dots in names.
    let draft = parent
        .path()
        .join(format!("{}_new", link_name(names::ALIAS_RX)));
    match sys::obj_get(&draft) {
        // A kill came between the two steps below.
        Ok(made) => {
            let info = sys::link_info(made.as_fd()).map_err(|error| refused(&error))?;
            if info.ifindex == link.ifindex {
                return fs::rename(&draft, &pin).map_err(|error| refused(&error));
            }
            fs::remove_file(&draft).map_err(|error| refused(&error))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(&error)),
    }
    refuse_foreign_program(link)?;
    let full = parent.path().join(names::ALIAS_RX_TYPES);
    let program = match full.exists() {
        true => full,
        false => parent.path().join(names::ALIAS_RX),
    };
    let generic = parent.header().flags & Header::GENERIC != 0;
    let flags = match generic {
        true => XDP_FLAGS_SKB_MODE,
        false => XDP_FLAGS_DRV_MODE,
    };
    sys::obj_get(&program)
        .and_then(|program| sys::link_create(program.as_fd(), link.ifindex, AttachType::Xdp, flags))
        .and_then(|made| sys::obj_pin(made.as_fd(), &draft))
        .and_then(|()| fs::rename(&draft, &pin))
        .map_err(|error| refused(&error))
}

/// Attaches and pins `alias_rx`; dropping the link before it is pinned would
/// detach it again.
fn attach_xdp(draft: &Path, link: &Link, generic: bool) -> Result<()> {
    let xdp = |flags| {
        let program = sys::obj_get(&draft.join(names::ALIAS_RX))?;
        let hung = sys::link_create(program.as_fd(), link.ifindex, AttachType::Xdp, flags)?;
        sys::obj_pin(hung.as_fd(), &draft.join(link_name(names::ALIAS_RX)))
    };
    if generic {
        xdp(XDP_FLAGS_SKB_MODE).map_err(|error| no_generic(link, &error))
    } else {
        xdp(XDP_FLAGS_DRV_MODE).map_err(|error| no_native(link, &error))
    }
}

fn no_native(link: &Link, error: &io::Error) -> Refusal {
    let driver = hardware::driver(&link.name).unwrap_or_else(|_| "unknown".into());
    let refusal = Refusal::io(&link.name, NATIVE, error);
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => Refusal {
            reason: format!("driver {driver} has no native XDP"),
            ..refusal
        }
        .hint("attach with --mode generic (slower) or --mode best-effort"),
        Some(libc::EINVAL | libc::ERANGE | libc::E2BIG) if link.mtu > LINEAR_MTU => Refusal {
            reason: format!("driver {driver} refuses it at MTU {}", link.mtu),
            ..refusal
        }
        .hint(format!(
            "ip link set dev {} mtu {LINEAR_MTU} (a frame then fits one page; some drivers want \
             less), or attach with --mode generic (slower)",
            link.name
        )),
        Some(libc::EINVAL | libc::ERANGE | libc::E2BIG) => Refusal {
            reason: format!("driver {driver} refuses it at MTU {}", link.mtu),
            ..refusal
        }
        .hint("lower the MTU, switch LRO off (ethtool -K DEVICE lro off), or attach with --mode generic (slower)"),
        Some(libc::EEXIST) => above(refusal),
        Some(libc::EBUSY) => refusal
            .hint("another XDP program came first, or the device is part of a bond or bridge"),
        _ => refusal.hint("see the kernel's log"),
    }
}

fn no_generic(link: &Link, error: &io::Error) -> Refusal {
    let refusal = Refusal::io(&link.name, "attach", error);
    match error.raw_os_error() {
        Some(libc::EEXIST) => above(refusal),
        _ => refusal,
    }
}

/// The kernel attaches no program below a device that has one (`dev_xdp_attach`).
fn above(refusal: Refusal) -> Refusal {
    let device = refusal.object.clone();
    Refusal {
        reason: "a device above it (VLAN, bond, bridge) has an XDP program".into(),
        ..refusal
    }
    .hint(format!(
        "attach the lower device first, or detach the one above; it is among: ls -d /sys/class/net/{device}/upper_*"
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_driver_cannot_is_a_reason_for_generic_mode() {
        for (operation, errno, expected) in [
            (NATIVE, libc::EOPNOTSUPP, true),
            (NATIVE, libc::EINVAL, true),
            (NATIVE, libc::EPERM, false),
            (NATIVE, libc::ENOMEM, false),
            (NATIVE, libc::EEXIST, false),
            ("load", libc::EINVAL, false),
            ("attach to tracepoints", libc::EOPNOTSUPP, false),
        ] {
            let refusal = Refusal::new("eth0", operation, "", errno);
            assert_eq!(driver_cannot(&refusal), expected, "{operation} {errno}");
        }
    }
}
