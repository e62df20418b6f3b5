//! `route` and `netstat` as commands: options, then a verb or a listing.

use crate::error::{Refusal, Result};

use super::{Action, Command, Families, Listing, Style, argument, change, once, refused};

/// Options in front of the verb.
#[derive(Default)]
struct Options {
    inet6: Option<bool>,
    bsd: Option<bool>,
    json: bool,
    /// `-e`: Linux's other columns.
    extended: bool,
    /// netstat's `-r`.
    routes: bool,
}

/// Reads the words behind `route`.
///
/// # Errors
///
/// EINVAL for a word that is not understood.
pub fn route(words: &[String]) -> Result<Command> {
    let (options, rest) = Options::read(words, "neNvqF46j")?;
    let action = match rest.split_first() {
        None => {
            let style = match options.extended {
                true => Style::LinuxNetstat,
                false => Style::LinuxRoute,
            };
            return Ok(Command::List(options.listing(style)));
        }
        Some((verb, _)) if verb == "add" => Action::Add,
        Some((verb, _)) if verb == "del" || verb == "delete" => Action::Delete,
        Some((word, _)) => return Err(refused(word, "unknown word")),
    };
    if options.bsd.is_some() || options.json {
        return Err(refused(
            &rest[0],
            "a style and JSON are for the listing, not for a change",
        ));
    }
    let wanted = change::read(action, &rest[1..], options.inet6)?;
    Ok(Command::Change(action, wanted))
}

/// Reads the words behind `netstat`.
///
/// # Errors
///
/// EINVAL for a word that is not understood, EOPNOTSUPP for what is no routing table.
pub fn netstat(words: &[String]) -> Result<Listing> {
    let (options, rest) = Options::read(words, "rneNvW46j")?;
    if let Some(word) = rest.first() {
        return Err(refused(word, "unknown word"));
    }
    if !options.routes {
        return Err(Refusal::new(
            "netstat",
            "list",
            "only the routing table is shown here",
            libc::EOPNOTSUPP,
        )
        .hint("netstat -rn; for what aliases sent and received: alias-ctl stats"));
    }
    Ok(options.listing(Style::LinuxNetstat))
}

