//! Which aliases are shown.

/// Words, all of which an alias must have in what is known of it; without a difference
/// between upper and lower case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    words: Vec<String>,
}

impl Filter {
    /// Of what was typed: words, with white space between.
    #[must_use]
    pub fn new(text: &str) -> Filter {
        let words = text.split_whitespace().map(str::to_lowercase);
        Filter {
            words: words.collect(),
        }
    }

    /// All aliases are shown.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether an alias is shown of which this is known. `text` is made lower case.
    pub fn admits(&self, text: &mut String) -> bool {
        if text.is_ascii() {
            text.make_ascii_lowercase();
        } else {
            *text = text.to_lowercase();
        }
        self.words.iter().all(|word| text.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_be_there() {
        let cases = [
            ("", true),
            ("  ", true),
            ("eth0:3", true),
            ("ETH0", true),
            ("192.0.2.1 web", true),
            ("web 192.0.2.1", true),
            ("web drop", false),
            ("\u{e9}T\u{c9}", true),
            ("eth0:4", false),
        ];
        for (typed, expected) in cases {
            let mut text = "eth0:3 192.0.2.13 device Web \u{c9}t\u{e9}".to_owned();
            assert_eq!(Filter::new(typed).admits(&mut text), expected, "{typed:?}");
        }
    }
}
