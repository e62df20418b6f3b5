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

use alias_common::ABI_VERSION;
use alias_common::header::Header;
use alias_common::names;
use alias_common::record::Port;

use super::abi::{self, Before, READABLE};
use super::build::Build;
use super::cpus;
use super::directory::{Directory, WriteLock};
use super::engine::Place;
use super::hash::Hash;
use super::header;
use super::listing;
use super::losses::hear_losses;
use super::object::{self, SMALL_MAPS};
use super::parent::Parent;
use super::pins::{link_name, restrict};
use super::registry::Registered;
use super::shape::Extent;
use super::{sys, tcp_renewal};
use crate::error::{Refusal, Result};
use crate::interrupt;

/// The links, which both generations have: it is by them that one takes the place of the
/// other.
const LINKS: [&str; 3] = [names::ALIAS_RX, names::ALIAS_DELIVER, names::ALIAS_EGRESS];

/// What else both have, and is pinned for both, where they are of one version. Of what
/// gives sockets their TCP options the map comes last, as where it is made.
fn shared() -> impl Iterator<Item = String> {
    [names::HEADER]
        .into_iter()
        .chain(SMALL_MAPS)
        .map(str::to_owned)
        .chain([names::TCP_NOTE, names::TCP_APPLY].map(link_name))
        .chain([names::TCP_OPTIONS.to_owned()])
}

/// The generation that a parent has, of this version or of one that can be read.
pub struct Old {
    path: PathBuf,
    version: u32,
    pins: Box<dyn Before>,
}

impl Old {
    /// Reads that of a version.
    ///
    /// # Errors
    ///
    /// EINVAL when the pins are not what that version makes; EOPNOTSUPP when it has no reader.
    pub fn of(directory: &Directory, version: u32, ifindex: u32) -> Result<Old> {
        let path = directory.of_version(version).join(ifindex.to_string());
        let pins = abi::open(&path, version)?;
        Ok(Old {
            path,
            version,
            pins,
        })
    }

    /// Reads this version's, or else that of the latest one that can be read; `None` when
    /// there is none.
    ///
    /// # Errors
    ///
    /// EINVAL when the pins are not what their version makes.
    pub fn find(directory: &Directory, ifindex: u32) -> Result<Option<Old>> {
        for version in READABLE.into_iter().rev() {
            if directory.parents_of(version)?.contains(&ifindex) {
                return Old::of(directory, version, ifindex).map(Some);
            }
        }
        Ok(None)
    }

    /// Where its pins are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version that made it.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// What is taken over from it.
    #[must_use]
    pub fn pins(&self) -> &dyn Before {
        &*self.pins
    }

    /// Whether it is of this version: then the two generations share what does not depend on
    /// the capacity.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.version == ABI_VERSION
    }

    /// Its `--to` devices, by ifindex.
    pub fn targets(&self) -> impl Iterator<Item = u32> + '_ {
        let indices = (0..self.pins.targets()).map(|key| self.pins.target(key).ifindex);
        indices.filter(|ifindex| *ifindex != 0)
    }

    /// Its header, as the next generation is to have it.
    fn header(&self) -> Header {
        let header = self.pins.header();
        match self.is_own() {
            true => header,
            // What the versions do not share is made again when all else is done.
            false => Header {
                unfinished: header.unfinished.max(Header::AT_WORK),
                ..header
            },
        }
    }
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

    /// Puts it in the parent's directory, and what was there in its place. One of another
    /// version stays where it is.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub fn install(&self, old: &Old, lock: &WriteLock) -> Result<()> {
        if old.is_own() {
            return lock.exchange(self.ifindex);
        }
        listing::insert(lock, &self.path)?;
        lock.publish_growth(self.ifindex)
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
pub fn build(
    lock: &WriteLock,
    old: &Old,
    (name, ifindex): (&str, u32),
    capacity: u32,
) -> Result<()> {
    let refused = |error: &io::Error| Refusal::io(name, "grow", error);
    let types = Registered::all(lock)?;
    let path = lock.begin_growth(ifindex)?;
    share(old, &path).map_err(|error| refused(&error))?;
    let cpus = cpus::rows().map_err(|error| refused(&error))?;
    let extent = Extent {
        capacity,
        // The last is the controller's own.
        rows: cpus + 1,
    };
    let header = old.header();
    object::load(&path, name, &header, extent)?;
    if !old.is_own() {
        header::initialise(&path, &header)?;
    }
    hear_losses(&path).map_err(|error| refused(&error))?;
    let growth = Growth { path, ifindex };
    growth.open()?.edit(lock)?.take_over(old.pins())?;
    carry(old.pins(), &growth.path, name)?;
    // Beside them what has no generations, where another build runs it.
    if old.is_own() && !Build::is_own(&old.path)? {
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

fn share(old: &Old, to: &Path) -> io::Result<()> {
    let links = LINKS.map(link_name);
    let shared = shared().filter(|_| old.is_own());
    for name in links.into_iter().chain(shared) {
        match sys::obj_get(&old.path.join(&name)) {
            Ok(object) => sys::obj_pin(object.as_fd(), &to.join(&name))?,
            // clsact has no links, and TCP options are rare.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the kernel keeps by the numbers of devices: ports, and where devmap keys lead.
fn carry(before: &dyn Before, to: &Path, name: &str) -> Result<()> {
    let refused = |error: io::Error| Refusal::io(name, "grow", &error);
    let ports = sys::obj_get(&to.join(names::PORT)).and_then(Hash::<u32, Port>::new);
    let ports = ports.map_err(refused)?;
    for (ifindex, port) in before.ports()? {
        ports.put(&ifindex, &port).map_err(refused)?;
    }
    let devmap = sys::obj_get(&to.join(names::DEVMAP)).map_err(refused)?;
    for key in (0..before.targets()).filter(|key| before.target(*key).ifindex != 0) {
        let Some(ifindex) = before.leads_to(key)? else {
            continue;
        };
        // struct bpf_devmap_val: ifindex, then a program's descriptor: none.
        let ([a, b, c, d], [e, f, g, h]) = (ifindex.to_ne_bytes(), (-1i32).to_ne_bytes());
        match sys::map_update(devmap.as_fd(), key, &[a, b, c, d, e, f, g, h]) {
            // The device went since.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            done => done.map_err(refused)?,
        }
    }
    Ok(())
}
