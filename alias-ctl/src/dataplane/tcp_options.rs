//! TCP options of a parent's aliases: two programs on the cgroup2 root and the map
//! that says which socket gets what. They are there only while it says something.
//!
//! The links are pinned first and the map last, and it goes first: where the map
//! is, everything is.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use alias_common::names;
use alias_common::tcp_options::{Grant, LocalAddress};
use aya::programs::{CgroupSockopt, ProgramError, SockOps};

use super::directory::Directory;
use super::hash::Hash;
use super::object::kernel_refusal;
use super::parent::Parent;
use super::parent_mut::ParentMut;
use super::pins::link_name;
use super::shape::open_pin;
use super::sys::{self, AttachType};
use super::{cgroup, embedded, object};
use crate::error::{Refusal, Result};

/// Addresses with TCP options that there is room for at least: the map stays as it is
/// when the parent grows. Room costs 16 bytes each until it is used.
const LEAST_GRANTS: u32 = 1 << 18;

/// What the sockets of one parent's aliases get.
pub struct SocketPrograms {
    path: PathBuf,
    grants: Hash<LocalAddress, Grant>,
}

impl SocketPrograms {
    /// The parent's; `None` when none of its aliases has options.
    ///
    /// # Errors
    ///
    /// EINVAL when the pinned map is not of this version.
    pub fn open(parent: &Parent) -> Result<Option<SocketPrograms>> {
        SocketPrograms::open_at(parent.path())
    }

    /// Those of the other parents of a namespace. One that cannot be read has none.
    ///
    /// # Errors
    ///
    /// That of reading the directory.
    pub fn of_others(directory: &Directory, parent: &Parent) -> Result<Vec<SocketPrograms>> {
        let others = directory.parents()?.into_iter();
        Ok(others
            .filter(|ifindex| *ifindex != parent.ifindex())
            .filter_map(|ifindex| {
                SocketPrograms::open_at(&directory.parent(ifindex))
                    .ok()
                    .flatten()
            })
            .collect())
    }

    fn open_at(path: &Path) -> Result<Option<SocketPrograms>> {
        let Some(map) = open_pin(path, names::TCP_OPTIONS)? else {
            return Ok(None);
        };
        let grants = Hash::new(map).map_err(|error| refused(path, "open", &error))?;
        Ok(Some(SocketPrograms {
            path: path.to_owned(),
            grants,
        }))
    }

    /// The parent's, made when there is none. `alias` is who needs it.
    ///
    /// # Errors
    ///
    /// What the kernel refused; nothing is left behind.
    pub fn open_or_make(parent: ParentMut<'_>, alias: &str) -> Result<SocketPrograms> {
        if let Some(found) = SocketPrograms::open(&parent)? {
            return Ok(found);
        }
        let path = parent.path();
        clear(path)?;
        let made = make(path, alias, parent.capacity().max(LEAST_GRANTS)).and_then(|()| {
            SocketPrograms::open_at(path)?.ok_or_else(|| {
                let gone = io::Error::from_raw_os_error(libc::ENOENT);
                refused(path, "open", &gone)
            })
        });
        if made.is_err() {
            // The first error is the one to tell; the next writer clears too.
            let _ = clear(path);
        }
        made
    }

    /// What the sockets of an address get.
    ///
    /// # Errors
    ///
    /// That of the look-up.
    pub fn get(&self, address: &LocalAddress) -> Result<Option<Grant>> {
        let found = self.grants.get(address);
        found.map_err(|error| refused(&self.path, "read", &error))
    }

    /// From now on the new sockets of an address get this.
    ///
    /// # Errors
    ///
    /// That of the update.
    pub fn put(&self, address: &LocalAddress, grant: &Grant, of: ParentMut<'_>) -> Result<()> {
        of.step();
        let put = self.grants.put(address, grant);
        put.map_err(|error| refused(&self.path, "write", &error))
    }

    /// From now on the new sockets of an address get nothing.
    ///
    /// # Errors
    ///
    /// That of the removal.
    pub fn remove(&self, address: &LocalAddress, of: ParentMut<'_>) -> Result<()> {
        of.step();
        let removed = self.grants.remove(address);
        removed.map_err(|error| refused(&self.path, "write", &error))
    }

    /// The addresses whose sockets get something.
    ///
    /// # Errors
    ///
    /// That of reading the map.
    pub fn addresses(&self) -> Result<Vec<LocalAddress>> {
        let keys = self.grants.keys();
        keys.map_err(|error| refused(&self.path, "read", &error))
    }
}

/// Takes the programs off when they have nothing left to do, and what a kill left
/// of them.
///
/// # Errors
///
/// That of reading the map and of removing the pins.
pub fn clear_idle(parent: ParentMut<'_>) -> Result<()> {
    if let Some(tcp_options) = SocketPrograms::open(&parent)? {
        let first = tcp_options.grants.next(None);
        let first = first.map_err(|error| refused(&tcp_options.path, "read", &error))?;
        if first.is_some() {
            return Ok(());
        }
    }
    clear(parent.path())
}

