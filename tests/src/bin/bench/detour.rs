//! Tail calls into a loaded program, so that something may stand before it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use alias_tests::bpf::{Instruction, Kind, load_like, only_return};
use alias_tests::map::{self, MapKind};

/// BPF_F_XDP_HAS_FRAGS.
const HAS_FRAGS: u32 = 1 << 5;
/// BPF_XDP of enum bpf_attach_type.
const ATTACH_XDP: u32 = 37;
/// BPF_FUNC_tail_call.
const TAIL_CALL: i32 = 12;

/// How a program was loaded: a tail call wants both ends alike, and the kernel
/// does not tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Likeness {
    flags: u32,
    expected_attach_type: u32,
}

impl Likeness {
    /// Found by trial.
    pub(crate) fn of(program: &OwnedFd) -> io::Result<Self> {
        let mut refused = io::ErrorKind::InvalidInput.into();
        for flags in [HAS_FRAGS, 0] {
            for expected_attach_type in [ATTACH_XDP, 0] {
                let likeness = Self {
                    flags,
                    expected_attach_type,
                };
                match Detour::new(likeness, &[], program) {
                    Ok(_) => return Ok(likeness),
                    Err(error) => refused = error,
                }
            }
        }
        Err(refused)
    }

    /// A program that only returns `verdict`.
    pub(crate) fn only_return(self, verdict: u32) -> io::Result<OwnedFd> {
        self.load(&only_return(verdict as i32))
    }

    fn load(self, program: &[Instruction]) -> io::Result<OwnedFd> {
        load_like(Kind::Xdp, self.flags, self.expected_attach_type, program)
    }
}

/// A program that does something to the frame, then goes on into another one.
pub(crate) struct Detour {
    pub(crate) program: OwnedFd,
    // The kernel empties it when nobody holds it any more.
    _next: OwnedFd,
}

impl Detour {
    /// `first` gets the context in r1 and must leave it in r6, unless it is empty.
    pub(crate) fn new(
        likeness: Likeness,
        first: &[Instruction],
        next: &OwnedFd,
    ) -> io::Result<Self> {
        let array = map::create(MapKind::ProgArray, 4, 4, 1)?;
        let mut program = first.to_vec();
        if !first.is_empty() {
            program.push(Instruction(0xbf, 0x61, 0, 0)); // r1 = r6
        }
        program.extend([
            Instruction(0x18, 0x12, 0, array.as_raw_fd()), // r2 = the map
            Instruction(0, 0, 0, 0),
            Instruction(0xb7, 3, 0, 0), // r3 = its first entry
            Instruction(0x85, 0, 0, TAIL_CALL),
            Instruction(0xb7, 0, 0, 0), // XDP_ABORTED: there was none
            Instruction(0x95, 0, 0, 0),
        ]);
        let program = likeness.load(&program)?;
        map::update(&array, &[0; 4], &next.as_raw_fd().to_ne_bytes())?;
        Ok(Self {
            program,
            _next: array,
        })
    }
}
