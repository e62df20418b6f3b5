//! Puts one parent's programs and maps into the kernel, and pins them. Nothing
//! is attached here.

use std::path::Path;

use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::names::{self, constants};
use alias_common::table::Geometry;
use aya::EbpfLoader;
use aya::programs::Program;

use super::shape::shapes;
use super::symbols;
use crate::error::{Refusal, Result};

/// The compiled datapath; empty when there was none to embed.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/alias.bpf.o"));

/// Whether this binary carries the datapath.
#[must_use]
pub fn is_embedded() -> bool {
    !OBJECT.is_empty()
}

/// Loads everything for a parent and pins it under `directory`.
///
/// # Errors
///
/// ENOSYS when this binary was built without a datapath; else what the kernel
/// said, with the verifier's last words.
pub fn load(directory: &Path, parent: &str, header: &Header, generic: bool) -> Result<()> {
    check_embedded(OBJECT)?;
    let refused = |error: &(dyn std::error::Error + 'static)| {
        kernel_refusal(parent, "load the datapath", error)
    };
    let geometry = Geometry {
        home_bits: header.home_bits,
    };
    let hash_key = HashKeyBytes(header.hash_key);
    let (home_shift, positions) = (geometry.home_shift(), geometry.positions());
    let redirect_site = symbols::redirect_site();
    let mut loader = EbpfLoader::new();
    loader
        .override_global(constants::HASH_KEY, &hash_key, true)
        .override_global(constants::HOME_SHIFT, &home_shift, true)
        .override_global(constants::POSITIONS, &positions, true)
        .override_global(constants::REDIRECT_SITE, &redirect_site, true)
        .override_global(constants::CAPACITY, &header.capacity, true)
        .override_global(constants::PARENT_IFINDEX, &header.parent_ifindex, true)
        .override_global("AYA_LOG_LEVEL", &header.log_level, false);
    for shape in shapes(header.capacity, header.cpus) {
        loader.map_max_entries(shape.name, shape.max_entries);
    }
    let mut ebpf = loader.load(OBJECT).map_err(|error| refused(&error))?;
    for (name, map) in ebpf.maps() {
        // Constants stay alive with the programs that were verified with them.
        if !name.starts_with('.') {
            map.pin(directory.join(name))
                .map_err(|error| refused(&error))?;
        }
    }
    let rx = match generic {
        true => names::ALIAS_RX_GENERIC,
        false => names::ALIAS_RX,
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
        let program = ebpf.program_mut(name).ok_or_else(|| {
            Refusal::new(
                parent,
                "load the datapath",
                format!("no program {name}"),
                libc::ENOENT,
            )
        })?;
        load_program(program).map_err(|error| refused(&error))?;
        program
            .pin(directory.join(pin))
            .map_err(|error| refused(&error))?;
    }
    Ok(())
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

/// ENOSYS when this binary was built without the object.
pub(super) fn check_embedded(object: &[u8]) -> Result<()> {
    if !object.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(
        "alias-ctl",
        "load the datapath",
        "this binary was built without it",
        libc::ENOSYS,
    )
    .way_out("build it with: cargo xtask build"))
}

/// What the kernel said of an object, with the verifier's last words.
pub(super) fn kernel_refusal(
    name: &str,
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
    Refusal::new(name, operation, reason, errno)
}
