//! Where a parent's engine is attached: as XDP, in the driver or in the kernel's generic
//! hook, or as tcx.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use alias_common::names;

use crate::dataplane::parent::Parent;
use crate::dataplane::pins::link_name;
use crate::dataplane::probe::{self, LINEAR_MTU};
use crate::dataplane::sys::{
    self, AttachType, BPF_F_BEFORE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE,
};
use crate::dataplane::{elsewhere, header};
use crate::error::{Refusal, Result};
use crate::model::declaration::Mode;
use crate::netlink::{Link, hardware};

/// Attaches and pins the engine; dropping the link before it is pinned would detach it
/// again.
///
/// # Errors
///
/// EOPNOTSUPP for a driver without native XDP or a kernel without tcx; else what the kernel
/// said.
pub fn attach(draft: &Path, link: &Link, mode: Mode) -> Result<()> {
    let made = || {
        let program = sys::obj_get(&draft.join(names::ALIAS_RX))?;
        let made = link_up(program.as_fd(), link, mode)?;
        sys::obj_pin(made.as_fd(), &draft.join(link_name(names::ALIAS_RX)))
    };
    made().map_err(|error| match mode {
        Mode::Native | Mode::BestEffort => no_native(link, &error),
        Mode::Generic => no_generic(link, &error),
        Mode::Tc => no_tc(link, &error),
    })
}

/// Links a program to where the engine of a mode stands: at tc before all others, so that
/// `alias_deliver` comes behind it.
fn link_up(program: BorrowedFd<'_>, link: &Link, mode: Mode) -> io::Result<OwnedFd> {
    let (at, flags) = match mode {
        Mode::Native | Mode::BestEffort => (AttachType::Xdp, XDP_FLAGS_DRV_MODE),
        Mode::Generic => (AttachType::Xdp, XDP_FLAGS_SKB_MODE),
        Mode::Tc => (AttachType::TcxIngress, BPF_F_BEFORE),
    };
    sys::link_create(program, link.ifindex, at, flags)
}

fn no_tc(link: &Link, error: &io::Error) -> Refusal {
    let refusal = Refusal::io(&link.name, TC, error);
    match error.raw_os_error() {
        // The attach type is unknown to it.
        Some(libc::EINVAL) => Refusal {
            reason: "this kernel has no tcx".into(),
            errno: libc::EOPNOTSUPP,
            ..refusal
        }
        .hint("tcx came with Linux 6.6; attach with --mode generic"),
        _ => refusal,
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
        .hint(format!(
            "attach with {} or --mode best-effort",
            other_mode()
        )),
        Some(libc::EINVAL | libc::ERANGE | libc::E2BIG) if link.mtu > LINEAR_MTU => Refusal {
            reason: format!("driver {driver} refuses it at MTU {}", link.mtu),
            ..refusal
        }
        .hint(format!(
            "ip link set dev {} mtu {LINEAR_MTU} (a frame then fits one page; some drivers want \
             less), or attach with {}",
            link.name,
            other_mode()
        )),
        Some(libc::EINVAL | libc::ERANGE | libc::E2BIG) => Refusal {
            reason: format!("driver {driver} refuses it at MTU {}", link.mtu),
            ..refusal
        }
        .hint(format!(
            "lower the MTU, switch LRO off (ethtool -K DEVICE lro off), or attach with {}",
            other_mode()
        )),
        Some(libc::EEXIST) => above(refusal),
        Some(libc::EBUSY) => refusal
            .hint("another XDP program came first, or the device is part of a bond or bridge"),
        _ => refusal.hint("see the kernel's log"),
    }
}

/// The mode for who cannot have the native one, or should not, on this kernel.
#[must_use]
pub fn other_mode() -> &'static str {
    match probe::has_tcx().unwrap_or(false) {
        true => "--mode tc",
        false => "--mode generic (slower)",
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

/// Attaches the engine again that another tool has detached. Index, records and
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
    let mode = header::mode(&parent.header());
    refuse_foreign(link, mode)?;
    let full = parent.path().join(names::ALIAS_RX_TYPES);
    let program = match full.exists() {
        true => full,
        false => parent.path().join(names::ALIAS_RX),
    };
    sys::obj_get(&program)
        .and_then(|program| link_up(program.as_fd(), link, mode))
        .and_then(|made| sys::obj_pin(made.as_fd(), &draft))
        .and_then(|()| fs::rename(&draft, &pin))
        .map_err(|error| refused(&error))
}

/// A program that somebody else attached is never replaced. At tc there is room for all.
///
/// # Errors
///
/// EBUSY, with the program's id and name.
pub fn refuse_foreign(link: &Link, mode: Mode) -> Result<()> {
    let Some(xdp) = link.xdp.as_ref().filter(|_| mode != Mode::Tc) else {
        return Ok(());
    };
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

/// What the native mode is refused with: whether another would do better.
const NATIVE: &str = "attach in native mode";

/// Whether it was the driver that refused, for what it cannot do. What is refused for want
/// of rights or of memory is refused in any mode.
#[must_use]
pub fn driver_cannot(refusal: &Refusal) -> bool {
    /// The kernel's own, of drivers that return it.
    const ENOTSUPP: i32 = 524;
    let is_driver = matches!(
        refusal.errno,
        libc::EOPNOTSUPP | ENOTSUPP | libc::EINVAL | libc::ERANGE | libc::E2BIG
    );
    refusal.operation == NATIVE && is_driver
}

/// What mode tc is refused with by a kernel that has no tcx.
const TC: &str = "attach in mode tc";

/// Whether it was the kernel that refused mode tc, for want of tcx.
#[must_use]
pub fn has_no_tcx(refusal: &Refusal) -> bool {
    refusal.operation == TC && refusal.errno == libc::EOPNOTSUPP
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
