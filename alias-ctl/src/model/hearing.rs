//! What a device hears of what is said to everybody, in words.

use alias_common::hearer::Hear;

use crate::error::{Refusal, Result};

const WORDS: [(&str, Hear); 2] = [
    ("multicast", Hear::MULTICAST),
    ("broadcast", Hear::BROADCAST),
];
const NONE: &str = "none";

/// The words for what is heard, none for nothing.
pub fn listed(hear: Hear) -> impl Iterator<Item = &'static str> {
    let has = move |(_, part): &(&str, Hear)| hear.has(*part);
    WORDS.into_iter().filter(has).map(|(word, _)| word)
}

/// The same as one word, which [`parse`] reads; `none` for nothing.
#[must_use]
pub fn word(hear: Hear) -> String {
    match hear.is_nothing() {
        true => NONE.to_owned(),
        false => listed(hear).collect::<Vec<_>>().join(","),
    }
}

/// Reads one or several of the words, with commas between them, or `none`.
///
/// # Errors
///
/// EINVAL for another word.
pub fn parse(text: &str) -> Result<Hear> {
    if text == NONE {
        return Ok(Hear::NOTHING);
    }
    text.split(',').try_fold(Hear::NOTHING, |hear, part| {
        let found = WORDS.iter().find(|(word, _)| *word == part);
        match found {
            Some((_, more)) => Ok(hear.and(*more)),
            None => Err(Refusal::new(
                text,
                "read what to hear",
                format!("{part:?} is unknown"),
                libc::EINVAL,
            )
            .hint("write multicast, broadcast, or multicast,broadcast; none takes it back")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{parse, word};

    #[test]
    fn words_are_read_back_and_others_refused() {
        for (text, written) in [
            ("none", "none"),
            ("multicast", "multicast"),
            ("broadcast", "broadcast"),
            ("broadcast,multicast", "multicast,broadcast"),
            ("multicast,multicast", "multicast"),
        ] {
            assert_eq!(word(parse(text).unwrap()), written, "{text}");
        }
        for text in [
            "",
            "all",
            "multicast,",
            "none,multicast",
            "Multicast",
            "multicast broadcast",
        ] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.errno, libc::EINVAL, "{text}");
        }
    }
}
