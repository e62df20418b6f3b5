//! Puts every program of every object before the running kernel's verifier, and takes
//! all of it away again. Nothing is attached.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::object::{self, Constants, SMALL_MAPS, TYPES_MAPS};
use super::shape::{Extent, shapes};
use super::{embedded, unseen};
use crate::error::{Refusal, Result};
use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::names;
use aya::programs::{CgroupSockopt, Program};
use aya::{Btf, EbpfLoader};

/// What the verifier said of one program.
pub struct Verified {
    /// The object it is in.
    pub object: String,
    /// Its name there.
    pub program: String,
    /// Instructions the verifier walked, over all paths; `None` when the kernel does not
    /// tell (before Linux 5.16).
    pub walked: Option<u32>,
    /// What loading it took, with the JIT.
    pub took: Duration,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
}

/// Every program of the objects in `files`, and of those that this binary carries where
/// none of the files is its namesake (`alias.bpf.o`).
///
/// # Errors
///
/// ENOSYS without embedded programs, what making maps was refused for, EPERM without
/// CAP_SYS_ADMIN. A program that is refused is no error here.
pub fn verify(files: &[PathBuf], capacity: u32) -> Result<Vec<Verified>> {
    let mut all = Vec::new();
    for (name, bytes) in [
        ("alias", embedded::DATAPATH),
        ("types", embedded::TYPES),
        ("listing", embedded::LISTING),
        ("tcp_options", embedded::TCP_OPTIONS),
    ] {
        if files.iter().any(|path| name_of(path) == name) {
            continue;
        }
        embedded::check(bytes)?;
        verify_object(name, bytes, capacity, &mut all)?;
    }
    for path in files {
        let bytes = fs::read(path)
            .map_err(|error| Refusal::io(path.display().to_string(), "read", &error))?;
        verify_object(&name_of(path), &bytes, capacity, &mut all)?;
    }
    Ok(all)
}

/// `alias` of `target/bpf/alias.bpf.o`.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(SUFFIX).unwrap_or(&name).to_owned()
}

/// What the name of an object's file ends with.
pub const SUFFIX: &str = ".bpf.o";

/// The program that does the same where the kernel takes it and not this one.
#[must_use]
pub fn stands_in(program: &str) -> Option<&'static str> {
    Some(match program {
        names::ALIASES => names::ALIASES_KSYM,
        names::ALIAS_TYPES => names::ALIAS_TYPES_KSYM,
        names::ALIASES_KSYM => names::ALIASES,
        names::ALIAS_TYPES_KSYM => names::ALIAS_TYPES,
        _ => return None,
    })
}

/// Programs that take fragments and those that do not cannot share a devmap: each kind
/// has maps of its own.
const GENERIC: &str = "_generic";

fn verify_object(name: &str, bytes: &[u8], capacity: u32, all: &mut Vec<Verified>) -> Result<()> {
    for generic in [false, true] {
        let scratch = Scratch::new()?;
        let pins = scratch.path();
        let extent = Extent { capacity, rows: 2 };
        object::make_maps(&pins, extent)
            .map_err(|error| Refusal::io(name, "make its maps", &error))?;
        let header = Header {
            hash_key: HashKey::from_random([1, 3, 5]),
            ..Header::default()
        };
        let constants = Constants::of(&header, extent);
        let refused =
            |error: &(dyn std::error::Error + 'static)| object::kernel_refusal(name, "load", error);
        let mut loader = EbpfLoader::new();
        let redirect_site = [1u64, 2];
        constants.set_optional(&mut loader, &redirect_site);
        let shapes = shapes(extent);
        let maps = shapes.iter().map(|shape| shape.name);
        for map in maps.chain(SMALL_MAPS).chain(TYPES_MAPS) {
            loader.map_pin_path(map, pins.join(map));
        }
        let mut ebpf = loader.load(bytes).map_err(|error| refused(&error))?;
        for (program, loaded) in ebpf.programs_mut() {
            if program.ends_with(GENERIC) != generic {
                continue;
            }
            let program = program.to_owned();
            let start = Instant::now();
            let outcome = load(&program, loaded);
            let took = start.elapsed();
            let refusal = outcome.err().map(|error| {
                object::kernel_refusal(&format!("{name}: {program}"), "load", &*error)
            });
            let walked = loaded
                .info()
                .ok()
                .and_then(|info| info.verified_instruction_count());
            all.push(Verified {
                object: name.to_owned(),
                program,
                walked,
                took,
                refusal,
            });
        }
    }
    Ok(())
}

fn load(name: &str, program: &mut Program) -> std::result::Result<(), Box<dyn std::error::Error>> {
    match program {
        Program::Xdp(program) => program.load()?,
        Program::SchedClassifier(program) => program.load()?,
        Program::RawTracePoint(program) => program.load()?,
        Program::SockOps(program) => program.load()?,
        Program::CgroupSockopt(program) => load_sockopt(program)?,
        Program::Iter(program) => {
            let btf = Btf::from_sys_fs()?;
            let iterator = match name {
                names::ALIASES_KSYM | names::ALIAS_TYPES_KSYM => "ksym",
                _ => "bpf_map_elem",
            };
            program.load(iterator, &btf)?;
        }
        other => return Err(format!("{:?}: of no known kind", other.prog_type()).into()),
    }
    Ok(())
}

fn load_sockopt(
    program: &mut CgroupSockopt,
) -> std::result::Result<(), aya::programs::ProgramError> {
    program.load()
}

/// A bpffs of its own, mounted nowhere and gone when this is: to ask the verifier needs
/// none that the machine has mounted.
struct Scratch(OwnedFd);

impl Scratch {
    fn new() -> Result<Scratch> {
        unseen::mount("bpf")
            .map(Scratch)
            .map_err(|error| Refusal::io("bpffs", "mount it to try", &error))
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}
