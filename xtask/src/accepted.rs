//! Which compilers may make the eBPF objects by themselves, and which of those
//! that are here does. What the verifier takes depends on what the compiler
//! emits, so a compiler is accepted after its objects were loaded, never because
//! it is new. Pure: it asks nothing of the machine. docs/TOOLCHAIN.md has the
//! list for people.

use std::ops::RangeInclusive;

/// The nightly for rustup, by its date: plain `nightly` is another compiler
/// every day, this one can be fetched as it was.
pub(crate) const NIGHTLY: &str = "nightly-2026-03-01";

/// Where people read what this file decides.
pub(crate) const DOCUMENT: &str = "docs/TOOLCHAIN.md";

/// Compilers that were tried: (the LLVM's major, the releases as (1, minor)).
const ACCEPTED: &[(u32, RangeInclusive<(u32, u32)>)] = &[(22, (1, 95)..=(1, 97))];

/// How a compiler stands to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Both its release and its LLVM were tried.
    Listed,
    /// Its LLVM was tried, but with other releases. Most of what the verifier
    /// sees is LLVM's work, so it serves where nothing better can be had.
    OtherRelease,
    /// Its LLVM was not tried.
    OtherLlvm,
}

/// What makes the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The packaged compiler at this place among those that were found.
    Packaged(usize),
    /// The dated nightly.
    Nightly,
    /// None of them: something is to be installed.
    Nothing,
}

/// How the compiler with this `major.minor` of a release and this LLVM stands.
pub(crate) fn standing(release: (u32, u32), llvm: u32) -> Standing {
    let mut standing = Standing::OtherLlvm;
    for (major, releases) in ACCEPTED {
        if *major == llvm {
            if releases.contains(&release) {
                return Standing::Listed;
            }
            standing = Standing::OtherRelease;
        }
    }
    standing
}

/// Chooses among the packaged compilers, best first, and the dated nightly.
/// Where rustup is, that nightly can always be had, so that nothing which is not
/// on the list is chosen there.
pub(crate) fn choose(packaged: &[Standing], nightly: bool, rustup: bool) -> Choice {
    let first = |wanted: Standing| packaged.iter().position(|standing| *standing == wanted);
    if let Some(place) = first(Standing::Listed) {
        return Choice::Packaged(place);
    }
    if nightly {
        return Choice::Nightly;
    }
    match first(Standing::OtherRelease) {
        Some(place) if !rustup => Choice::Packaged(place),
        _ => Choice::Nothing,
    }
}

/// The list for messages: `LLVM 22 (rustc 1.95 to 1.97)`.
pub(crate) fn shown() -> String {
    ACCEPTED
        .iter()
        .map(|(llvm, releases)| {
            let ((major, first), (_, last)) = (releases.start(), releases.end());
            format!("LLVM {llvm} (rustc {major}.{first} to {major}.{last})")
        })
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::Standing::{Listed, OtherLlvm, OtherRelease};
    use super::*;

    #[test]
    fn only_what_was_tried_is_on_the_list() {
        let check = |release: (u32, u32), llvm: u32, expected: Standing| {
            assert_eq!(standing(release, llvm), expected, "{release:?} LLVM {llvm}");
        };
        check((1, 94), 22, OtherRelease);
        check((1, 95), 22, Listed);
        check((1, 96), 22, Listed);
        check((1, 97), 22, Listed);
        check((1, 98), 22, OtherRelease);
        check((2, 96), 22, OtherRelease);
        check((1, 96), 21, OtherLlvm);
        check((1, 97), 23, OtherLlvm);
        check((1, 101), 23, OtherLlvm);
    }

    #[test]
    fn the_compiler_is_chosen() {
        let check = |packaged: &[Standing], nightly: bool, rustup: bool, expected: Choice| {
            assert_eq!(
                choose(packaged, nightly, rustup),
                expected,
                "{packaged:?}, dated nightly {nightly}, rustup {rustup}"
            );
        };
        // A bare machine, without and with rustup.
        check(&[], false, false, Choice::Nothing);
        check(&[], false, true, Choice::Nothing);
        check(&[], true, true, Choice::Nightly);
        // Debian today; the nightly is no reason to leave it.
        check(&[Listed], false, false, Choice::Packaged(0));
        check(&[Listed], true, true, Choice::Packaged(0));
        check(&[OtherLlvm, Listed], true, true, Choice::Packaged(1));
        check(&[OtherRelease, Listed], false, false, Choice::Packaged(1));
        // Debian's compiler moved on within its LLVM.
        check(&[OtherRelease], false, false, Choice::Packaged(0));
        check(&[OtherRelease], false, true, Choice::Nothing);
        check(&[OtherRelease], true, true, Choice::Nightly);
        // ... and to another LLVM.
        check(&[OtherLlvm], false, false, Choice::Nothing);
        check(&[OtherLlvm], false, true, Choice::Nothing);
        check(&[OtherLlvm], true, true, Choice::Nightly);
        check(
            &[OtherLlvm, OtherRelease],
            false,
            false,
            Choice::Packaged(1),
        );
    }

    #[test]
    fn the_nightly_has_a_date() {
        let date = NIGHTLY.strip_prefix("nightly-").unwrap();
        let parts: Vec<usize> = date.split('-').map(str::len).collect();
        assert_eq!(parts, [4, 2, 2], "{NIGHTLY}");
        assert!(date.chars().all(|c| c == '-' || c.is_ascii_digit()));
    }

    #[test]
    fn the_list_is_shown() {
        assert_eq!(shown(), "LLVM 22 (rustc 1.95 to 1.97)");
    }

    #[test]
    fn the_document_names_the_nightly() {
        let text = include_str!("../../docs/TOOLCHAIN.md");
        assert!(text.contains(NIGHTLY), "{DOCUMENT} does not name {NIGHTLY}");
        for (llvm, _) in ACCEPTED {
            assert!(
                text.contains(&format!("| {llvm} |")),
                "{DOCUMENT} has no row of LLVM {llvm}"
            );
        }
    }
}
