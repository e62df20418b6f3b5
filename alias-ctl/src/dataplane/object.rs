//! Puts one parent's programs and maps into the kernel, and pins them: those of the
//! datapath, those that take the place of `alias_rx` once a type is registered, and
//! the types' own. Nothing is attached here.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::names::{self, constants};
use alias_common::type_abi;
use aya::programs::Program;
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};

use super::build::Build;
use super::header::mode;
use super::shape::{self, Extent, shapes};
use super::{embedded, memory, probe, symbols, sys};
use crate::error::{Refusal, Result};
use crate::model::declaration::Mode;

/// Loads everything for a parent and pins it under `directory`. A map that is pinned
/// there already is used as it is.
///
/// # Errors
///
/// ENOSYS when this binary was built without a datapath; else what the kernel
/// said, with the verifier's last words.
pub fn load(directory: &Path, parent: &str, header: &Header, extent: Extent) -> Result<()> {
    embedded::check(embedded::DATAPATH)?;
    let devmap_id = make_maps(directory, extent)
        .map_err(|error| Refusal::io(parent, "make its maps", &error))?;
    let refused = |error: &(dyn std::error::Error + 'static)| {
        kernel_refusal(parent, "load the datapath", error)
    };
    let constants = Constants::of(header, extent);
    let redirect_site = symbols::redirect_site();
    let mut loader = loader();
    constants.set(&mut loader);
    loader
        .override_global(constants::SECRET, &header.secret, true)
        .override_global(constants::INTERFACE_ID, &header.interface_id, true)
        .override_global(constants::REDIRECT_SITE, &redirect_site, true)
        .override_global(constants::DEVMAP_ID, &devmap_id, true)
        .override_global(constants::PARENT_IFINDEX, &header.parent_ifindex, true);
    for name in shapes(extent)
        .iter()
        .map(|shape| shape.name)
        .chain(SMALL_MAPS)
    {
        loader.map_pin_path(name, directory.join(name));
    }
    let mut ebpf = loader
        .load(embedded::DATAPATH)
        .map_err(|error| refused(&error))?;
    let rx = match mode(header) {
        Mode::Native | Mode::BestEffort => names::ALIAS_RX,
        Mode::Generic => names::ALIAS_RX_GENERIC,
        Mode::Tc => names::ALIAS_RX_TC,
    };
    let pins = [
        (rx, names::ALIAS_RX),
        (names::ALIAS_DELIVER, names::ALIAS_DELIVER),
        (names::ALIAS_TX, names::ALIAS_TX),
        (names::ALIAS_RETURN, names::ALIAS_RETURN),
        (names::ALIAS_EGRESS, names::ALIAS_EGRESS),
        (names::ALIAS_LOST, names::ALIAS_LOST),
        (names::ALIAS_UNDELIVERED, names::ALIAS_UNDELIVERED),
    ];
    for (name, pin) in pins {
        let program = loaded(&mut ebpf, name, parent, "load the datapath")?;
        program
            .pin(directory.join(pin))
            .map_err(|error| refused(&error))?;
    }
    Build::own()
        .pin(directory)
        .map_err(|error| Refusal::io(parent, "mark its programs", &error))
}

/// Whether frames of several fragments cannot be redirected. A kernel that cannot be
/// asked is taken for one of today, which can: to drop a frame in vain would be worse.
fn fragments_stay() -> u32 {
    u32::from(!probe::redirects_fragments().unwrap_or(true))
}

/// The maps that are as the object describes them.
pub const SMALL_MAPS: [&str; 3] = [names::HANDED, names::JOURNAL, names::JOURNAL_GATE];

/// Makes and pins the maps that are not there yet. Returns the kernel's id of the
/// devmap.
pub(super) fn make_maps(directory: &Path, extent: Extent) -> io::Result<u32> {
    let (needed, available) = (shape::memory(extent), memory::available()?);
    if needed > available {
        // Asked for more than there is, the kernel would try, and kill others for it.
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
    let mut devmap_id = 0;
    for shape in shapes(extent) {
        let pin = directory.join(shape.name);
        let map = match sys::obj_get(&pin) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let map = shape::create(shape, None)?;
                sys::obj_pin(map.as_fd(), &pin)?;
                map
            }
            found => found?,
        };
        if shape.name == names::DEVMAP {
            devmap_id = sys::map_info(map.as_fd())?.id;
        }
    }
    Ok(devmap_id)
}

