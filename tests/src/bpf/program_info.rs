//! What the kernel made of a program: its id, its sizes, what the verifier walked.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{attr::InfoAttr, bpf};

/// enum bpf_cmd of linux/bpf.h.
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;

/// struct bpf_prog_info up to attach_btf_id, as words of four bytes.
#[repr(C, align(8))]
struct Info([u32; 58]);

// Which word is what.
const ID: usize = 1;
const TAG: usize = 2;
const JITED_LEN: usize = 4;
const XLATED_LEN: usize = 5;
const VERIFIED_INSNS: usize = 54;

/// Part of struct bpf_prog_info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The id by which `bpftool` and error messages know it.
    pub id: u32,
    /// The kernel's digest of its instructions.
    pub tag: [u32; 2],
    /// Bytes of machine code; 0 without JIT.
    pub jited_bytes: u32,
    /// Bytes of BPF code after the verifier's rewriting.
    pub xlated_bytes: u32,
    /// Instructions that the verifier walked through, over all paths; 0 before
    /// Linux 5.16, which does not tell.
    pub verified_instructions: u32,
}

/// `None` when the descriptor is no program's.
pub fn program_info(object: &OwnedFd) -> io::Result<Option<ProgramInfo>> {
    let kind = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", object.as_raw_fd()))?;
    if !kind.lines().any(|line| line.starts_with("prog_type:")) {
        return Ok(None);
    }
    of_program(object).map(Some)
}

/// The id of a program.
pub fn program_id(program: &OwnedFd) -> io::Result<u32> {
    of_program(program).map(|info| info.id)
}

fn of_program(program: &OwnedFd) -> io::Result<ProgramInfo> {
    let mut info = Info([0; 58]);
    let mut attr = InfoAttr {
        bpf_fd: program.as_raw_fd() as u32,
        info_len: size_of_val(&info) as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: `info` has the stated length and outlives the call; as it is zero
    // but for that, the kernel is not asked to write anywhere else.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let Info(words) = info;
    Ok(ProgramInfo {
        id: words[ID],
        tag: [words[TAG], words[TAG + 1]],
        jited_bytes: words[JITED_LEN],
        xlated_bytes: words[XLATED_LEN],
        verified_instructions: words[VERIFIED_INSNS],
    })
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use aya_obj::generated::bpf_prog_info;

    use super::*;

    #[test]
    fn the_words_are_the_kernels() {
        for (word, offset) in [
            (ID, offset_of!(bpf_prog_info, id)),
            (TAG, offset_of!(bpf_prog_info, tag)),
            (JITED_LEN, offset_of!(bpf_prog_info, jited_prog_len)),
            (XLATED_LEN, offset_of!(bpf_prog_info, xlated_prog_len)),
            (VERIFIED_INSNS, offset_of!(bpf_prog_info, verified_insns)),
        ] {
            assert_eq!(word * 4, offset);
        }
        assert!(size_of::<Info>() <= size_of::<bpf_prog_info>());
    }
}
