//! Kernels to boot: Debian's cloud kernels, fetched and never installed, or an
//! image of the user's own. Each becomes an image and an archive of its modules.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

use crate::process;
use crate::workspace::Workspace;

use super::apt::Apt;
use super::modules;

/// Debian's flavour for virtual machines: small, and with every driver of those.
const FLAVOUR: &str = "-cloud-amd64";

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The newest of those that begin with these numbers.
    Series(Vec<u64>),
    /// An image of the user's own.
    Image(PathBuf),
}

impl Wanted {
    /// The newest that there is.
    pub(crate) const NEWEST: Self = Self::Series(Vec::new());

    fn is_met_by(&self, release: &str) -> bool {
        matches!(self, Self::Series(begin) if numbers(release).starts_with(begin))
    }
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "newest" {
            return Ok(Self::NEWEST);
        }
        if Path::new(word).is_file() {
            return Ok(Self::Image(PathBuf::from(word)));
        }
        let begin: Result<Vec<u64>, _> = word.split('.').map(str::parse).collect();
        begin.map(Self::Series).map_err(|_| {
            format!("neither a version (6.1, 6.12, newest) nor a file that is there: `{word}`")
        })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(begin) if begin.is_empty() => f.write_str("newest"),
            Self::Series(begin) => {
                let words: Vec<String> = begin.iter().map(u64::to_string).collect();
                f.write_str(&words.join("."))
            }
            Self::Image(path) => path.display().fmt(f),
        }
    }
}

/// A kernel that can be booted.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// As `uname -r` will say it.
    pub(crate) release: String,
    pub(crate) image: PathBuf,
    /// A cpio archive with its modules, when it has any.
    pub(crate) modules: Option<PathBuf>,
}

/// One of Debian's, from the cache below `home` or fetched into it.
pub(crate) fn debian(
    wanted: &Wanted,
    home: &Path,
    apt: &Result<Apt<'_>>,
    workspace: &Workspace,
) -> Result<Kernel> {
    let kernels = home.join("kernels");
    let fetched = match apt {
        Ok(apt) => fetched(wanted, &kernels, apt, workspace),
        Err(error) => Err(anyhow!("{error:#}")),
    };
    fetched.or_else(|error| {
        // Better one of last week than none.
        let kept = newest_kept(wanted, &kernels).with_context(|| {
            format!("kernel {wanted}: none is kept, and none can be fetched: {error:#}")
        })?;
        eprintln!(
            "vm: kernel {wanted}: {} is kept and taken: {error:#}",
            kept.release
        );
        Ok(kept)
    })
}

fn fetched(
    wanted: &Wanted,
    kernels: &Path,
    apt: &Apt<'_>,
    workspace: &Workspace,
) -> Result<Kernel> {
    let offered = apt.names("^linux-(image|binary|modules)-[0-9].*-cloud-amd64$")?;
    let candidate = candidates(&offered)
        .into_iter()
        .find(|candidate| wanted.is_met_by(&candidate.release))
        .context("Debian has none of that version for amd64 any more: name one that its package lists have, or an image of your own")?;
    let directory = kernels.join(&candidate.release);
    if !is_kept(&directory) {
        process::step(
            &format!("vm: fetching {}", candidate.packages.join(" ")),
            || fetch(&candidate, &directory, apt, workspace),
        )?;
    }
    Ok(kept(candidate.release, &directory))
}

/// One of the user's own, with its modules where they were given or usually are.
pub(crate) fn own(
    image: &Path,
    modules: Option<&Path>,
    home: &Path,
    workspace: &Workspace,
) -> Result<Kernel> {
    let head = fs::read(image)
        .with_context(|| format!("{}: cannot be read: check its rights", image.display()))?;
    let release = release_of(&head).with_context(|| {
        format!(
            "{}: no kernel image (bzImage) for x86: name arch/x86/boot/bzImage or a vmlinuz",
            image.display()
        )
    })?;
    let beside = image.parent().unwrap_or(Path::new("."));
    let found = match modules {
        Some(given) if !given.join("modules.dep").exists() && !given.join("kernel").is_dir() => {
            bail!(
                "{}: no modules in it: name the directory lib/modules/{release}",
                given.display()
            )
        }
        Some(given) => Some(given.to_owned()),
        None => [
            beside.join("lib/modules").join(&release),
            beside.join("../lib/modules").join(&release),
            beside.join("modules").join(&release),
            Path::new("/lib/modules").join(&release),
        ]
        .into_iter()
        .find(|directory| directory.is_dir()),
    };
    let directory = home.join("own").join(&release);
    fs::create_dir_all(&directory).with_context(|| cannot_make(&directory))?;
    let archive = match found {
        Some(found) => {
            let tree = directory.join("tree/lib/modules").join(&release);
            modules::select(&found, &tree, workspace)?;
            let archive = directory.join("modules.cpio");
            modules::pack(&directory.join("tree"), &release, &archive, workspace)?;
            Some(archive)
        }
        None => {
            eprintln!("vm: {release}: no modules beside it: everything has to be built in");
            None
        }
    };
    Ok(Kernel {
        release,
        image: image.to_owned(),
        modules: archive,
    })
}