/// Loads the full engine, which knows prefixes and asks types, on the maps of a parent that are pinned under
/// `directory`, and pins its own.
///
/// # Errors
///
/// As for [`load`].
pub fn load_full_engine(
    directory: &Path,
    parent: &str,
    header: &Header,
    extent: Extent,
) -> Result<()> {
    const OPERATION: &str = "load the full engine, for prefixes and alias types";
    embedded::check(embedded::TYPES)?;
    let refused =
        |error: &(dyn std::error::Error + 'static)| kernel_refusal(parent, OPERATION, error);
    let constants = Constants::of(header, extent);
    let mut loader = loader();
    constants.set(&mut loader);
    loader
        .override_global(constants::SECRET, &header.secret, true)
        .override_global(constants::INTERFACE_ID, &header.interface_id, true);
    let mut maps: Vec<&str> = shapes(extent).iter().map(|shape| shape.name).collect();
    maps.extend(SMALL_MAPS);
    maps.extend(TYPES_MAPS);
    for map in maps {
        loader.map_pin_path(map, directory.join(map));
    }
    let mut ebpf = loader
        .load(embedded::TYPES)
        .map_err(|error| refused(&error))?;
    let (rx, typed) = match mode(header) == Mode::Generic {
        true => (names::ALIAS_RX_TYPES_GENERIC, names::ALIAS_TYPED_GENERIC),
        false => (names::ALIAS_RX_TYPES, names::ALIAS_TYPED),
    };
    for (name, pin) in [(typed, names::ALIAS_TYPED), (rx, names::ALIAS_RX_TYPES)] {
        loaded(&mut ebpf, name, parent, OPERATION)?
            .pin(directory.join(pin))
            .map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// The maps that only the full engine has.
pub const TYPES_MAPS: [&str; 3] = [type_abi::FOUND, type_abi::ENGINE, names::BY_ETHERTYPE];

/// Loads a type's program: on the maps of the parent under `pins`, or, without one,
/// on maps of its own, which is how it is verified.
///
/// # Errors
///
/// What the verifier said, in its own words.
pub fn load_type(
    object: &str,
    bytes: &[u8],
    pins: Option<&Path>,
    generic: bool,
) -> Result<OwnedFd> {
    const OPERATION: &str = "load alias type";
    let refused =
        |error: &(dyn std::error::Error + 'static)| kernel_refusal(object, OPERATION, error);
    let mut loader = loader();
    if let Some(pins) = pins {
        for map in [type_abi::FOUND, type_abi::ENGINE] {
            loader.map_pin_path(map, pins.join(map));
        }
    }
    let mut ebpf = loader.load(bytes).map_err(|error| refused(&error))?;
    let name = match generic {
        true => type_abi::PROGRAM_GENERIC,
        false => type_abi::PROGRAM,
    };
    let program = loaded(&mut ebpf, name, object, OPERATION)?;
    let fd = program.fd().map_err(|error| refused(&error))?;
    fd.as_fd()
        .try_clone_to_owned()
        .map_err(|error| refused(&error))
}

/// A program of an object, loaded.
fn loaded<'a>(
    ebpf: &'a mut Ebpf,
    name: &str,
    object: &str,
    operation: &str,
) -> Result<&'a mut Program> {
    let program = ebpf.program_mut(name).ok_or_else(|| {
        let reason = format!("no program {name}");
        Refusal::new(object, operation, reason, libc::ENOENT)
    })?;
    match load_program(program) {
        Ok(()) => Ok(program),
        Err(error) => Err(kernel_refusal(object, operation, &error)),
    }
}

/// A loader whose programs, when they are refused, are tried a second time with a log, and
/// no third time: without a trace of each state the log fits aya's first buffer.
pub(super) fn loader<'a>() -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader.verifier_log_level(VerifierLogLevel::STATS);
    loader
}

/// What is constant for a parent, as its programs want it.
pub(super) struct Constants {
    hash_key: HashKeyBytes,
    home_shift: u32,
    positions: u32,
    capacity: u32,
    fragments_stay: u32,
    log_level: u8,
}

impl Constants {
    pub(super) fn of(header: &Header, extent: Extent) -> Constants {
        let geometry = extent.geometry();
        Constants {
            hash_key: HashKeyBytes(header.hash_key),
            home_shift: geometry.home_shift(),
            positions: geometry.positions(),
            capacity: extent.capacity,
            fragments_stay: fragments_stay(),
            log_level: header.log_level,
        }
    }

    /// For an object that may lack some of them.
    pub(super) fn set_optional<'a>(
        &'a self,
        loader: &mut EbpfLoader<'a>,
        redirect_site: &'a [u64; 2],
    ) {
        loader
            .override_global(constants::HASH_KEY, &self.hash_key, false)
            .override_global(constants::HOME_SHIFT, &self.home_shift, false)
            .override_global(constants::POSITIONS, &self.positions, false)
            .override_global(constants::CAPACITY, &self.capacity, false)
            .override_global(constants::FRAGMENTS_STAY, &self.fragments_stay, false)
            .override_global(constants::REDIRECT_SITE, redirect_site, false);
    }

    fn set<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader
            .override_global(constants::HASH_KEY, &self.hash_key, true)
            .override_global(constants::HOME_SHIFT, &self.home_shift, true)
            .override_global(constants::POSITIONS, &self.positions, true)
            .override_global(constants::CAPACITY, &self.capacity, true)
            .override_global(constants::FRAGMENTS_STAY, &self.fragments_stay, true)
            .override_global("AYA_LOG_LEVEL", &self.log_level, false);
    }
}

fn load_program(program: &mut Program) -> std::result::Result<(), aya::programs::ProgramError> {
    match program {
        Program::Xdp(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        _ => Ok(()),
    }
}

/// The hash key as aya wants a constant.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct HashKeyBytes(HashKey);

// SAFETY: three u64 without padding (asserted in alias-common).
unsafe impl aya::Pod for HashKeyBytes {}

/// What the kernel said of an object, with the verifier's last words.
pub(super) fn kernel_refusal(
    object: &str,
    operation: &str,
    error: &(dyn std::error::Error + 'static),
) -> Refusal {
    let mut errno = libc::EINVAL;
    let mut reason = error.to_string();
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(number) = io.raw_os_error()
        {
            errno = number;
        }
        source = error.source();
        if let Some(deeper) = source {
            reason = format!("{reason}: {deeper}");
        }
    }
    // The verifier's log is long; its last lines say what it refused.
    let tail: Vec<&str> = reason.lines().rev().take(6).collect();
    let reason = tail.into_iter().rev().collect::<Vec<_>>().join(" | ");
    if errno == libc::E2BIG {
        let reason = format!("this kernel's verifier gave up: {reason}");
        return Refusal::new(object, operation, reason, errno)
            .hint("what it takes: alias-ctl verify; kernels that were tried: docs/KERNELS.md");
    }
    Refusal::new(object, operation, reason, errno)
}
