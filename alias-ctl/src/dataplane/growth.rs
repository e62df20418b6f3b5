//! A parent grows: a second generation of its maps and programs takes the place of the
//! first, while packets flow.
//!
//! What depends on the capacity is made anew in a directory beside the parent's:
//! table (targets among it), counters, records, creation log, ports and devmap, and the
//! programs, whose constants these are; what the first has in them is copied. The rest
//! is pinned there too, and stays: header, ring of the journal, links, TCP options. One update of the XDP link lets the second generation
//! run ([`build`] ends with it); then the others follow (`lifecycle::grow`), what the first
//! has counted is taken over once it counts no more, and the two directories change
//! places.
//!
//! Which generation runs says how to go on after a kill: before the update the second
//! one is dropped, after it everything else is done again, and does not mind.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use alias_common::names;
use alias_common::record::Port;

use super::build::Build;
use super::cpus;
use super::directory::{Directory, WriteLock};
use super::engine::Place;
use super::hash::Hash;
use super::listing;
use super::losses::hear_losses;
use super::object::{self, SMALL_MAPS};
use super::parent::Parent;
use super::parent_mut::ParentMut;
use super::pins::{link_name, restrict};
use super::registry::Registered;
use super::shape::Extent;
use super::{sys, tcp_renewal};
use crate::error::{Refusal, Result};
use crate::interrupt;

/// What both generations have, and is pinned for both. Of what gives sockets their TCP
/// options the map comes last, as where it is made.
fn shared() -> impl Iterator<Item = String> {
    let links = [
        names::ALIAS_RX,
        names::ALIAS_DELIVER,
        names::ALIAS_EGRESS,
        names::TCP_NOTE,
        names::TCP_APPLY,
    ];
    [names::HEADER]
        .into_iter()
        .chain(SMALL_MAPS)
        .map(str::to_owned)
        .chain(links.map(link_name))
        .chain([names::TCP_OPTIONS.to_owned()])
}

/// The generation of a parent that is not the one in its directory.
pub struct Growth {
    path: PathBuf,
    ifindex: u32,
}

impl Growth {
    /// That of the parent with this ifindex; `None` when it does not grow.
    #[must_use]
    pub fn find(directory: &Directory, ifindex: u32) -> Option<Growth> {
        let path = directory.growth(ifindex);
        path.exists().then_some(Growth { path, ifindex })
    }

    /// Where its pins are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its programs are the ones that packets meet.
    #[must_use]
    pub fn runs(&self) -> bool {
        let id = |program: &str| {
            let program = sys::obj_get(&self.path.join(program)).ok()?;
            sys::program_id(program.as_fd()).ok()
        };
        let running = sys::obj_get(&self.path.join(link_name(names::ALIAS_RX)))
            .and_then(|link| sys::link_info(link.as_fd()));
        running.is_ok_and(|running| {
            running.ifindex == self.ifindex
                && [names::ALIAS_RX, names::ALIAS_RX_TYPES]
                    .into_iter()
                    .any(|program| id(program) == Some(running.prog_id))
        })
    }

    /// Its maps.
    ///
    /// # Errors
    ///
    /// EINVAL when they are not what this version made.
    pub fn open(&self) -> Result<Parent> {
        Parent::open_at(self.path.clone())?.ok_or_else(|| {
            let path = self.path.display().to_string();
            Refusal::new(path, "open", "its pins vanished", libc::ENOENT)
        })
    }

    /// Puts it in the parent's directory, and what was there in its place.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub fn install(&self, lock: &WriteLock) -> Result<()> {
        lock.exchange(self.ifindex)
    }

    /// Removes it; the listing prints the one in the parent's directory.
    ///
    /// # Errors
    ///
    /// What the kernel refused.
    pub fn remove(self, lock: &WriteLock) -> Result<()> {
        if lock.directory().parent(self.ifindex).exists() {
            listing::follow(lock, self.ifindex)?;
        }
        lock.drop_growth(self.ifindex)
    }
}

/// Makes a second generation with so many slots, and lets it run.
///
/// # Errors
///
/// ENOMEM, or what else the kernel refused: then the first one runs as before, and what
/// was made of the second is for [`Growth::remove`].
pub fn build(parent: ParentMut<'_>, name: &str, capacity: u32) -> Result<()> {
    let refused = |error: &io::Error| Refusal::io(name, "grow", error);
    let lock = parent.lock();
    let types = Registered::all(lock)?;
    let path = lock.begin_growth(parent.ifindex())?;
    share(parent.path(), &path).map_err(|error| refused(&error))?;
    let cpus = cpus::rows().map_err(|error| refused(&error))?;
    let extent = Extent {
        capacity,
        // The last is the controller's own.
        rows: cpus + 1,
    };
    let header = parent.header();
    object::load(&path, name, &header, extent)?;
    hear_losses(&path).map_err(|error| refused(&error))?;
    let growth = Growth {
        path,
        ifindex: parent.ifindex(),
    };
    growth.open()?.edit(lock)?.take_over(&parent)?;
    copy_ports(parent.path(), &growth.path).map_err(|error| refused(&error))?;
    copy_devmap(&parent, &growth.path).map_err(|error| refused(&error))?;
    // Beside them what has no generations, where another build runs it.
    if !Build::is_own(parent.path())? {
        tcp_renewal::load(&growth.path, name)?;
    }
    restrict(&growth.path)?;
    let place = Place {
        path: &growth.path,
        name,
        header: &header,
        extent,
    };
    // Once its programs run there is no way back.
    interrupt::check(name, "grow")?;
    place.follow(&types, lock)
}

fn share(from: &Path, to: &Path) -> io::Result<()> {
    for name in shared() {
        match sys::obj_get(&from.join(&name)) {
            Ok(object) => sys::obj_pin(object.as_fd(), &to.join(&name))?,
            // clsact has no links, and TCP options are rare.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn copy_ports(from: &Path, to: &Path) -> io::Result<()> {
    let open = |path: &Path| Hash::<u32, Port>::new(sys::obj_get(&path.join(names::PORT))?);
    let (from, to) = (open(from)?, open(to)?);
    for ifindex in from.keys()? {
        if let Some(port) = from.get(&ifindex)? {
            to.put(&ifindex, &port)?;
        }
    }
    Ok(())
}

fn copy_devmap(parent: &Parent, to: &Path) -> io::Result<()> {
    let open = |path: &Path| sys::obj_get(&path.join(names::DEVMAP));
    let (from, to) = (open(parent.path())?, open(to)?);
    for key in (0..parent.targets()).filter(|key| parent.target(*key).ifindex != 0) {
        // struct bpf_devmap_val: ifindex, then a program's id, or its descriptor: none.
        let Some([a, b, c, d, ..]) = sys::map_lookup::<8>(from.as_fd(), key)? else {
            continue;
        };
        let [e, f, g, h] = (-1i32).to_ne_bytes();
        match sys::map_update(to.as_fd(), key, &[a, b, c, d, e, f, g, h]) {
            // The device went since.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            done => done?,
        }
    }
    Ok(())
}