/// A kernel that can be fetched, and the packages that make it up.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    release: String,
    packages: Vec<String>,
}

/// What of `apt-cache search`'s lines is a kernel with its modules; the newest
/// first. From 6.19 on image and modules are packages of their own.
fn candidates(offered: &str) -> Vec<Candidate> {
    let names: Vec<&str> = offered
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut found: Vec<Candidate> = Vec::new();
    let mut add = |version: &str, packages: Vec<String>| {
        // linux-image-6.12-cloud-amd64 only depends on one with all its numbers.
        let is_new = found
            .iter()
            .all(|known| !known.release.starts_with(version));
        if numbers(version).len() >= 3 && is_new {
            found.push(Candidate {
                release: format!("{version}{FLAVOUR}"),
                packages,
            });
        }
    };
    let version = |name: &str, begin: &str| -> Option<String> {
        let version = name.strip_prefix(begin)?.strip_suffix(FLAVOUR)?;
        version
            .starts_with(|first: char| first.is_ascii_digit())
            .then(|| version.to_owned())
    };
    for name in &names {
        if let Some(version) = version(name, "linux-binary-") {
            let modules = format!("linux-modules-{version}{FLAVOUR}");
            if names.contains(&modules.as_str()) {
                add(&version, vec![(*name).to_owned(), modules]);
            }
        }
    }
    for name in &names {
        if let Some(version) = version(name, "linux-image-") {
            let split = format!("linux-binary-{version}{FLAVOUR}");
            if !names.contains(&split.as_str()) {
                add(&version, vec![(*name).to_owned()]);
            }
        }
    }
    found.sort_by_key(|candidate| std::cmp::Reverse(numbers(&candidate.release)));
    found
}

/// The numbers in a version before its flavour, to compare by.
fn numbers(release: &str) -> Vec<u64> {
    let version = release.strip_suffix(FLAVOUR).unwrap_or(release);
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn fetch(
    candidate: &Candidate,
    directory: &Path,
    apt: &Apt<'_>,
    workspace: &Workspace,
) -> Result<()> {
    // What a run that was killed left.
    let _ = fs::remove_dir_all(directory);
    let unpacked = directory.join("unpacked");
    apt.unpack(&candidate.packages, &unpacked)?;
    let release = &candidate.release;
    let find = |places: &[String]| -> Result<PathBuf> {
        places
            .iter()
            .map(|place| unpacked.join(place))
            .find(|path| path.exists())
            .with_context(|| {
                format!(
                    "{}: not in what was fetched: the packages have changed, mend xtask/src/vm/kernel.rs",
                    places.join(" or ")
                )
            })
    };
    let image = find(&[
        format!("boot/vmlinuz-{release}"),
        format!("usr/lib/modules/{release}/vmlinuz"),
    ])?;
    let modules = find(&[
        format!("usr/lib/modules/{release}"),
        format!("lib/modules/{release}"),
    ])?;
    let tree = directory.join("tree");
    modules::select(&modules, &tree.join("lib/modules").join(release), workspace)?;
    modules::pack(&tree, release, &directory.join("modules.cpio"), workspace)?;
    fs::remove_dir_all(&tree).with_context(|| cannot_make(&tree))?;
    // Last, because it says that all is there.
    fs::rename(&image, directory.join("vmlinuz")).with_context(|| cannot_make(directory))?;
    fs::remove_dir_all(&unpacked).with_context(|| cannot_make(&unpacked))
}

fn is_kept(directory: &Path) -> bool {
    directory.join("vmlinuz").exists()
}

fn kept(release: String, directory: &Path) -> Kernel {
    Kernel {
        release,
        image: directory.join("vmlinuz"),
        modules: Some(directory.join("modules.cpio")),
    }
}

fn newest_kept(wanted: &Wanted, kernels: &Path) -> Option<Kernel> {
    let mut releases: Vec<String> = fs::read_dir(kernels)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|release| wanted.is_met_by(release) && is_kept(&kernels.join(release)))
        .collect();
    releases.sort_by_key(|release| numbers(release));
    let release = releases.pop()?;
    let directory = kernels.join(&release);
    Some(kept(release, &directory))
}

