//! Where a parent's tc programs hang: tcx (Linux 6.6), or a clsact qdisc before it.
//!
//! On the parent a tcx program has a pinned link, which goes with the parent's
//! directory. On a `--to` device it has none, and is taken off by hand. clsact knows
//! no links: its filters go with the device, or by their number. Ports are not here:
//! they share one filter block (`netlink::traffic_control`).

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use alias_common::names;

use crate::dataplane::Parent;
use crate::dataplane::pins::link_name;
use crate::dataplane::sys::{self, AttachType};
use crate::error::{Refusal, Result};
use crate::model::declaration::Hook;
use crate::netlink::{Conversation, FilterChain, FilterId, Link, NetlinkError, Request};

use super::host::Host;

/// A device, by its number and by the name that messages use.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// Its number.
    pub ifindex: u32,
    /// Its name.
    pub name: &'a str,
}

/// One of a parent's programs on one side of a device.
#[derive(Clone, Copy, Debug)]
pub struct AttachPoint<'a> {
    hook: Hook,
    device: Device<'a>,
    side: AttachType,
    program: &'static str,
    /// The parent's ifindex.
    parent: u32,
}

/// What the kernel says when there is no such program, filter, qdisc or device.
const NONE: [i32; 3] = [libc::ENOENT, libc::EINVAL, libc::ENODEV];

/// Of filters also: they are a block's, which other devices share, and not this device's.
const SHARED: i32 = libc::EOPNOTSUPP;

impl Hook {
    /// The programs of a parent that hang on itself.
    #[must_use]
    pub fn on_parent(self, device: Device<'_>) -> [AttachPoint<'_>; 2] {
        let point = |side, program| AttachPoint {
            hook: self,
            device,
            side,
            program,
            parent: device.ifindex,
        };
        [
            point(AttachType::TcxIngress, names::ALIAS_DELIVER),
            point(AttachType::TcxEgress, names::ALIAS_EGRESS),
        ]
    }

    /// The program of a parent that hangs on a `--to` device.
    #[must_use]
    pub const fn on_target(self, parent: u32, device: Device<'_>) -> AttachPoint<'_> {
        AttachPoint {
            hook: self,
            device,
            side: AttachType::TcxIngress,
            program: names::ALIAS_RETURN,
            parent,
        }
    }
}

impl AttachPoint<'_> {
    /// Sees to it that something can hang there: with clsact the device needs that qdisc,
    /// which is added where there is none.
    ///
    /// # Errors
    ///
    /// EBUSY when another qdisc has its place; what else the kernel refused.
    pub fn prepare(&self) -> Result<()> {
        if self.hook == Hook::Tcx {
            return Ok(());
        }
        let name = self.device.name;
        let busy = |reason: &str| Refusal::new(name, "add clsact", reason, libc::EBUSY);
        let mut netlink = Conversation::new()?;
        match netlink.run(Request::clsact(self.device.ifindex).about(name)) {
            Err(error) if error.errno() == libc::EINVAL => {
                return Err(busy("an ingress qdisc has its place").hint(format!(
                    "tc qdisc del dev {name} ingress; clsact does all that it does"
                )));
            }
            done => done?,
        }
        match netlink.run(Request::get_filter(self.filter())) {
            Err(error) if error.errno() == SHARED => Err(busy(
                "it shares a filter block with other devices",
            )
            .hint(format!(
                "give it a clsact of its own: tc qdisc del dev {name} clsact; the next command adds one"
            ))),
            _ => Ok(()),
        }
    }

    /// Hangs the program that is pinned in `pins` there. That it hangs there already is
    /// as good, but for tcx on the parent: its link is pinned there too, and is new.
    ///
    /// # Errors
    ///
    /// EINVAL for [`Hook::Tcx`] on a kernel that has none; EBUSY as for
    /// [`AttachPoint::prepare`].
    pub fn attach(&self, pins: &Path) -> Result<()> {
        if self.hook == Hook::Clsact {
            return self.put_filter(pins);
        }
        let hung = sys::obj_get(&pins.join(self.program)).and_then(|program| {
            if !self.is_on_parent() {
                return sys::prog_attach(program.as_fd(), self.device.ifindex, self.side);
            }
            let link = sys::link_create(program.as_fd(), self.device.ifindex, self.side, 0)?;
            sys::obj_pin(link.as_fd(), &pins.join(link_name(self.program)))
        });
        match hung {
            Err(error) if !self.is_on_parent() && is(&error, &[libc::EEXIST]) => Ok(()),
            done => done.map_err(|error| self.refused("attach", &error)),
        }
    }

