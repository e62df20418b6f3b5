//! Which mirror of Debian: the one this machine's own apt uses, because that is
//! the one that can be reached from here; else Debian's own.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Debian is when this machine's apt says nothing of it.
const ARCHIVE: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://deb.debian.org/debian-security";

/// The suites of Debian that a machine may have for its own.
const SUITES: &[&str] = &[
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// A mirror of Debian's archive and one of its security updates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mirrors {
    pub(crate) archive: String,
    security: String,
}

impl Mirrors {
    /// What this machine's apt uses.
    pub(crate) fn of_this_machine() -> Self {
        let mut found = Vec::new();
        for file in source_files(Path::new("/etc/apt")) {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            if file.extension().is_some_and(|ending| ending == "sources") {
                found.extend(from_stanzas(&text));
            } else {
                found.extend(from_lines(&text));
            }
        }
        Self::among(&found)
    }

    fn among(found: &[Source]) -> Self {
        let first = |named: &str, else_: &str| {
            found
                .iter()
                .filter(|source| source.is_debian())
                .filter_map(|source| resolved(&source.uri))
                .find(|uri| uri.trim_end_matches('/').ends_with(named))
                .unwrap_or_else(|| else_.to_owned())
        };
        Self {
            archive: first("/debian", ARCHIVE),
            security: first("/debian-security", SECURITY),
        }
    }

    /// The lines of a sources.list with all suites of these releases.
    pub(crate) fn sources(&self, releases: &[&str], keyring: &str) -> String {
        let mut lines = String::new();
        let mut line = |uri: &str, suite: String| {
            lines.push_str(&format!("deb [signed-by={keyring}] {uri} {suite} main\n"));
        };
        for release in releases {
            for part in ["", "-updates", "-backports"] {
                line(&self.archive, format!("{release}{part}"));
            }
            line(&self.security, format!("{release}-security"));
        }
        lines
    }

    pub(crate) fn shown(&self) -> String {
        format!("{} and {}", self.archive, self.security)
    }
}

/// One place and what is taken from it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
    components: Vec<String>,
}

impl Source {
    /// Others have suites of Debian's names too, but hardly under a directory
    /// called debian with a component called main.
    fn is_debian(&self) -> bool {
        let of_debian = |suite: &String| {
            SUITES
                .iter()
                .any(|name| suite.split(['-', '/']).next() == Some(*name))
        };
        self.suites.iter().any(of_debian) && self.components.iter().any(|name| name == "main")
    }
}

fn source_files(apt: &Path) -> Vec<PathBuf> {
    let mut files = vec![apt.join("sources.list")];
    let parts = fs::read_dir(apt.join("sources.list.d"));
    let mut parts: Vec<PathBuf> = parts
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    parts.sort_unstable();
    files.extend(parts);
    files
}

/// Debian's cloud images name a file that holds the mirrors.
fn resolved(uri: &str) -> Option<String> {
    let Some(file) = uri.strip_prefix("mirror+file:") else {
        return Some(uri.to_owned());
    };
    let file = Path::new("/").join(file.trim_start_matches('/'));
    let text = fs::read_to_string(file).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// Stanzas of `Key: value` (deb822), as in *.sources.
fn from_stanzas(text: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for stanza in text.split("\n\n") {
        let values = |key: &str| -> Vec<String> {
            stanza
                .lines()
                .filter_map(|line| line.split_once(':'))
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case(key))
                .flat_map(|(_, value)| value.split_whitespace())
                .map(str::to_owned)
                .collect()
        };
        if values("Enabled").iter().any(|value| value == "no") {
            continue;
        }
        for uri in values("URIs") {
            found.push(Source {
                uri,
                suites: values("Suites"),
                components: values("Components"),
            });
        }
    }
    found
}

/// `deb [options] URI suite component...`, as in *.list.
fn from_lines(text: &str) -> Vec<Source> {
    let source = |line: &str| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        Some(Source {
            uri: words.next()?,
            suites: vec![words.next()?],
            components: words.collect(),
        })
    };
    text.lines().filter_map(source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_mirrors_are_used() {
        let check = |name: &str, text: &str, archive: &str, security: &str| {
            let found = if name.ends_with(".sources") {
                from_stanzas(text)
            } else {
                from_lines(text)
            };
            let expected = Mirrors {
                archive: archive.to_owned(),
                security: security.to_owned(),
            };
            assert_eq!(Mirrors::among(&found), expected, "{text}");
        };
        check("none.list", "", ARCHIVE, SECURITY);
        check(
            "debian.sources",
            "Types: deb\n# a comment: with a colon\nURIs: http://m.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
             Types: deb\nURIs: http://m.example/debian-security\nSuites: bookworm-security\nComponents: main\n",
            "http://m.example/debian",
            "http://m.example/debian-security",
        );
        check(
            "sources.list",
            "# deb http://no.example/debian bookworm main\n\
             deb [signed-by=/x.gpg arch=amd64] https://m.example/debian/ trixie main contrib\n\
             deb https://m.example/debian-security trixie-security main\n",
            "https://m.example/debian/",
            "https://m.example/debian-security",
        );
        // Others': another component, another release's name, switched off.
        check(
            "others.sources",
            "URIs: https://d.example/linux/debian\nSuites: bookworm\nComponents: stable\n\n\
             URIs: http://u.example/ubuntu\nSuites: noble\nComponents: main\n\n\
             Enabled: no\nURIs: http://off.example/debian\nSuites: sid\nComponents: main\n",
            ARCHIVE,
            SECURITY,
        );
    }

    #[test]
    fn every_suite_of_a_release_is_a_source() {
        let mirrors = Mirrors {
            archive: "http://a".to_owned(),
            security: "http://s".to_owned(),
        };
        assert_eq!(
            mirrors.sources(&["trixie"], "/k.gpg"),
            "deb [signed-by=/k.gpg] http://a trixie main\n\
             deb [signed-by=/k.gpg] http://a trixie-updates main\n\
             deb [signed-by=/k.gpg] http://a trixie-backports main\n\
             deb [signed-by=/k.gpg] http://s trixie-security main\n"
        );
    }
}