/// The release in an image's header (Documentation/arch/x86/boot.rst:
/// `kernel_version` at 0x20e, counted from 0x200).
fn release_of(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let offset = u16::from_le_bytes(image.get(0x20e..0x210)?.try_into().ok()?);
    let text = image.get(usize::from(offset) + 0x200..)?;
    let end = text.iter().position(|byte| *byte == b' ' || *byte == 0)?;
    let release = std::str::from_utf8(text.get(..end)?).ok()?;
    (!release.is_empty()).then(|| release.to_owned())
}

fn cannot_make(path: &Path) -> String {
    format!(
        "{}: cannot be made: check the directory's rights and space",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &str = "\
linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud
linux-image-6.1.0-57-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-57-cloud-amd64-dbg - Debug symbols
linux-image-6.12-cloud-amd64 - the newest 6.12
linux-image-6.12.99+deb12-cloud-amd64 - Linux 6.12
linux-image-6.12.118+deb13-cloud-amd64 - Linux 6.12
linux-image-6.12.118+deb13-cloud-amd64-unsigned - Linux 6.12
linux-image-7.3.4+deb13-cloud-amd64 - Linux 7.3, a meta package
linux-binary-7.3.4+deb13-cloud-amd64 - Linux 7.3
linux-modules-7.3.4+deb13-cloud-amd64 - Linux 7.3
linux-image-7.4.1+deb13-cloud-amd64 - its modules are gone
linux-binary-7.4.1+deb13-cloud-amd64 - its modules are gone
linux-image-cloud-amd64 - the newest";

    #[test]
    fn the_newest_of_a_series_is_chosen() {
        let check = |word: &str, expected: Option<(&str, &[&str])>| {
            let wanted: Wanted = word.parse().unwrap();
            let chosen = candidates(OFFERED)
                .into_iter()
                .find(|candidate| wanted.is_met_by(&candidate.release));
            let expected = expected.map(|(release, packages)| Candidate {
                release: release.to_owned(),
                packages: packages.iter().map(|&name| name.to_owned()).collect(),
            });
            assert_eq!(chosen, expected, "{word}");
            assert_eq!(wanted.to_string(), word);
        };
        check(
            "6.1",
            Some((
                "6.1.0-57-cloud-amd64",
                &["linux-image-6.1.0-57-cloud-amd64"],
            )),
        );
        check(
            "6.12",
            Some((
                "6.12.118+deb13-cloud-amd64",
                &["linux-image-6.12.118+deb13-cloud-amd64"],
            )),
        );
        check(
            "6.12.99",
            Some((
                "6.12.99+deb12-cloud-amd64",
                &["linux-image-6.12.99+deb12-cloud-amd64"],
            )),
        );
        check(
            "newest",
            Some((
                "7.3.4+deb13-cloud-amd64",
                &[
                    "linux-binary-7.3.4+deb13-cloud-amd64",
                    "linux-modules-7.3.4+deb13-cloud-amd64",
                ],
            )),
        );
        check("5.10", None);
    }

    #[test]
    fn what_is_neither_version_nor_file_is_refused() {
        for word in ["", "six", "6.x", "/no/such/vmlinuz"] {
            assert!(word.parse::<Wanted>().is_err(), "{word}");
        }
    }

    #[test]
    fn an_image_says_its_release() {
        let mut image = vec![0; 0x400];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        let text = b"6.18.5-test (someone@somewhere) #1";
        image[0x300..0x300 + text.len()].copy_from_slice(text);
        assert_eq!(release_of(&image).as_deref(), Some("6.18.5-test"));
        image[0x202] = 0;
        assert_eq!(release_of(&image), None);
        assert_eq!(release_of(b"short"), None);
    }
}