    /// Whether the program that is pinned in `pins` hangs there. On a device that is gone
    /// nothing does.
    ///
    /// # Errors
    ///
    /// That of asking the kernel.
    pub fn is_attached(&self, pins: &Path) -> Result<bool> {
        if self.hook == Hook::Clsact {
            return self.has_filter(&mut Conversation::new()?);
        }
        if self.is_on_parent() {
            let link = sys::obj_get(&pins.join(link_name(self.program)));
            let info = link.and_then(|link| sys::link_info(link.as_fd()));
            return Ok(info.is_ok_and(|info| info.ifindex == self.device.ifindex));
        }
        let id = sys::obj_get(&pins.join(self.program))
            .and_then(|program| sys::program_id(program.as_fd()))
            .map_err(|error| self.refused("look for", &error))?;
        match sys::prog_query(self.device.ifindex, self.side) {
            Err(error) if is(&error, &NONE) => Ok(false),
            found => Ok(found
                .map_err(|error| self.refused("look for", &error))?
                .contains(&id)),
        }
    }

    /// Whether a clsact filter of this number is there, whatever its program.
    ///
    /// # Errors
    ///
    /// That of asking the kernel.
    pub fn has_filter(&self, netlink: &mut Conversation) -> Result<bool> {
        match netlink.run(Request::get_filter(self.filter()).about(self.device.name)) {
            Err(error) if says_none(&error) => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Hangs the program there anew where somebody took it off. Whether that was so.
    ///
    /// # Errors
    ///
    /// As for [`AttachPoint::attach`].
    pub fn restore(&self, pins: &Path) -> Result<bool> {
        if self.is_attached(pins)? {
            return Ok(false);
        }
        if self.hook == Hook::Tcx && self.is_on_parent() {
            // A link that was detached holds on to nothing any more.
            match fs::remove_file(pins.join(link_name(self.program))) {
                Err(error) if !is(&error, &NONE) => {
                    return Err(self.refused("attach", &error));
                }
                _ => {}
            }
        }
        self.attach(pins).map(|()| true)
    }

    /// Puts the next generation's program in the place of the one before, between two
    /// packets. That it is there already, or that the device is gone, is as good; where
    /// somebody took it off, it is needed there.
    ///
    /// # Errors
    ///
    /// What the kernel refused.
    pub fn replace(&self, before: &Path, next: &Path) -> Result<()> {
        if self.hook == Hook::Clsact {
            return match self.put_filter(next) {
                Err(refusal) if refusal.errno == libc::ENODEV => Ok(()),
                done => done,
            };
        }
        let replaced = sys::obj_get(&next.join(self.program)).and_then(|program| {
            if self.is_on_parent() {
                // Both generations have the same link.
                let link = sys::obj_get(&next.join(link_name(self.program)))?;
                return sys::link_update(link.as_fd(), program.as_fd());
            }
            let old = sys::obj_get(&before.join(self.program))?;
            sys::prog_replace(old.as_fd(), program.as_fd(), self.device.ifindex, self.side)
        });
        match replaced {
            Err(error) if is(&error, &[libc::EEXIST, libc::ENODEV]) => Ok(()),
            // ENOLINK: the link was detached; ENOENT: its pin is gone, or the program.
            Err(error) if is(&error, &[libc::ENOLINK, libc::ENOENT]) => match self.restore(next) {
                Err(refusal) if refusal.errno == libc::ENODEV => Ok(()),
                done => done.map(drop),
            },
            done => done.map_err(|error| self.refused("replace", &error)),
        }
    }

    /// Takes the program that is pinned in `pins` off; that it does not hang there, that
    /// there are no such pins, or that the device is gone, is as good. A tcx program of
    /// the parent goes with its pins.
    ///
    /// # Errors
    ///
    /// What the kernel refused.
    pub fn detach(&self, pins: &Path) -> Result<()> {
        if self.hook == Hook::Clsact {
            let request = Request::delete_filter(self.filter()).about(self.device.name);
            return match Conversation::new()?.run(request) {
                Err(error) if says_none(&error) => Ok(()),
                done => Ok(done?),
            };
        }
        if self.is_on_parent() {
            return Ok(());
        }
        let taken = sys::obj_get(&pins.join(self.program))
            .and_then(|program| sys::prog_detach(program.as_fd(), self.device.ifindex, self.side));
        match taken {
            Err(error) if is(&error, &[libc::ENOENT]) => Ok(()),
            done => done.map_err(|error| self.refused("detach", &error)),
        }
    }

    /// What there is not while it does not hang there.
    #[must_use]
    pub fn purpose(&self) -> &'static str {
        match self.program {
            names::ALIAS_DELIVER => "alias devices get no packets",
            names::ALIAS_EGRESS => {
                "what this host sends from its aliases' addresses is not counted"
            }
            _ => "what its aliases send from there does not leave",
        }
    }

    /// How it comes to hang there again.
    #[must_use]
    pub fn reattach_hint(&self) -> String {
        let command = "the next command that changes something hangs it there again";
        match self.hook {
            Hook::Tcx => command.to_owned(),
            Hook::Clsact => format!(
                "{command}; if it does not, another qdisc is in the way: tc qdisc show dev {}",
                self.device.name
            ),
        }
    }

    const fn is_on_parent(&self) -> bool {
        self.device.ifindex == self.parent
    }

    /// Several parents may lead to one device, which may be a parent itself: each has
    /// filters of its own there.
    fn filter(&self) -> FilterId {
        /// Where our filters are among others'.
        const PRIORITY: u16 = 0xa11a;
        /// An ifindex is below it (`INT_MAX`).
        const OF_A_TARGET: u32 = 1 << 31;
        let (handle, chain) = match (self.is_on_parent(), self.side) {
            (true, AttachType::TcxEgress) => (2, FilterChain::Egress(self.device.ifindex)),
            (true, _) => (1, FilterChain::Ingress(self.device.ifindex)),
            (false, _) => (
                OF_A_TARGET | self.parent,
                FilterChain::Ingress(self.device.ifindex),
            ),
        };
        FilterId {
            chain,
            priority: PRIORITY,
            handle,
        }
    }

    /// Puts the filter there, in place of the one that is there, with the qdisc that
    /// somebody may have removed.
    fn put_filter(&self, pins: &Path) -> Result<()> {
        self.prepare()?;
        let program = sys::obj_get(&pins.join(self.program))
            .map_err(|error| self.refused("attach", &error))?;
        let request = Request::put_filter(self.filter(), program.as_fd(), self.program);
        Ok(Conversation::new()?.run(request.about(self.device.name))?)
    }

    fn refused(&self, verb: &str, error: &io::Error) -> Refusal {
        Refusal::io(self.device.name, format!("{verb} {}", self.program), error)
    }
}

impl fmt::Display for AttachPoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.device.name, self.program)
    }
}

