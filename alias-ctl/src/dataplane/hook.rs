//! Where tc programs hang: tcx (Linux 6.6), or a clsact qdisc before it.
//!
//! On the parent a tcx program has a pinned link, which goes with the parent's
//! directory. On a `--to` device it has none, and is taken off by hand. clsact
//! knows no links: its filters go with the device, or by their name. Ports are not
//! here: they share one filter block (`netlink::traffic_control`).

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use aya::programs::SchedClassifier;
use aya::programs::tc::{
    NlOptions, TcAttachOptions, TcAttachType, qdisc_add_clsact, qdisc_detach_program,
};

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
                add_filter(&draft.join(program), device, side)
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
                add_filter(pin, device, AttachType::TcxIngress)
            }
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

fn add_filter(pin: &Path, device: Device<'_>, side: AttachType) -> io::Result<()> {
    // EEXIST: somebody's clsact is there, which serves as well.
    let _ = qdisc_add_clsact(device.name);
    let mut program = SchedClassifier::from_pin(pin).map_err(io::Error::other)?;
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let link = program
        .attach_with_options(device.name, tc_side(side), options)
        .and_then(|id| program.take_link(id))
        .map_err(io::Error::other)?;
    // Dropping the link would remove the filter.
    std::mem::forget(link);
    Ok(())
}
