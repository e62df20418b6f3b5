//! Objects that are no alias types, or that lie: refused with nothing changed.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use alias_common::type_abi::{MAGIC, PROGRAM_GENERIC};
use alias_tests::{Lab, Mode};

use super::{object, registered, with_mpls};

/// A file that is gone when the test is.
struct Scratch(PathBuf);

impl Scratch {
    fn holding(name: &str, bytes: &[u8]) -> Self {
        let name = format!("alias-object-{}-{name}.o", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, bytes).expect("a temporary file");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn mpls() -> Vec<u8> {
    fs::read(object()).expect("the object")
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let found = bytes.windows(wanted.len()).position(|at| at == wanted);
    found.unwrap_or_else(|| panic!("no {wanted:?} in the object"))
}

/// The object with bytes changed at an offset from the description's magic.
fn described(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = mpls();
    let start = find(&bytes, &MAGIC);
    for (offset, new) in changes {
        bytes[start + offset..][..new.len()].copy_from_slice(new);
    }
    bytes
}

/// The object with one name for another of the same length.
fn renamed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = mpls();
    let quoted = format!("\0{from}\0");
    // In debug information too: only the symbol table's matters.
    let places: Vec<usize> = (0..bytes.len() - quoted.len())
        .filter(|at| bytes[*at..].starts_with(quoted.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "no {from} in the object");
    for at in places {
        bytes[at + 1..][..to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// Where a section's bytes are in a 64-bit little-endian ELF file.
pub(super) fn section(bytes: &[u8], wanted: &str) -> Range<usize> {
    let word = |at: usize, len: usize| {
        let mut word = [0; 8];
        word[..len].copy_from_slice(&bytes[at..at + len]);
        u64::from_le_bytes(word) as usize
    };
    let (table, size) = (word(0x28, 8), word(0x3a, 2));
    let (count, names) = (word(0x3c, 2), word(0x3e, 2));
    let offset = |number: usize| word(table + number * size + 0x18, 8);
    let name = |number: usize| {
        let at = offset(names) + word(table + number * size, 4);
        let end = find(&bytes[at..], b"\0");
        &bytes[at..at + end]
    };
    let found = (0..count).find(|number| name(*number) == wanted.as_bytes());
    let found = found.unwrap_or_else(|| panic!("no section {wanted}"));
    let size = word(table + found * size + 0x20, 8);
    offset(found)..offset(found) + size
}

#[track_caller]
fn check(lab: &Lab, what: &str, bytes: &[u8], errno: &str, reason: &str) {
    let before = (lab.snapshot(), lab.pins(), registered(lab));
    let file = Scratch::holding(&what.replace(' ', "-"), bytes);
    let message = lab.ctl_err(&["types", "add", &file.0.display().to_string()], errno);
    assert!(message.contains(reason), "{what}: {message}");
    assert!(!message.contains("panicked"), "{what}: {message}");
    lab.assert_unchanged(&before.0);
    assert_eq!(
        (lab.pins(), registered(lab)),
        (before.1, before.2),
        "{what}"
    );
}

#[test]
fn what_is_no_type_is_einval() {
    let lab = Lab::attached(Mode::Native);
    let whole = mpls();
    let mut noise = 0x0001_5eed_u64;
    let random: Vec<u8> = (0..4096)
        .map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise as u8
        })
        .collect();
    let engine = fs::read(object().with_file_name("types.bpf.o")).expect("an object");
    let machine = fs::read("/bin/true").expect("a program");
    for (what, bytes, reason) in [
        ("nothing", &b""[..], "not an ELF object"),
        ("random bytes", &random, "not an ELF object"),
        ("a header", &whole[..64], ""),
        ("half an object", &whole[..whole.len() / 2], ""),
        ("all but the end", &whole[..whole.len() - 100], ""),
        ("another machine's", &machine, "BPF"),
        ("the engine", &engine, "no section"),
        ("too long", &vec![0; (1 << 20) + 1], "larger than"),
    ] {
        check(&lab, what, bytes, "EINVAL", reason);
    }
    lab.ctl_err(&["types", "add", "/nonexistent.o"], "ENOENT");
    lab.ctl_err(&["types", "add", "/dev/zero"], "EINVAL");
    // A pipe that nobody writes to does not keep the lock.
    let pipe = std::env::temp_dir().join(format!("alias-t{}-pipe", std::process::id()));
    let pipe = pipe.display().to_string();
    lab.a.run(&format!("mkfifo {pipe}")).ok();
    lab.ctl_err(&["types", "add", &pipe], "EINVAL");
    std::fs::remove_file(&pipe).expect("a pipe of our own");
    lab.ctl_err(&["types", "add", "/"], "EINVAL");
}

#[test]
fn what_lies_about_itself_is_einval() {
    let lab = Lab::attached(Mode::Native);
    let generic = PROGRAM_GENERIC.replace("generic", "generix");
    for (what, bytes, reason) in [
        ("another magic", described(&[(0, b"X")]), "something else's"),
        ("another version", described(&[(8, &[2])]), "version 2"),
        ("no family", described(&[(12, &[0, 0])]), "family"),
        (
            "a length",
            described(&[(14, &[0, 1])]),
            "0x0100 is no ethertype",
        ),
        ("no bits", described(&[(16, &[0])]), "0 bits"),
        ("too many bits", described(&[(16, &[200])]), "200 bits"),
        ("no format", described(&[(17, &[99])]), "format 99"),
        ("no name", described(&[(20, &[0])]), "name"),
        ("an evil name", described(&[(20, b"../x")]), "name"),
        (
            "no generic program",
            renamed(PROGRAM_GENERIC, &generic),
            "no program",
        ),
        (
            "a map of its own",
            renamed("found", "fount"),
            "a map of its own",
        ),
    ] {
        check(&lab, what, &bytes, "EINVAL", reason);
    }
}

#[test]
fn what_is_taken_is_eexist() {
    let lab = with_mpls(Mode::Native);
    let other = |changes: &[(usize, &[u8])]| {
        let mut all: Vec<(usize, &[u8])> =
            vec![(12, &[29, 0]), (14, &[0x48, 0x88]), (20, b"spare")];
        all.extend_from_slice(changes);
        described(&all)
    };
    for (what, bytes, reason) in [
        ("the same again", mpls(), "family 28"),
        (
            "its family",
            other(&[(12, &[28, 0])]),
            "family 28 is mpls's",
        ),
        ("its name", other(&[(20, b"mpls\0")]), "the name mpls"),
        (
            "its ethertype",
            other(&[(14, &[0x47, 0x88])]),
            "0x8847 is mpls's",
        ),
        ("IPv4's family", other(&[(12, &[2, 0])]), "family 2 is ip's"),
        (
            "IPv4's ethertype",
            other(&[(14, &[0, 8])]),
            "0x0800 is built in",
        ),
        (
            "ARP's ethertype",
            other(&[(14, &[6, 8])]),
            "0x0806 is built in",
        ),
        (
            "a tag's ethertype",
            other(&[(14, &[0, 0x81])]),
            "0x8100 is built in",
        ),
    ] {
        check(&lab, what, &bytes, "EEXIST", reason);
    }
    // Another that takes nothing of the first's is welcome.
    let file = Scratch::holding("spare", &other(&[]));
    lab.ctl_ok(&["types", "add", &path(&file.0)]);
    assert_eq!(registered(&lab).len(), 2);
    lab.ctl_ok(&["types", "del", "mpls"]);
    lab.ctl_ok(&["add", "eth0:0", "5", "--family", "spare", "--drop"]);
}

#[test]
fn what_the_verifier_refuses_is_told_in_its_words() {
    for mode in [Mode::Native, Mode::Generic] {
        let lab = Lab::attached(mode);
        for name in ["xdp.frags", "xdp"] {
            let mut bytes = mpls();
            let start = section(&bytes, name).start;
            // r0 = *(u64 *)(r0 + 0): of a register that holds nothing yet.
            bytes[start..start + 8].copy_from_slice(&[0x79, 0, 0, 0, 0, 0, 0, 0]);
            check(&lab, name, &bytes, "EACCES", "R0 !read_ok");
        }
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
