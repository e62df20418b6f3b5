//! TCP options of an alias in AIX's words: `tcp_nodelay 1`, and `-tcp_nodelay` for
//! the system's default again.

use alias_common::tcp_options::{TcpOption, TcpOptions};

use crate::error::{Refusal, Result};

/// What of the options shall change: a value, or the system's default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TcpChange(Vec<(TcpOption, Option<u32>)>);

impl TcpChange {
    /// Adds one change; a later one of the same option wins.
    pub fn push(&mut self, option: TcpOption, value: Option<u32>) {
        self.0.push((option, value));
    }

    /// The change that makes any options these.
    #[must_use]
    pub fn to(options: &TcpOptions) -> TcpChange {
        let all = TcpOption::ALL.into_iter();
        TcpChange(all.map(|option| (option, options.get(option))).collect())
    }

    /// Whether nothing shall change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values that are asked for.
    pub fn given(&self) -> impl Iterator<Item = (TcpOption, u32)> {
        self.0
            .iter()
            .filter_map(|&(option, value)| Some((option, value?)))
    }

    /// The options as they shall be.
    #[must_use]
    pub fn applied_to(&self, mut options: TcpOptions) -> TcpOptions {
        for &(option, value) in &self.0 {
            options.set(option, value);
        }
        options
    }

    /// Reads words of AIX's `ifconfig`: `WORD VALUE` or `-WORD`. Returns the number
    /// of words that were read; 0 when the first is no such option.
    ///
    /// # Errors
    ///
    /// EINVAL when the value is missing, no number or out of range.
    pub fn read(&mut self, words: &[&str]) -> Result<usize> {
        let Some(first) = words.first() else {
            return Ok(0);
        };
        if let Some(option) = first.strip_prefix('-').and_then(by_word) {
            self.push(option, None);
            return Ok(1);
        }
        let Some(option) = by_word(first) else {
            return Ok(0);
        };
        let text = words.get(1).copied().unwrap_or("");
        self.push(option, Some(parse(option, text)?));
        Ok(2)
    }
}

/// The options that were given, with their words.
pub fn listed(options: &TcpOptions) -> impl Iterator<Item = (&'static str, u32)> {
    let options = *options;
    TcpOption::ALL
        .into_iter()
        .filter_map(move |option| Some((word(option), options.get(option)?)))
}

/// AIX's word.
#[must_use]
pub const fn word(option: TcpOption) -> &'static str {
    match option {
        TcpOption::Rfc1323 => "rfc1323",
        TcpOption::TcpNodelay => "tcp_nodelay",
        TcpOption::TcpSendspace => "tcp_sendspace",
        TcpOption::TcpRecvspace => "tcp_recvspace",
        TcpOption::TcpMssdflt => "tcp_mssdflt",
    }
}

/// The option of a word.
#[must_use]
pub fn by_word(text: &str) -> Option<TcpOption> {
    TcpOption::ALL
        .into_iter()
        .find(|option| word(*option) == text)
}

/// Reads a value. Which buffer sizes the kernel takes is asked later.
///
/// # Errors
///
/// EINVAL, naming the range.
pub fn parse(option: TcpOption, text: &str) -> Result<u32> {
    let (least, most) = range(option);
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let value = digits.then(|| text.parse::<u32>().ok()).flatten();
    value
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| out_of_range(option, text, least, most))
}

/// The refusal for a value outside of its range.
#[must_use]
pub fn out_of_range(option: TcpOption, value: &str, least: u32, most: u32) -> Refusal {
    let unit = match option {
        TcpOption::Rfc1323 | TcpOption::TcpNodelay => "",
        _ => " bytes",
    };
    let reason = format!("{value:?} is not a number from {least} to {most}{unit}");
    Refusal::new(word(option), "read value", reason, libc::EINVAL)
}

/// The least and the greatest value. `tcp_mssdflt`: `TCP_MIN_MSS` and
/// `MAX_TCP_WINDOW` of Linux 6.18, `include/net/tcp.h`; buffers: an `int`, doubled.
const fn range(option: TcpOption) -> (u32, u32) {
    match option {
        TcpOption::Rfc1323 | TcpOption::TcpNodelay => (0, 1),
        TcpOption::TcpSendspace | TcpOption::TcpRecvspace => (1, i32::MAX as u32 / 2),
        TcpOption::TcpMssdflt => (88, 32_767),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_aix() {
        for (words, expected) in [
            (&["tcp_nodelay", "1"][..], Ok((2, "tcp_nodelay=1"))),
            (&["tcp_nodelay", "0", "up"], Ok((2, "tcp_nodelay=0"))),
            (&["-tcp_nodelay"], Ok((1, ""))),
            (&["rfc1323", "1"], Ok((2, "rfc1323=1"))),
            (&["tcp_sendspace", "65536"], Ok((2, "tcp_sendspace=65536"))),
            (&["tcp_recvspace", "65536"], Ok((2, "tcp_recvspace=65536"))),
            (&["tcp_mssdflt", "88"], Ok((2, "tcp_mssdflt=88"))),
            (&["tcp_mssdflt", "32767"], Ok((2, "tcp_mssdflt=32767"))),
            (&["up"], Ok((0, ""))),
            (&[], Ok((0, ""))),
            (&["--tcp_nodelay"], Ok((0, ""))),
            (&["tcp_nodelay"], Err(())),
            (&["tcp_nodelay", "2"], Err(())),
            (&["tcp_nodelay", "on"], Err(())),
            (&["tcp_nodelay", "+1"], Err(())),
            (&["tcp_nodelay", "-1"], Err(())),
            (&["tcp_sendspace", "0"], Err(())),
            (&["tcp_sendspace", "1073741824"], Err(())),
            (&["tcp_recvspace", "99999999999"], Err(())),
            (&["tcp_mssdflt", "87"], Err(())),
            (&["tcp_mssdflt", "32768"], Err(())),
        ] {
            let mut change = TcpChange::default();
            let found = change.read(words);
            let options = change.applied_to(TcpOptions::default());
            let listed: Vec<String> = listed(&options)
                .map(|(word, value)| format!("{word}={value}"))
                .collect();
            match (found, expected) {
                (Ok(read), Ok((count, text))) => {
                    assert_eq!(
                        (read, listed.join(" ").as_str()),
                        (count, text),
                        "{words:?}"
                    );
                }
                (Err(refusal), Err(())) => assert_eq!(refusal.errno, libc::EINVAL, "{words:?}"),
                (found, expected) => panic!("{words:?}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn later_changes_win() {
        let mut change = TcpChange::default();
        let mut before = TcpOptions::default();
        before.set(TcpOption::TcpMssdflt, Some(1000));
        for words in [
            ["tcp_nodelay", "1"],
            ["-tcp_mssdflt", ""],
            ["tcp_nodelay", "0"],
        ] {
            change.read(&words).unwrap();
        }
        let after: Vec<_> = listed(&change.applied_to(before)).collect();
        assert_eq!(after, [("tcp_nodelay", 0)]);
    }
}
