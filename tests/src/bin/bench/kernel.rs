//! What the bench asks of bpf(2) and tests do not: the kernel's own time of a
//! run, tail calls into a loaded program, and what the verifier knows of it.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use alias_tests::bpf::{Instruction, Kind, load_like, only_return};

// enum bpf_cmd of linux/bpf.h.
const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
/// BPF_MAP_TYPE_PROG_ARRAY.
const PROG_ARRAY: u32 = 3;
/// BPF_F_XDP_HAS_FRAGS.
const HAS_FRAGS: u32 = 1 << 5;
/// BPF_XDP of enum bpf_attach_type.
const ATTACH_XDP: u32 = 37;
/// BPF_FUNC_tail_call.
const TAIL_CALL: i32 = 12;

/// A test run of many repetitions.
pub(crate) struct Timed {
    /// What the last repetition returned.
    pub(crate) verdict: u32,
    /// Time of one repetition: whole ns, rounded down, as the kernel has it.
    pub(crate) ns: u32,
}

/// Runs a program over and over on one frame. The kernel does not set the frame
/// back in between: what the program changes, its next repetition finds.
pub(crate) fn timed_run(program: &OwnedFd, frame: &[u8], repeat: u32) -> io::Result<Timed> {
    #[repr(C)]
    #[derive(Default)]
    struct Attr {
        prog_fd: u32,
        retval: u32,
        data_size_in: u32,
        data_size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
    }
    let mut attr = Attr {
        prog_fd: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat,
        ..Attr::default()
    };
    // SAFETY: the frame has the stated length and outlives the call; no output
    // is asked for.
    unsafe { bpf(BPF_PROG_TEST_RUN, &mut attr) }?;
    Ok(Timed {
        verdict: attr.retval,
        ns: attr.duration,
    })
}

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
        let array = prog_array()?;
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
        set_first(&array, next)?;
        Ok(Self {
            program,
            _next: array,
        })
    }
}

fn prog_array() -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Attr {
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    }
    let mut attr = Attr {
        map_type: PROG_ARRAY,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
    };
    // SAFETY: the request holds no pointers.
    own(unsafe { bpf(BPF_MAP_CREATE, &mut attr) }?)
}

fn set_first(array: &OwnedFd, program: &OwnedFd) -> io::Result<()> {
    #[repr(C)]
    struct Attr {
        map_fd: u32,
        padding: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let (key, value) = (0u32, program.as_raw_fd() as u32);
    let mut attr = Attr {
        map_fd: array.as_raw_fd() as u32,
        padding: 0,
        key: (&raw const key) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: key and value have the map's sizes and outlive the call.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
}

/// What the kernel made of a program.
pub(crate) struct ProgramInfo {
    /// Instructions that the verifier walked through, over all paths; 0 before
    /// Linux 5.16, which does not tell.
    pub(crate) verified_instructions: u32,
    /// Bytes of BPF code after the verifier's rewriting.
    pub(crate) xlated_bytes: u32,
    /// Bytes of machine code; 0 without JIT.
    pub(crate) jited_bytes: u32,
}

/// `None` when the descriptor is no program's.
pub(crate) fn program_info(object: &OwnedFd) -> io::Result<Option<ProgramInfo>> {
    #[repr(C)]
    struct Attr {
        fd: u32,
        length: u32,
        info: u64,
    }
    let kind = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", object.as_raw_fd()))?;
    if !kind.lines().any(|line| line.starts_with("prog_type:")) {
        return Ok(None);
    }
    // struct bpf_prog_info up to attach_btf_id, as words: lengths at 16 and 20,
    // verified_insns at 216. It is of 8-byte alignment.
    let mut info = [0u64; 29];
    let mut attr = Attr {
        fd: object.as_raw_fd() as u32,
        length: size_of_val(&info) as u32,
        info: info.as_mut_ptr() as u64,
    };
    // SAFETY: `info` has the stated length and outlives the call; as it is zero
    // but for that, the kernel is not asked to write anywhere else.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let half = |word: usize, upper: usize| {
        let bytes = info[word].to_ne_bytes();
        let [.., a, b, c, d] = bytes;
        let [e, f, g, h, ..] = bytes;
        u32::from_ne_bytes(if upper == 1 {
            [a, b, c, d]
        } else {
            [e, f, g, h]
        })
    };
    Ok(Some(ProgramInfo {
        jited_bytes: half(2, 0),
        xlated_bytes: half(2, 1),
        verified_instructions: half(27, 0),
    }))
}

/// # Safety
/// Every address in `attr` must be valid for what the command does with it.
unsafe fn bpf<A>(command: libc::c_long, attr: &mut A) -> io::Result<i32> {
    // SAFETY: `attr` has the stated size; the caller vouches for what it
    // points to. The kernel takes a shorter attr as filled up with zeros.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<A>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as i32)
}

fn own(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: only called with a descriptor that bpf(2) has just returned.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
