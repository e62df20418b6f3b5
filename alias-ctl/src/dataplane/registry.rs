//! The objects of the registered types, kept in the kernel: a parent that is
//! attached later gets them too, and no file is needed any more.
//!
//! ```text
//! <namespace>/v4/type_<family>_<ethertype>      registered: an array with the object
//! <namespace>/v4/type_<family>_<ethertype>_add  being registered
//! <namespace>/v4/type_<family>_<ethertype>_del  being unregistered
//! ```
//!
//! A rename is what registers a type, and what begins to take it away. What a kill
//! leaves under one of the other names, the next writer takes away.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use alias_common::alias_type::TypeRow;

use super::description::{MAX_OBJECT, describe};
use super::directory::{Directory, WriteLock};
use super::pins::{TYPE_PREFIX, pin_name, read_pin_name};
use super::shape::{self, Shape};
use super::shared::Shared;
use super::sys;
use crate::error::{Refusal, Result};

const ADDING: &str = "_add";
const DELETING: &str = "_del";

/// A type that is registered, or about to be.
#[derive(Clone, Debug)]
pub struct Registered {
    /// What it says of itself.
    pub row: TypeRow,
    path: PathBuf,
}

/// The shape of the map of an object of so many bytes: its length, then its bytes.
fn shape_of(len: usize) -> Shape {
    Shape {
        max_entries: 1 + len.div_ceil(8) as u32,
        ..shape::OBJECT
    }
}

impl Registered {
    /// The types that are registered in a namespace.
    ///
    /// # Errors
    ///
    /// EINVAL when a pin is not what this version made.
    pub fn all(lock: &WriteLock) -> Result<Vec<Registered>> {
        let mut found = Vec::new();
        let directory = lock.directory();
        for name in names(directory)? {
            if read_pin_name(&name).is_none() {
                continue;
            }
            let path = directory.shared().join(name);
            let mut registered = Registered {
                row: TypeRow::default(),
                path,
            };
            let bytes = registered.bytes()?;
            registered.row = describe(&registered.path.display().to_string(), &bytes)?;
            found.push(registered);
        }
        found.sort_by_key(|registered| registered.row.family);
        Ok(found)
    }

    /// Keeps an object in the kernel. It is no type yet.
    ///
    /// # Errors
    ///
    /// That of making or pinning the map.
    pub fn keep(lock: &WriteLock, row: TypeRow, bytes: &[u8]) -> Result<Registered> {
        lock.step();
        let name = pin_name(row.family, row.ethertype) + ADDING;
        let path = lock.directory().shared().join(name);
        let refused =
            |error: io::Error| Refusal::io(path.display().to_string(), "keep alias type", &error);
        let shape = shape_of(bytes.len());
        let map = shape::create(shape, None).map_err(refused)?;
        let words: Shared<u64> =
            Shared::map(map.as_fd(), shape.max_entries, "alias type").map_err(refused)?;
        words.store(0, bytes.len() as u64);
        for (at, chunk) in (1..).zip(bytes.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            words.store(at, u64::from_ne_bytes(word));
        }
        sys::obj_pin(map.as_fd(), &path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
            .map_err(refused)?;
        Ok(Registered { row, path })
    }

    /// The object, aligned as the loader wants it.
    ///
    /// # Errors
    ///
    /// EINVAL when the pin is not what [`Registered::keep`] made.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let object = || self.path.display().to_string();
        let refused = |error: io::Error| Refusal::io(object(), "read alias type", &error);
        let map = sys::obj_get(&self.path).map_err(refused)?;
        let info = sys::map_info(map.as_fd()).map_err(refused)?;
        let limit = shape_of(MAX_OBJECT).max_entries;
        let found = Shape {
            max_entries: info.max_entries.clamp(1, limit),
            ..shape::OBJECT
        };
        shape::check(&self.path, &map, found)?;
        let words: Shared<u64> =
            Shared::map(map.as_fd(), info.max_entries, "alias type").map_err(refused)?;
        let len = words.load(0) as usize;
        if shape_of(len.min(MAX_OBJECT)).max_entries != info.max_entries {
            return Err(shape::foreign(&self.path, "", "its length is another"));
        }
        let mut bytes: Vec<u8> = (1..info.max_entries)
            .flat_map(|at| words.load(at).to_ne_bytes())
            .collect();
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Makes what was kept a type.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub fn commit(&mut self, lock: &WriteLock) -> Result<()> {
        lock.step();
        let name = pin_name(self.row.family, self.row.ethertype);
        self.rename(lock.directory().shared().join(name))
    }

    /// Begins to take a type away: it is none any more.
    ///
    /// # Errors
    ///
    /// That of the rename.
    pub fn begin_removal(&mut self, lock: &WriteLock) -> Result<()> {
        lock.step();
        let name = pin_name(self.row.family, self.row.ethertype) + DELETING;
        self.rename(lock.directory().shared().join(name))
    }

    fn rename(&mut self, to: PathBuf) -> Result<()> {
        fs::rename(&self.path, &to).map_err(|error| {
            Refusal::io(self.path.display().to_string(), "rename alias type", &error)
        })?;
        self.path = to;
        Ok(())
    }
}

/// The objects of types that are being registered or unregistered, if a writer was
/// killed at it.
///
/// # Errors
///
/// That of reading the directory.
pub fn unfinished(directory: &Directory) -> Result<Vec<PathBuf>> {
    Ok(names(directory)?
        .into_iter()
        .filter(|name| {
            name.starts_with(TYPE_PREFIX) && (name.ends_with(ADDING) || name.ends_with(DELETING))
        })
        .map(|name| directory.shared().join(name))
        .collect())
}

/// Has the types that are registered in another version's directory registered here too. The
/// objects are the kernel's copies of files, of the types' own ABI.
///
/// # Errors
///
/// That of pinning them.
pub fn carry(lock: &WriteLock, version: u32) -> Result<()> {
    let directory = lock.directory();
    let (from, to) = (directory.of_version(version), directory.shared());
    for name in super::bpffs::names(&from)? {
        if read_pin_name(&name).is_none() || to.join(&name).exists() {
            continue;
        }
        lock.step();
        sys::obj_get(&from.join(&name))
            .and_then(|object| sys::obj_pin(object.as_fd(), &to.join(&name)))
            .and_then(|()| fs::set_permissions(to.join(&name), fs::Permissions::from_mode(0o600)))
            .map_err(|error| Refusal::io(name, "keep alias type", &error))?;
    }
    Ok(())
}

/// Forgets the types of a namespace that is gone.
///
/// # Errors
///
/// That of removing them.
pub fn forget(lock: &WriteLock) -> Result<()> {
    let directory = lock.directory();
    if !directory.parents()?.is_empty() {
        return Ok(());
    }
    for name in names(directory)? {
        if name.starts_with(TYPE_PREFIX) {
            lock.step();
            let path = directory.shared().join(name);
            fs::remove_file(&path)
                .map_err(|error| Refusal::io(path.display().to_string(), "remove", &error))?;
        }
    }
    Ok(())
}

fn names(directory: &Directory) -> Result<Vec<String>> {
    super::bpffs::names(&directory.shared())
}