fn says_none(error: &NetlinkError) -> bool {
    NONE.contains(&error.errno()) || error.errno() == SHARED
}

fn is(error: &io::Error, errnos: &[i32]) -> bool {
    error
        .raw_os_error()
        .is_some_and(|errno| errnos.contains(&errno))
}

/// The `--to` devices of a parent, by ifindex.
pub fn target_indices(parent: &Parent) -> impl Iterator<Item = u32> + '_ {
    let indices = (0..parent.targets()).map(|key| parent.target(key).ifindex);
    indices.filter(|ifindex| *ifindex != 0)
}

/// Those that are there.
///
/// # Errors
///
/// That of asking the kernel.
pub fn targets(host: &mut Host, parent: &Parent) -> Result<Vec<Link>> {
    there(host, target_indices(parent))
}

/// Of these devices, by ifindex, those that are there.
///
/// # Errors
///
/// That of asking the kernel.
pub fn there(host: &mut Host, indices: impl Iterator<Item = u32>) -> Result<Vec<Link>> {
    let mut found = Vec::new();
    for ifindex in indices {
        found.extend(host.netlink.link_by_index(ifindex)?);
    }
    Ok(found)
}

/// All attach points of a parent that leads to these devices.
pub fn attach_points<'a>(
    parent: &Parent,
    link: &'a Link,
    targets: &'a [Link],
) -> impl Iterator<Item = AttachPoint<'a>> {
    points(parent.hook(), link, targets)
}

/// The same of a parent whose tc programs hang there.
pub fn points<'a>(
    hook: Hook,
    link: &'a Link,
    targets: &'a [Link],
) -> impl Iterator<Item = AttachPoint<'a>> {
    let on_targets = targets
        .iter()
        .map(move |target| hook.on_target(link.ifindex, device(target)));
    hook.on_parent(device(link)).into_iter().chain(on_targets)
}

/// Where `alias_return` hangs on a `--to` device.
pub fn on_target<'a>(parent: &Parent, ifindex: u32, name: &'a str) -> AttachPoint<'a> {
    let device = Device { ifindex, name };
    parent.hook().on_target(parent.ifindex(), device)
}

fn device(link: &Link) -> Device<'_> {
    Device {
        ifindex: link.ifindex,
        name: &link.name,
    }
}