impl Options {
    /// Reads words that begin with a dash; `letters` are the ones known, which may
    /// stand together as in `-rn`. Returns what follows, too.
    fn read<'a>(words: &'a [String], letters: &str) -> Result<(Options, &'a [String])> {
        let mut options = Options::default();
        let mut iter = words.iter();
        loop {
            let rest = iter.as_slice();
            let Some(word) = iter.next().filter(|word| word.starts_with('-')) else {
                return Ok((options, rest));
            };
            match word.as_str() {
                "--style" => {
                    let style = argument(&mut iter, word)?;
                    options.style(style, word)?;
                }
                "-A" | "-f" => {
                    let family = argument(&mut iter, word)?;
                    options.family(family, word)?;
                }
                "--inet" | "-inet" => once(&mut options.inet6, false, word)?,
                "--inet6" | "-inet6" => once(&mut options.inet6, true, word)?,
                "--json" => options.json = true,
                _ => match word.strip_prefix("--style=") {
                    Some(style) => options.style(style, word)?,
                    None => options.letters(word, letters)?,
                },
            }
        }
    }

    fn style(&mut self, style: &str, word: &str) -> Result<()> {
        match style {
            "linux" => once(&mut self.bsd, false, word),
            "bsd" => once(&mut self.bsd, true, word),
            _ => Err(refused(style, "no such style: linux or bsd")),
        }
    }

    fn family(&mut self, family: &str, word: &str) -> Result<()> {
        match family {
            "inet" => once(&mut self.inet6, false, word),
            "inet6" => once(&mut self.inet6, true, word),
            _ => Err(refused(family, "no such family: inet or inet6")),
        }
    }

    fn letters(&mut self, word: &str, known: &str) -> Result<()> {
        let letters = &word[1..];
        if letters.is_empty() || !letters.chars().all(|letter| known.contains(letter)) {
            return Err(refused(word, "unknown word"));
        }
        for letter in letters.chars() {
            match letter {
                '4' => once(&mut self.inet6, false, word)?,
                '6' => once(&mut self.inet6, true, word)?,
                'j' => self.json = true,
                'e' => self.extended = true,
                'r' => self.routes = true,
                // No name is ever looked up, nothing is shortened, and there is no
                // routing cache: the others ask for what is so anyway.
                _ => {}
            }
        }
        Ok(())
    }

    /// Linux shows one family, IPv4 unless told; BSD shows both.
    fn listing(&self, linux: Style) -> Listing {
        let bsd = self.bsd == Some(true);
        Listing {
            families: match self.inet6 {
                Some(true) => Families::Inet6,
                None if bsd || self.json => Families::Both,
                _ => Families::Inet,
            },
            style: if bsd { Style::Bsd } else { linux },
            json: self.json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn listings() {
        use Families::{Both, Inet, Inet6};
        use Style::{Bsd, LinuxNetstat, LinuxRoute};
        for (line, expected) in [
            ("route", Some((Inet, LinuxRoute))),
            ("route -n", Some((Inet, LinuxRoute))),
            ("route -ne", Some((Inet, LinuxNetstat))),
            ("route -n -e", Some((Inet, LinuxNetstat))),
            ("route -n -6", Some((Inet6, LinuxRoute))),
            ("route -n6", Some((Inet6, LinuxRoute))),
            ("route -A inet6 -n", Some((Inet6, LinuxRoute))),
            ("route --inet6", Some((Inet6, LinuxRoute))),
            ("route -n --style bsd", Some((Both, Bsd))),
            ("route --style=linux", Some((Inet, LinuxRoute))),
            ("netstat -rn", Some((Inet, LinuxNetstat))),
            ("netstat -nr", Some((Inet, LinuxNetstat))),
            ("netstat -r -n", Some((Inet, LinuxNetstat))),
            ("netstat -rn6", Some((Inet6, LinuxNetstat))),
            ("netstat -rn --style bsd", Some((Both, Bsd))),
            ("netstat -rn --style bsd -f inet6", Some((Inet6, Bsd))),
            ("netstat -rn --style bsd -f inet", Some((Inet, Bsd))),
            ("netstat -n", None),
            ("netstat", None),
            ("netstat -rn eth0:0", None),
            ("netstat -rnx", None),
            ("route -x", None),
            ("route -", None),
            ("route -n -4 -6", None),
            ("route --style aix", None),
            ("route --style", None),
            ("route -A ax25", None),
            ("route flush", None),
            ("route -n show", None),
        ] {
            let all = words(line);
            let found = match all[0].as_str() {
                "netstat" => netstat(&all[1..]).ok(),
                _ => match route(&all[1..]) {
                    Ok(Command::List(listing)) => Some(listing),
                    _ => None,
                },
            };
            let found = found.map(|listing| (listing.families, listing.style));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn verbs() {
        for (line, expected) in [
            ("add -host 203.0.113.7 dev eth0:0", Some(Action::Add)),
            ("-n add 203.0.113.7 192.0.2.1", Some(Action::Add)),
            ("del 203.0.113.7", Some(Action::Delete)),
            ("delete 203.0.113.7", Some(Action::Delete)),
            ("-A inet6 add default dev eth0:0", Some(Action::Add)),
            ("-A inet6 add 203.0.113.7 dev eth0:0", None),
            ("change 203.0.113.7 192.0.2.1", None),
            ("add", None),
            ("--style bsd add 203.0.113.7 192.0.2.1", None),
            ("add 203.0.113.7 192.0.2.1 --style bsd", None),
        ] {
            let found = match route(&words(line)) {
                Ok(Command::Change(action, _)) => Some(action),
                _ => None,
            };
            assert_eq!(found, expected, "{line}");
        }
    }
}
