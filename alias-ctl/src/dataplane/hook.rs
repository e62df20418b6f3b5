//! Where tc programs hang: tcx (Linux 6.6), or a clsact qdisc before it.
//!
//! On the parent a tcx program has a pinned link, which goes with the parent's
//! directory. On a `--to` device it has none, and is taken off by hand. clsact
//! knows no links: its filters go with the device, or by their name. Ports are not
//! here: they share one filter block (`netlink::traffic_control`).

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use alias_common::names;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcAttachType, TcError, TcHandle,
    qdisc_add_clsact, qdisc_detach_program,
};
use aya::programs::{ProgramError, SchedClassifier};

use super::directory::link_name;
use super::sys::{self, AttachType};

/// The kind of hook a parent and its `--to` devices use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// Programs without a qdisc.
    Tcx,
    /// Filters of a clsact qdisc.
    Clsact,
}

/// A device, by both its names.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// Its number.
    pub ifindex: u32,
    /// Its name, which clsact goes by.
    pub name: &'a str,
}

impl Hook {
    /// Hangs a program of a parent that is being put together on the parent.
    ///
    /// # Errors
    ///
    /// EINVAL for [`Hook::Tcx`] on a kernel that has none.
    pub fn hang_on_parent(
        self,
        draft: &Path,
        program: &str,
        device: Device<'_>,
        side: AttachType,
    ) -> io::Result<()> {
        match self {
            Hook::Tcx => {
                let fd = sys::obj_get(&draft.join(program))?;
                let link = sys::link_create(fd.as_fd(), device.ifindex, side, 0)?;
                sys::obj_pin(link.as_fd(), &draft.join(link_name(program)))
            }
            Hook::Clsact => {
                // What a killed attach left; filters of one name would add up.
                self.take_off(&draft.join(program), program, device, side)?;
                add_filter(&draft.join(program), program, device, side)
            }
        }
    }

    /// Hangs a pinned program on the ingress of a `--to` device; that it hangs there
    /// already is as good.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn hang(self, pin: &Path, program: &str, device: Device<'_>) -> io::Result<()> {
        match self {
            Hook::Tcx => {
                let fd = sys::obj_get(pin)?;
                match sys::prog_attach(fd.as_fd(), device.ifindex, AttachType::TcxIngress) {
                    Err(error) if error.raw_os_error() != Some(libc::EEXIST) => Err(error),
                    _ => Ok(()),
                }
            }
            Hook::Clsact => {
                self.take_off(pin, program, device, AttachType::TcxIngress)?;
                add_filter(pin, program, device, AttachType::TcxIngress)
            }
        }
    }

    /// Puts the next generation's program in the place of the one that hangs on the
    /// parent, between two packets; that it is there already, or that the device is
    /// gone, is as good. `pins` are the next generation's.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn replace_on_parent(
        self,
        pins: &Path,
        program: &str,
        device: Device<'_>,
        side: AttachType,
    ) -> io::Result<()> {
        let pin = pins.join(program);
        match self {
            Hook::Tcx => {
                let link = sys::obj_get(&pins.join(link_name(program)))?;
                match sys::link_update(link.as_fd(), sys::obj_get(&pin)?.as_fd()) {
                    Err(error) if error.raw_os_error() != Some(libc::ENOLINK) => Err(error),
                    _ => Ok(()),
                }
            }
            Hook::Clsact => replace_filter(&pin, program, device, side),
        }
    }

    /// The same on the ingress of a `--to` device.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn replace(
        self,
        old: &Path,
        new: &Path,
        program: &str,
        device: Device<'_>,
    ) -> io::Result<()> {
        const SIDE: AttachType = AttachType::TcxIngress;
        let (old, new) = (old.join(program), new.join(program));
        if self == Hook::Clsact {
            return replace_filter(&new, program, device, SIDE);
        }
        let replaced = sys::prog_replace(
            sys::obj_get(&old)?.as_fd(),
            sys::obj_get(&new)?.as_fd(),
            device.ifindex,
            SIDE,
        );
        match replaced.as_ref().map_err(io::Error::raw_os_error) {
            Err(Some(libc::EEXIST | libc::ENODEV)) => Ok(()),
            // Somebody took it off: it is needed there.
            Err(Some(libc::ENOENT)) => self.hang(&new, program, device),
            _ => replaced,
        }
    }

    /// Takes a program off a device; that it does not hang there, or that the
    /// device is gone, is as good.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn take_off(
        self,
        pin: &Path,
        program: &str,
        device: Device<'_>,
        side: AttachType,
    ) -> io::Result<()> {
        match self {
            Hook::Tcx => sys::prog_detach(sys::obj_get(pin)?.as_fd(), device.ifindex, side),
            Hook::Clsact => {
                // Every error of it means that there is nothing to detach: no
                // such device, no qdisc, no filter.
                let _ = qdisc_detach_program(device.name, tc_side(side), program);
                Ok(())
            }
        }
    }
}

fn tc_side(side: AttachType) -> TcAttachType {
    match side {
        AttachType::TcxEgress => TcAttachType::Egress,
        _ => TcAttachType::Ingress,
    }
}

/// Where our filters are among others'.
const PRIORITY: u16 = 0xa11a;

/// Which of them it is: so the next generation's can take its place.
fn handle(program: &str) -> TcHandle {
    let number = match program {
        names::ALIAS_DELIVER => 1,
        names::ALIAS_EGRESS => 2,
        _ => 3,
    };
    TcHandle::new(0, number)
}

/// Puts another program in the place of the filter of this name. Where there is none,
/// somebody took it off, or the qdisc with it: it is needed there. A device that is gone
/// is as good.
fn replace_filter(pin: &Path, name: &str, device: Device<'_>, side: AttachType) -> io::Result<()> {
    let mut program = SchedClassifier::from_pin(pin).map_err(kernels)?;
    let replaced =
        SchedClassifierLink::attached(device.name, tc_side(side), PRIORITY, handle(name), None)
            .and_then(|link| program.attach_to_link(link).map_err(kernels))
            .and_then(|id| program.take_link(id).map_err(kernels))
            .map(std::mem::forget);
    let replaced = match replaced.as_ref().map_err(io::Error::raw_os_error) {
        // No such filter, no qdisc.
        Err(Some(libc::ENOENT | libc::EINVAL)) => Hook::Clsact
            .take_off(pin, name, device, side)
            .and_then(|()| add_filter(pin, name, device, side)),
        _ => replaced,
    };
    match replaced {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        done => done,
    }
}

fn add_filter(pin: &Path, name: &str, device: Device<'_>, side: AttachType) -> io::Result<()> {
    // EEXIST: somebody's clsact is there, which serves as well.
    let _ = qdisc_add_clsact(device.name);
    let mut program = SchedClassifier::from_pin(pin).map_err(kernels)?;
    let options = TcAttachOptions::Netlink(NlOptions {
        priority: PRIORITY,
        handle: handle(name),
        ..NlOptions::default()
    });
    let link = program
        .attach_with_options(device.name, tc_side(side), options)
        .and_then(|id| program.take_link(id))
        .map_err(kernels)?;
    // Dropping the link would remove the filter.
    std::mem::forget(link);
    Ok(())
}

/// What the kernel said, which aya has wrapped.
fn kernels(error: ProgramError) -> io::Error {
    let errno = match &error {
        ProgramError::TcError(TcError::IoError(error)) => error.raw_os_error(),
        ProgramError::TcError(TcError::NetlinkError(error)) => error.raw_os_error(),
        _ => None,
    };
    errno.map_or_else(|| io::Error::other(error), io::Error::from_raw_os_error)
}
