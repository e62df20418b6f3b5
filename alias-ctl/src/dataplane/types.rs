//! The alias types of a namespace: which address families its aliases may be of.
//! One map for all its parents, made with the first of them, or the first type that is
//! registered, and gone with the last of both.

use std::os::fd::AsFd;
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};

use alias_common::alias_type::{MAX_TYPES, TypeRow};
use alias_common::names;

use super::directory::{Directory, WriteLock};
use super::shape::{self, check, open_pin};
use super::shared::Shared;
use super::sys;
use crate::error::{Refusal, Result};

/// A namespace's alias types. Reading needs no lock.
pub struct Types {
    rows: Shared<TypeRow>,
}

impl Types {
    /// Opens them; `None` when the namespace has no parent.
    ///
    /// # Errors
    ///
    /// EINVAL when the pinned map is not of the shape this version made.
    pub fn open(directory: &Directory) -> Result<Option<Types>> {
        let path = directory.shared();
        let Some(map) = open_pin(&path, names::TYPES)? else {
            return Ok(None);
        };
        check(&path, &map, shape::TYPES)?;
        let rows = Shared::map(map.as_fd(), MAX_TYPES, names::TYPES)
            .map_err(|error| Refusal::io(path.display().to_string(), "map", &error))?;
        Ok(Some(Types { rows }))
    }

    /// Opens them, or makes them with what is built in.
    ///
    /// # Errors
    ///
    /// That of making or pinning the map.
    pub fn open_or_make(lock: &WriteLock) -> Result<Types> {
        let directory = lock.directory();
        if let Some(types) = Types::open(directory)? {
            return Ok(types);
        }
        let path = directory.shared().join(names::TYPES);
        let refused = |operation: &str| {
            let object = path.display().to_string();
            let operation = operation.to_owned();
            move |error| Refusal::io(object, operation, &error)
        };
        let map = shape::create(shape::TYPES, None).map_err(refused("create"))?;
        let types = Types {
            rows: Shared::map(map.as_fd(), MAX_TYPES, names::TYPES).map_err(refused("map"))?,
        };
        for (row, built_in) in (0..).zip(TypeRow::BUILT_IN) {
            types.set(row, built_in, lock);
        }
        sys::obj_pin(map.as_fd(), &path).map_err(refused("pin"))?;
        Ok(types)
    }

    /// The types with the numbers of their rows.
    pub fn all(&self) -> impl Iterator<Item = (u32, TypeRow)> + '_ {
        (0..MAX_TYPES)
            .map(|row| (row, self.rows.read(row)))
            .filter(|(_, found)| found.family != 0)
    }

    /// The type of a family.
    #[must_use]
    pub fn of_family(&self, family: u16) -> Option<(u32, TypeRow)> {
        self.all().find(|(_, found)| found.family == family)
    }

    /// The lowest free row.
    #[must_use]
    pub fn lowest_free(&self) -> Option<u32> {
        (0..MAX_TYPES).find(|row| self.rows.read(*row).family == 0)
    }

    /// Sets a row, or frees it when the family is 0. It is a type only once the rest
    /// of it is there.
    pub fn set(&self, row: u32, new: TypeRow, lock: &WriteLock) {
        lock.step();
        let place = self.rows.at(row);
        // SAFETY: valid while `self` lives; the family is two aligned bytes and,
        // while others read, only accessed atomically.
        let family = unsafe { AtomicU16::from_ptr(ptr::addr_of_mut!((*place).family)) };
        family.store(0, Ordering::Release);
        self.rows.write(row, TypeRow { family: 0, ..new });
        family.store(new.family, Ordering::Release);
    }
}