/// Loads, attaches and pins.
fn make(path: &Path, alias: &str, capacity: u32) -> Result<()> {
    embedded::check(embedded::TCP_OPTIONS)?;
    let refuse = |error: &(dyn std::error::Error + 'static)| {
        kernel_refusal(alias, "load the TCP option programs", error)
    };
    let mut ebpf = object::loader()
        .map_max_entries(names::TCP_OPTIONS, capacity)
        .load(embedded::TCP_OPTIONS)
        .map_err(|error| refuse(&error))?;
    let root = cgroup::root().map_err(|error| no_cgroup(alias, &error))?;
    // The note comes first: it must have heard of what shall not be changed.
    let note: &mut CgroupSockopt = program(&mut ebpf, alias, names::TCP_NOTE)?;
    let loaded = note.load().and_then(|()| note.fd());
    let fd = loaded
        .map_err(|error: ProgramError| refuse(&error))?
        .as_fd();
    attach(
        path,
        alias,
        names::TCP_NOTE,
        fd,
        root.as_fd(),
        AttachType::CgroupSetsockopt,
    )?;
    let apply: &mut SockOps = program(&mut ebpf, alias, names::TCP_APPLY)?;
    let loaded = apply.load().and_then(|()| apply.fd());
    let fd = loaded
        .map_err(|error: ProgramError| refuse(&error))?
        .as_fd();
    attach(
        path,
        alias,
        names::TCP_APPLY,
        fd,
        root.as_fd(),
        AttachType::CgroupSockOps,
    )?;
    let map = ebpf
        .map(names::TCP_OPTIONS)
        .ok_or_else(|| missing(alias, names::TCP_OPTIONS))?;
    let pin = path.join(names::TCP_OPTIONS);
    map.pin(&pin).map_err(|error| refuse(&error))?;
    restrict(&pin)
}

fn program<'a, P>(ebpf: &'a mut aya::Ebpf, alias: &str, name: &str) -> Result<&'a mut P>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program>,
{
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| missing(alias, name))
}

fn missing(alias: &str, name: &str) -> Refusal {
    let reason = format!("no {name} in the object");
    Refusal::new(alias, "load the TCP option programs", reason, libc::ENOENT)
}

/// Attaches a program to the cgroup and pins the link.
fn attach(
    path: &Path,
    alias: &str,
    name: &str,
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    attach_type: AttachType,
) -> Result<()> {
    let link = sys::cgroup_link_create(program, cgroup, attach_type).map_err(|error| {
        let refusal = Refusal::io(alias, format!("attach {name} to the cgroup2 root"), &error);
        match error.raw_os_error() {
            Some(libc::EPERM) => {
                refusal.hint("another program there wants to be alone: bpftool cgroup tree")
            }
            _ => refusal,
        }
    })?;
    let pin = path.join(link_name(name));
    sys::obj_pin(link.as_fd(), &pin).map_err(|error| refused(path, "pin", &error))?;
    restrict(&pin)
}

fn no_cgroup(alias: &str, error: &io::Error) -> Refusal {
    match error.raw_os_error() {
        Some(libc::ENODEV) => Refusal::new(
            alias,
            "set TCP options",
            "this kernel has no cgroup2, on whose root the programs hang",
            libc::EOPNOTSUPP,
        )
        .hint("a kernel with CONFIG_CGROUPS and CONFIG_CGROUP_BPF"),
        _ => Refusal::io(alias, "open the cgroup2 root", error),
    }
}

/// A pin is ours alone: BPF_OBJ_GET asks for the file's permissions.
fn restrict(pin: &Path) -> Result<()> {
    fs::set_permissions(pin, fs::Permissions::from_mode(0o600))
        .map_err(|error| refused(pin, "restrict", &error))
}

/// Removes whatever is there of map and links, the map first.
fn clear(path: &Path) -> Result<()> {
    let remove = |pin: &Path| match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(refused(pin, "remove", &error))
        }
        _ => Ok(()),
    };
    remove(&path.join(names::TCP_OPTIONS))?;
    for name in [names::TCP_APPLY, names::TCP_NOTE] {
        let pin = path.join(link_name(name));
        if let Ok(link) = sys::obj_get(&pin) {
            // Unpinning does it too, some time later.
            let _ = sys::link_detach(link.as_fd());
        }
        remove(&pin)?;
    }
    Ok(())
}

fn refused(path: &Path, operation: &str, error: &io::Error) -> Refusal {
    Refusal::io(
        path.display().to_string(),
        format!("{operation} TCP options"),
        error,
    )
}

/// Whether the kernel takes such a buffer size as it is: `SO_SNDBUF` or `SO_RCVBUF`
/// tried on a socket. Returns what it makes of it, bytes; it answers twice that,
/// because it counts its own memory too (socket(7)).
///
/// # Errors
///
/// That of socket(2) and of the two calls.
pub fn try_buffer(option: i32, wanted: u32) -> io::Result<u32> {
    let socket = UnixDatagram::unbound()?;
    let mut value = i32::try_from(wanted).unwrap_or(i32::MAX);
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: a live descriptor, and an integer with its length.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            length,
        )
    };
    // SAFETY: as above; the integer and the length are written.
    let read = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if set < 0 || read < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value as u32 / 2)
}
