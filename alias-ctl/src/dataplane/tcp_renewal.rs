//! The two programs on the cgroup2 root follow a parent's other programs to another build:
//! they are loaded beside the ones that run, and then put in their place on the same links.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use alias_common::names;
use aya::programs::{CgroupSockopt, Program, ProgramError, SockOps};

use super::object::{self, kernel_refusal};
use super::pins::link_name;
use super::{embedded, sys};
use crate::error::{Refusal, Result};

/// What applications have set on their sockets, in both programs' words.
const NOTED: &str = "tcp_noted";

/// `BPF_MAP_TYPE_SK_STORAGE` of `linux/bpf.h`.
const SK_STORAGE: u32 = 24;

/// Loads this build's programs on the maps of those that run, and pins them in the next
/// generation's directory. Nothing, where no alias has TCP options.
///
/// # Errors
///
/// What the kernel refused; the ones before run on.
pub(super) fn load(next: &Path, parent: &str) -> Result<()> {
    if !next.join(names::TCP_OPTIONS).exists() {
        return Ok(());
    }
    embedded::check(embedded::TCP_OPTIONS)?;
    let refuse = |error: &(dyn std::error::Error + 'static)| {
        kernel_refusal(parent, "load the TCP option programs", error)
    };
    let refused = |error: &io::Error| Refusal::io(parent, "load the TCP option programs", error);
    let pin = next.join(NOTED);
    if let Some(noted) = noted(next).map_err(|error| refused(&error))? {
        sys::obj_pin(noted.as_fd(), &pin).map_err(|error| refused(&error))?;
    }
    let mut loader = object::loader();
    loader
        .map_pin_path(names::TCP_OPTIONS, next.join(names::TCP_OPTIONS))
        .map_pin_path(NOTED, &pin);
    let mut ebpf = loader
        .load(embedded::TCP_OPTIONS)
        .map_err(|error| refuse(&error))?;
    for name in [names::TCP_NOTE, names::TCP_APPLY] {
        let program = ebpf.program_mut(name).ok_or_else(|| {
            let reason = format!("no {name} in the object");
            Refusal::new(parent, "load the TCP option programs", reason, libc::ENOENT)
        })?;
        let fd = loaded(program).map_err(|error| refuse(&error))?;
        sys::obj_pin(fd.as_fd(), &next.join(name)).map_err(|error| refused(&error))?;
    }
    // The programs hold it.
    fs::remove_file(&pin).map_err(|error| refused(&error))
}

fn loaded(program: &mut Program) -> std::result::Result<OwnedFd, ProgramError> {
    let own = |fd: &aya::programs::ProgramFd| Ok(fd.as_fd().try_clone_to_owned()?);
    if let Ok(note) = <&mut CgroupSockopt>::try_from(&mut *program) {
        note.load()?;
        return own(note.fd()?);
    }
    let apply = <&mut SockOps>::try_from(program)?;
    apply.load()?;
    own(apply.fd()?)
}

/// The map of what was noted, which nothing pins: it is found through a program that runs.
fn noted(pins: &Path) -> io::Result<Option<OwnedFd>> {
    let link = match sys::obj_get(&pins.join(link_name(names::TCP_APPLY))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        link => link?,
    };
    let program = sys::program_by_id(sys::link_info(link.as_fd())?.prog_id)?;
    sys::map_of_program(program.as_fd(), |map| map.kind == SK_STORAGE)
}

/// Puts what `load` has pinned in the place of the programs that run. To do it again is
/// as good.
///
/// # Errors
///
/// What the kernel refused.
pub fn follow(next: &Path, parent: &str) -> Result<()> {
    // The note comes first, as where they are made.
    for name in [names::TCP_NOTE, names::TCP_APPLY] {
        let pin = next.join(name);
        let program = match sys::obj_get(&pin) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            program => program,
        };
        program
            .and_then(|program| {
                let link = sys::obj_get(&next.join(link_name(name)))?;
                match sys::link_update(link.as_fd(), program.as_fd()) {
                    // Somebody has detached it; it was not running.
                    Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => Ok(()),
                    done => done,
                }
            })
            .and_then(|()| fs::remove_file(&pin))
            .map_err(|error| Refusal::io(parent, format!("replace {name}"), &error))?;
    }
    Ok(())
}
