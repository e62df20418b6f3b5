//! A list of addresses as people keep them in files: one a line, `#` comments,
//! empty lines. Pure: the text goes in.

use std::net::IpAddr;

use super::address;
use super::bits::bits;
use crate::error::{Refusal, Result};

/// Addresses of one list, all different and of one prefix length.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct List {
    /// What the list is called.
    name: String,
    /// Each with its line, in the list's order; at least one.
    entries: Vec<(IpAddr, u32)>,
    /// Prefix length of all.
    pub prefix_len: u8,
}

/// Which prefix lengths the addresses of a list may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lengths {
    /// All the same; this one where a line says none, `None`: all bits of the address.
    One(Option<u8>),
    /// Nobody asks for them.
    Any,
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// EINVAL for what is no list, and EEXIST for an address that stands there
    /// twice, with the line.
    pub fn parse(text: &str, name: &str, lengths: Lengths) -> Result<List> {
        let refused = |line: u32, refusal: Refusal| Refusal {
            object: format!("{name}:{line}: {}", shown(&refusal.object)),
            ..refusal
        };
        // What editors of other systems begin a file with.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut entries = Vec::new();
        let mut first: Option<(u8, u32)> = None;
        for (line, text) in (1u32..).zip(text.lines()) {
            let word = text.split_once('#').map_or(text, |(word, _)| word).trim();
            if word.is_empty() {
                continue;
            }
            let found = address::parse(word).map_err(|refusal| refused(line, refusal))?;
            let own = match lengths {
                Lengths::One(Some(length)) if !word.contains('/') => length,
                _ => found.prefix_len,
            };
            if own > bits(found.address) {
                let reason = format!("{own} is more than its {} bits", bits(found.address));
                let refusal = Refusal::new(word, "read prefix length", reason, libc::EINVAL);
                return Err(refused(line, refusal));
            }
            let (common, at) = *first.get_or_insert((own, line));
            if own != common && lengths != Lengths::Any {
                let reason =
                    format!("its prefix length is {own}, and that of line {at} is {common}");
                let refusal = Refusal::new(word, "read list", reason, libc::EINVAL);
                let refusal = refusal.hint("write a list for each prefix length");
                return Err(refused(line, refusal));
            }
            entries.push((found.address, line));
        }
        let Some((prefix_len, _)) = first else {
            return Err(
                Refusal::new(name, "read list", "there is no address in it", libc::EINVAL)
                    .hint("write an address a line"),
            );
        };
        if let Some((address, line, before)) = duplicate(&entries) {
            let reason = format!("line {before} has it already");
            let refusal = Refusal::new(address.to_string(), "read list", reason, libc::EEXIST);
            return Err(refused(line, refusal.hint("remove one of them")));
        }
        Ok(List {
            name: name.to_owned(),
            entries,
            prefix_len,
        })
    }

    /// The addresses, in the list's order.
    #[must_use]
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + '_ {
        self.entries.iter().map(|(address, _)| *address)
    }

    /// What errors call the `n`th address.
    #[must_use]
    pub fn object(&self, n: usize) -> String {
        self.entries
            .get(n)
            .map_or_else(String::new, |(address, line)| {
                format!("{}:{line}: {address}", self.name)
            })
    }
}

/// A word of somebody's file, as a terminal can show it.
fn shown(word: &str) -> String {
    /// The longest address has 45 characters, and a length 4.
    const LONGEST: usize = 60;
    let mut shown: String = word.chars().take(LONGEST).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    shown.escape_default().to_string().replace("\\u{2026}", "…")
}

/// An address that stands there twice, and both lines.
fn duplicate(entries: &[(IpAddr, u32)]) -> Option<(IpAddr, u32, u32)> {
    let same = |sorted: &[(IpAddr, u32)]| {
        let pairs = sorted.array_windows().find(|[a, b]| a.0 == b.0);
        pairs.map(|[a, b]| (a.0, b.1, a.1))
    };
    // Most lists are sorted.
    if entries.is_sorted() {
        return same(entries);
    }
    let mut sorted = entries.to_vec();
    sorted.sort_unstable();
    same(&sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        for (text, prefix_len, expected) in [
            (
                "192.0.2.1\n192.0.2.2\n",
                None,
                Ok((32, "192.0.2.1 192.0.2.2")),
            ),
            (
                "# ours\r\n\r\n 192.0.2.9 # b\r\n192.0.2.1#a",
                None,
                Ok((32, "192.0.2.9 192.0.2.1")),
            ),
            ("192.0.2.1\n", Some(24), Ok((24, "192.0.2.1"))),
            (
                "192.0.2.1/24\n192.0.2.2\n",
                Some(24),
                Ok((24, "192.0.2.1 192.0.2.2")),
            ),
            (
                "192.0.2.1/24\n198.51.100.1/24",
                None,
                Ok((24, "192.0.2.1 198.51.100.1")),
            ),
            (
                "2001:db8::1/64\n2001:db8::2/64",
                None,
                Ok((64, "2001:db8::1 2001:db8::2")),
            ),
            (
                "192.0.2.1/24\n2001:db8::1/24",
                None,
                Ok((24, "192.0.2.1 2001:db8::1")),
            ),
            ("\u{feff}192.0.2.1\n", None, Ok((32, "192.0.2.1"))),
            ("a\u{1b}[2Jb", None, Err(("EINVAL", "l:1: a\\u{1b}[2Jb: "))),
            ("", None, Err(("EINVAL", "l: "))),
            ("# nothing\n\n", None, Err(("EINVAL", "l: "))),
            ("192.0.2.1\n\nx\n", None, Err(("EINVAL", "l:3: x: "))),
            (
                "192.0.2.1 192.0.2.2",
                None,
                Err(("EINVAL", "l:1: 192.0.2.1 192.0.2.2: ")),
            ),
            ("127.0.0.1", None, Err(("EINVAL", "l:1: 127.0.0.1: "))),
            (
                "192.0.2.1\n2001:db8::1",
                None,
                Err(("EINVAL", "l:2: 2001:db8::1: ")),
            ),
            (
                "192.0.2.1/24\n192.0.2.2",
                None,
                Err(("EINVAL", "l:2: 192.0.2.2: ")),
            ),
            ("192.0.2.1", Some(33), Err(("EINVAL", "l:1: 192.0.2.1: "))),
            (
                "192.0.2.1\n192.0.2.1",
                None,
                Err(("EEXIST", "l:2: 192.0.2.1: ")),
            ),
            (
                "192.0.2.7\n192.0.2.1\n#\n192.0.2.7/32\n",
                None,
                Err(("EEXIST", "l:4: 192.0.2.7: read list: line 1 ")),
            ),
        ] {
            match (List::parse(text, "l", Lengths::One(prefix_len)), expected) {
                (Ok(list), Ok((length, addresses))) => {
                    let found: Vec<String> = list.addresses().map(|ip| ip.to_string()).collect();
                    assert_eq!(
                        (list.prefix_len, found.join(" ").as_str()),
                        (length, addresses),
                        "{text:?}"
                    );
                }
                (Err(refusal), Err((errno, begin))) => {
                    let message = refusal.to_string();
                    assert!(message.starts_with(begin), "{text:?}: {message}");
                    assert!(message.contains(&format!("({errno})")), "{message}");
                }
                (found, expected) => panic!("{text:?}: {found:?}, expected {expected:?}"),
            }
        }
    }
}
