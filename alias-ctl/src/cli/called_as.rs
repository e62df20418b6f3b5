//! The binary under a verb's name: a link `route` to it is `alias-ctl route`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Verbs with a name that people know from elsewhere.
const NAMES: [&str; 3] = ["ifconfig", "netstat", "route"];

/// The words as they would be without the link: the verb in the second place.
pub(super) fn spelled_out(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let called = words.first().and_then(|word| Path::new(word).file_name());
    let verb = NAMES
        .into_iter()
        .find(|name| called == Some(OsStr::new(name)));
    if let Some(verb) = verb {
        words.insert(1, verb.into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_verbs() {
        for (line, expected) in [
            ("route add x", "route route add x"),
            ("/usr/local/sbin/route -n", "/usr/local/sbin/route route -n"),
            ("ifconfig -a", "ifconfig ifconfig -a"),
            ("./netstat -rn", "./netstat netstat -rn"),
            ("alias-ctl route -n", "alias-ctl route -n"),
            ("/route/alias-ctl show", "/route/alias-ctl show"),
            ("routes -n", "routes -n"),
            ("", ""),
        ] {
            let words = line.split_whitespace().map(OsString::from);
            let found = spelled_out(words).join(OsStr::new(" "));
            assert_eq!(found, expected, "{line}");
        }
    }
}
