//! A second build of `alias-ctl`: a copy whose embedded programs are others and do the same.
//!
//! In every section of code two neighbours that load constants into different registers
//! change places wherever nothing jumps between them. The kernel is given other programs, by
//! its own tag; what they do to a packet is the same.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// What an ELF file begins with: 64 bits, little-endian, version 1.
const MAGIC: &[u8] = b"\x7fELF\x02\x01\x01";
/// EM_BPF of linux/elf-em.h.
const EM_BPF: u16 = 247;
/// SHF_EXECINSTR of elf(5).
const EXECUTABLE: u64 = 4;
/// Bytes of an Elf64_Shdr.
const SECTION_HEADER: usize = 64;
/// Bytes of an instruction.
const INSTRUCTION: usize = 8;

/// Writes the other build of the program at `of` to `to`.
#[track_caller]
pub fn other_build(of: &Path, to: &Path) {
    let mut bytes = fs::read(of).expect("alias-ctl can be read");
    let objects: Vec<usize> = (0..bytes.len().saturating_sub(64))
        .filter(|at| bytes[*at..].starts_with(MAGIC) && half(&bytes, at + 18) == EM_BPF)
        .collect();
    assert_eq!(objects.len(), 4, "objects in {}", of.display());
    for object in objects {
        let swapped = change(&mut bytes[object..]);
        assert!(swapped > 0, "nothing to change in the object at {object}");
    }
    fs::write(to, bytes).expect("a file of our own");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("our own file");
}

/// Changes one object. Returns how many pairs changed places.
fn change(object: &mut [u8]) -> usize {
    let (first, count) = (word(object, 0x28), half(object, 0x3c));
    let mut swapped = 0;
    for number in 0..usize::from(count) {
        let header = first as usize + number * SECTION_HEADER;
        if word(object, header + 8) & EXECUTABLE != 0 {
            let (begin, len) = (word(object, header + 24), word(object, header + 32));
            let (begin, len) = (begin as usize, len as usize);
            swapped += swap(object[begin..begin + len].as_chunks_mut().0);
        }
    }
    swapped
}

fn swap(code: &mut [[u8; INSTRUCTION]]) -> usize {
    let targets: Vec<usize> = (0..code.len())
        .filter_map(|at| jumps_to(at, code[at]))
        .collect();
    let (mut at, mut swapped) = (0, 0);
    while at + 1 < code.len() {
        let (one, next) = (code[at], code[at + 1]);
        let may = [one, next].iter().all(loads_constant) && one[1] != next[1];
        if may && !targets.contains(&(at + 1)) && one != next {
            code.swap(at, at + 1);
            swapped += 1;
            at += 1;
        }
        at += 1;
    }
    swapped
}

/// BPF_MOV of an immediate, to 64 or 32 bits.
fn loads_constant(instruction: &[u8; INSTRUCTION]) -> bool {
    matches!(instruction[0], 0xb7 | 0xb4)
}

/// Where an instruction may go but to the next.
fn jumps_to(at: usize, [code, _, a, b, c, d, e, f]: [u8; INSTRUCTION]) -> Option<usize> {
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    /// BPF_JMP32 | BPF_JA, whose way is in the immediate.
    const FAR: u8 = 0x06;
    // BPF_JMP and BPF_JMP32.
    if !matches!(code & 7, 5 | 6) || matches!(code, CALL | EXIT) {
        return None;
    }
    let by = match code {
        FAR => i32::from_le_bytes([c, d, e, f]) as isize,
        _ => i16::from_le_bytes([a, b]) as isize,
    };
    (at + 1).checked_add_signed(by)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mov(register: u8, value: u8) -> [u8; 8] {
        [0xb7, register, 0, 0, value, 0, 0, 0]
    }

    /// if r1 == 0 goto +by
    const fn jump(by: u8) -> [u8; 8] {
        [0x15, 1, by, 0, 0, 0, 0, 0]
    }

    #[test]
    fn only_what_makes_no_difference_changes_places() {
        for (code, expected) in [
            (vec![mov(1, 1), mov(2, 2)], vec![mov(2, 2), mov(1, 1)]),
            (vec![mov(1, 1), mov(1, 2)], vec![mov(1, 1), mov(1, 2)]),
            (
                vec![jump(1), mov(1, 1), mov(2, 2)],
                vec![jump(1), mov(1, 1), mov(2, 2)],
            ),
            (
                vec![jump(0), mov(1, 1), mov(2, 2), mov(3, 3)],
                vec![jump(0), mov(2, 2), mov(1, 1), mov(3, 3)],
            ),
            (vec![mov(1, 1), jump(0)], vec![mov(1, 1), jump(0)]),
        ] {
            let mut code = code;
            swap(&mut code);
            assert_eq!(code, expected);
        }
    }
}
