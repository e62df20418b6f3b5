//! Which build of the programs a parent runs: a mark beside its pins, that whoever loads
//! programs leaves there. Two builds of one version of the ABI understand each other's maps,
//! and differ in their programs.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;

use super::shape::{self, Shape, open_pin};
use super::{embedded, sys};
use crate::error::{Refusal, Result};

/// Name that the mark is pinned under.
const BUILD: &str = "build";

/// Bytes of a mark: the digest, then the version, padded with zero bytes.
const LEN: usize = 32;

/// The map that is the mark. It is no part of the datapath's ABI: what has none is of a build
/// before there were marks.
const SHAPE: Shape = Shape {
    name: BUILD,
    kind: shape::ARRAY,
    value_size: LEN as u32,
    max_entries: 1,
    flags: 0,
};

/// A build of the programs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Build {
    /// Of all objects that its `alias-ctl` carries.
    digest: u64,
    /// Version of that `alias-ctl`.
    version: String,
}

impl Build {
    /// That of this binary.
    #[must_use]
    pub fn own() -> &'static Build {
        static OWN: OnceLock<Build> = OnceLock::new();
        OWN.get_or_init(|| Build {
            digest: digest(&[
                embedded::DATAPATH,
                embedded::TYPES,
                embedded::TCP_OPTIONS,
                embedded::LISTING,
            ]),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// The mark among these pins; `None` where a build left them that makes no marks.
    ///
    /// # Errors
    ///
    /// EINVAL when it is no mark; that of opening it.
    pub fn of(pins: &Path) -> Result<Option<Build>> {
        let Some(map) = open_pin(pins, BUILD)? else {
            return Ok(None);
        };
        shape::check(pins, &map, SHAPE)?;
        let bytes = sys::map_lookup::<LEN>(map.as_fd(), 0)
            .map_err(|error| Refusal::io(pins.join(BUILD).display().to_string(), "read", &error))?;
        Ok(bytes.map(Build::read))
    }

    /// Whether what these pins hold was loaded by this binary, or one with the same objects.
    ///
    /// # Errors
    ///
    /// As for [`Build::of`].
    pub fn is_own(pins: &Path) -> Result<bool> {
        let found = Build::of(pins)?;
        Ok(found.is_some_and(|found| found.digest == Build::own().digest))
    }

    /// Leaves the mark among pins, in place of one that is there.
    pub(super) fn pin(&self, pins: &Path) -> io::Result<()> {
        let pin = pins.join(BUILD);
        match sys::obj_get(&pin) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let map = shape::create(SHAPE, None)?;
                sys::map_update(map.as_fd(), 0, &self.bytes())?;
                sys::obj_pin(map.as_fd(), &pin)?;
                fs::set_permissions(&pin, fs::Permissions::from_mode(0o600))
            }
            // Who reads it meanwhile reads a build that is nobody's, at worst.
            map => sys::map_update(map?.as_fd(), 0, &self.bytes()),
        }
    }

    fn bytes(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&self.digest.to_le_bytes());
        for (to, from) in bytes[8..].iter_mut().zip(self.version.bytes()) {
            *to = from;
        }
        bytes
    }

    fn read(bytes: [u8; LEN]) -> Build {
        let [a, b, c, d, e, f, g, h, version @ ..] = bytes;
        let end = version.iter().position(|byte| *byte == 0);
        let version = &version[..end.unwrap_or(version.len())];
        Build {
            digest: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            version: String::from_utf8_lossy(version).into_owned(),
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:016x})", self.version, self.digest)
    }
}

/// What a build is called that may have no mark.
#[must_use]
pub fn name(build: Option<&Build>) -> String {
    build.map_or_else(|| "unmarked".to_owned(), Build::to_string)
}

/// FNV-1a, of eight bytes at a time: nobody has an interest in two builds that look alike,
/// and all of an object is read on the way.
fn digest(objects: &[&[u8]]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, word: u64| {
        let hash = (hash ^ word).wrapping_mul(PRIME);
        // A product's low bits depend on low bits only.
        hash ^ hash >> 32
    };
    objects.iter().fold(BASIS, |hash, object| {
        let (words, rest) = object.as_chunks::<8>();
        let hash = words
            .iter()
            .fold(hash, |hash, word| step(hash, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        step(step(hash, u64::from_le_bytes(last)), object.len() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_was_marked() {
        for version in ["0.1.0", "", "12.34.56-rc.78+build.9012"] {
            let build = Build {
                digest: 0x1234_5678_9abc_def0,
                version: version.to_owned(),
            };
            let read = Build::read(build.bytes());
            assert_eq!(read.digest, build.digest);
            assert!(version.starts_with(&read.version), "{version}: {read}");
        }
    }

    #[test]
    fn each_byte_and_each_border_counts() {
        let all = digest(&[b"one object of some bytes", b"and another"]);
        for others in [
            [&b"one object of some byteS"[..], b"and another"],
            [b"One object of some bytes", b"and another"],
            [b"one object of some bytes", b"and anotheR"],
            [b"one object of some bytesa", b"nd another"],
            [b"and another", b"one object of some bytes"],
            [b"one object of some bytes", b"and another\0"],
        ] {
            assert_ne!(digest(&others), all, "{others:?}");
        }
    }
}
