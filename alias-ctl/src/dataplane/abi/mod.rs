//! Pins of other versions of the ABI: which can be read, what is said of the others, and the
//! readers, a module for each version. From 7 on every version has one, made together with
//! it: a change of the ABI adds a module, and adapts what the older ones turn into.

mod before;
mod fields;
mod v7;

use std::path::Path;

use alias_common::ABI_VERSION;

pub use before::Before;

use super::directory::Directory;
use crate::error::{Refusal, Result};

/// The versions that have a reader, in ascending order. The last is this binary's.
pub const READABLE: [u32; 1] = [v7::VERSION];

/// Reads what is pinned under a path by a version that has a reader.
///
/// # Errors
///
/// EINVAL when it is not what that version makes; EOPNOTSUPP for one without a reader.
pub fn open(path: &Path, version: u32) -> Result<Box<dyn Before>> {
    match version {
        v7::VERSION => Ok(Box::new(v7::Pins::open(path)?)),
        other => Err(refusal(&path.display().to_string(), "read", other)),
    }
}

/// The parents of this namespace whose pins are of other versions: version and ifindex, in
/// ascending order. None of those that are attached in this version too.
///
/// # Errors
///
/// That of reading the directory.
pub fn of_others(directory: &Directory) -> Result<Vec<(u32, u32)>> {
    let mut found = Vec::new();
    for version in directory.versions()? {
        if version != ABI_VERSION {
            let parents = directory.parents_of(version)?;
            found.extend(parents.into_iter().map(|ifindex| (version, ifindex)));
        }
    }
    if !found.is_empty() {
        let own = directory.parents()?;
        found.retain(|(_, ifindex)| !own.contains(ifindex));
        found.sort_unstable();
    }
    Ok(found)
}

/// The version that a device's pins are of, if it is another.
///
/// # Errors
///
/// That of reading the directory.
pub fn other_version(directory: &Directory, ifindex: u32) -> Result<Option<u32>> {
    let others = of_others(directory)?.into_iter();
    // Of several, what was last made.
    Ok(others
        .rev()
        .find(|(_, other)| *other == ifindex)
        .map(|(version, _)| version))
}

/// The refusal for a parent whose pins are of another version.
#[must_use]
pub fn refusal(device: &str, operation: &str, version: u32) -> Refusal {
    let refused = |reason: String| Refusal::new(device, operation, reason, libc::EOPNOTSUPP);
    if READABLE.contains(&version) {
        return refused(format!(
            "its pins are of version {version}, an older alias-ctl's; this one's are of {ABI_VERSION}"
        ))
        .hint(format!("alias-ctl upgrade {device}"));
    }
    if version > ABI_VERSION {
        return refused(format!(
            "its pins are of version {version}, a newer alias-ctl's; this one knows no later than {ABI_VERSION}"
        ))
        .hint("its packets flow as they did; use the alias-ctl that made them");
    }
    refused(format!(
        "its pins are of version {version}; this alias-ctl reads none before {}",
        READABLE[0]
    ))
    .hint(format!(
        "its packets flow as they did; detach it with the alias-ctl that made them, and add its \
         aliases (or restore) with this one: alias-ctl detach {device} --cascade"
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Whoever changes the ABI comes by here: the version gets a reader and a fixture.
    #[test]
    fn every_version_has_its_reader_and_its_fixture() {
        let expected: Vec<u32> = (7..=ABI_VERSION).collect();
        assert_eq!(READABLE.as_slice(), expected, "a reader for each version");
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dataplane/abi"));
        for version in READABLE {
            for file in [format!("v{version}.rs"), format!("v{version}.pins")] {
                assert!(here.join(&file).is_file(), "{file} is missing");
            }
        }
    }

    #[test]
    fn each_version_is_refused_with_its_own_way_out() {
        for (version, words) in [
            (6, ["version 6;", "detach eth0 --cascade"]),
            (ABI_VERSION + 1, ["a newer alias-ctl's", "made them"]),
            (7, ["", "upgrade eth0"]),
        ] {
            let text = refusal("eth0", "set", version).to_string();
            for word in words {
                assert!(text.contains(word), "{version}: {text}");
            }
            assert!(text.contains("(EOPNOTSUPP)"), "{text}");
        }
    }
}
