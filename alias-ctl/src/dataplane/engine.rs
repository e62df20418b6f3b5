//! A parent's engine follows what it has to do.
//!
//! As a rule `alias_rx` runs, which knows neither prefixes nor types. With the first
//! alias that is a prefix, and with the first type that is registered in the namespace,
//! the full engine (`alias_rx_types`) takes its place on the same maps, by one update of
//! the link, and gives it back when the last of both goes. So whoever has neither pays nothing.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use alias_common::header::Header;
use alias_common::names;
use alias_common::type_abi;

use super::directory::WriteLock;
use super::header::mode;
use super::object;
use super::pins::{link_name, pin_name, read_pin_name, restrict};
use super::registry::Registered;
use super::shape::Extent;
use super::sys;
use crate::error::{Refusal, Result};
use crate::model::declaration::Mode;

/// A parent, in its own directory or in its draft.
pub struct Place<'a> {
    /// Where its pins are.
    pub path: &'a Path,
    /// What users call it.
    pub name: &'a str,
    /// Its header.
    pub header: &'a Header,
    /// How large it is.
    pub extent: Extent,
}

impl Place<'_> {
    fn generic(&self) -> bool {
        mode(self.header) == Mode::Generic
    }

    fn refused(&self, error: &io::Error) -> Refusal {
        Refusal::io(self.name, "change its engine", error)
    }

    /// Makes the parent's programs those that the registered types need, and the
    /// prefixes in its header, whatever they are now: a kill in the middle is put right
    /// by the next call.
    ///
    /// # Errors
    ///
    /// What the kernel refused. Frames go on as before, or as they shall.
    pub fn follow(&self, types: &[Registered], lock: &WriteLock) -> Result<()> {
        lock.step();
        if mode(self.header) == Mode::Tc {
            // It knows prefixes, and no types: their programs are XDP's.
            return self
                .run(names::ALIAS_RX)
                .map_err(|error| self.refused(&error));
        }
        self.drop_types(types)?;
        if types.is_empty() && self.header.prefixes.is_empty() {
            return self.drop_engine();
        }
        self.make_engine()?;
        for registered in types {
            self.take_type(registered)?;
        }
        restrict(self.path)?;
        self.run(names::ALIAS_RX_TYPES)
            .map_err(|error| self.refused(&error))
    }

    /// Puts a type's program behind its ethertype.
    fn take_type(&self, registered: &Registered) -> Result<()> {
        let row = &registered.row;
        let pin = self.path.join(pin_name(row.family, row.ethertype));
        let program = match sys::obj_get(&pin) {
            Ok(program) => program,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = registered.bytes()?;
                let object = crate::model::typed::name(row);
                let pins = Some(self.path);
                let program = object::load_type(&object, &bytes, pins, self.generic())?;
                sys::obj_pin(program.as_fd(), &pin).map_err(|error| self.refused(&error))?;
                program
            }
            Err(error) => return Err(self.refused(&error)),
        };
        self.set_program(
            names::BY_ETHERTYPE,
            row.ethertype.into(),
            program.as_raw_fd(),
        )
        .map_err(|error| self.refused(&error))
    }

    /// Sets one entry of a program array.
    fn set_program(&self, array: &str, index: u32, program: i32) -> io::Result<()> {
        let array = sys::obj_get(&self.path.join(array))?;
        sys::map_update(array.as_fd(), index, &program.to_ne_bytes())
    }

    /// Takes away the programs of types that are registered no more.
    fn drop_types(&self, types: &[Registered]) -> Result<()> {
        let entries = fs::read_dir(self.path).map_err(|error| self.refused(&error))?;
        for entry in entries {
            let path = entry.map_err(|error| self.refused(&error))?.path();
            let pin = path
                .file_name()
                .and_then(|name| read_pin_name(name.to_str()?));
            let Some((family, ethertype)) = pin else {
                continue;
            };
            let wanted = types
                .iter()
                .any(|t| (t.row.family, t.row.ethertype) == (family, ethertype));
            if wanted {
                continue;
            }
            sys::obj_get(&self.path.join(names::BY_ETHERTYPE))
                .and_then(|array| sys::map_delete(array.as_fd(), ethertype.into()))
                .and_then(|()| fs::remove_file(&path))
                .map_err(|error| self.refused(&error))?;
        }
        Ok(())
    }

    /// Loads the full engine, unless it is there. Its last pin says that it is whole.
    fn make_engine(&self) -> Result<()> {
        if self.path.join(names::ALIAS_RX_TYPES).exists() {
            return self.lead_back();
        }
        self.remove_engine().map_err(|error| self.refused(&error))?;
        object::load_full_engine(self.path, self.name, self.header, self.extent)?;
        self.lead_back()
    }

    /// Sets the entry by which the types' programs come back.
    fn lead_back(&self) -> Result<()> {
        sys::obj_get(&self.path.join(names::ALIAS_TYPED))
            .and_then(|typed| {
                self.set_program(type_abi::ENGINE, type_abi::ENTRY, typed.as_raw_fd())
            })
            .map_err(|error| self.refused(&error))
    }

    fn drop_engine(&self) -> Result<()> {
        self.run(names::ALIAS_RX)
            .and_then(|()| self.remove_engine())
            .map_err(|error| self.refused(&error))
    }

    fn remove_engine(&self) -> io::Result<()> {
        // The pin that says that it is whole goes first.
        let programs = [names::ALIAS_RX_TYPES, names::ALIAS_TYPED];
        for pin in programs.into_iter().chain(object::TYPES_MAPS) {
            match fs::remove_file(self.path.join(pin)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes this the program that runs on the parent.
    fn run(&self, program: &str) -> io::Result<()> {
        let link = sys::obj_get(&self.path.join(link_name(names::ALIAS_RX)))?;
        let program = sys::obj_get(&self.path.join(program))?;
        let running = sys::link_info(link.as_fd())?;
        if running.ifindex == 0 || running.prog_id == sys::program_id(program.as_fd())? {
            // The device is gone, and nothing runs; or it runs already.
            return Ok(());
        }
        sys::link_update(link.as_fd(), program.as_fd())
    }
}
