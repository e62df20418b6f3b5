//! `completions` and `man`: what a package puts beside the binary, made of the
//! same definitions that read the command line.

use std::fs;
use std::io;

use clap::CommandFactory;

use super::arguments::{Arguments, Completions, Man};
use crate::error::{Refusal, Result};

const NAME: &str = "alias-ctl";

/// The script that makes a shell complete the words of the command line.
pub(super) fn completions(words: &Completions) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(words.shell, &mut Arguments::command(), NAME, &mut script);
    script
}

/// Writes the manual pages.
///
/// # Errors
///
/// That of writing a file.
pub(super) fn man(words: &Man) -> Result<()> {
    let directory = &words.directory;
    let refused = |error: &io::Error| {
        Refusal::io(directory.display().to_string(), "write manual pages", error)
    };
    fs::create_dir_all(directory).map_err(|error| refused(&error))?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell;

    use super::*;

    #[test]
    fn every_shell_has_a_script() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::Zsh] {
            let script = completions(&Completions { shell });
            let script = String::from_utf8(script).expect("scripts are text");
            assert!(script.contains("max-aliases"), "{shell}");
        }
    }

    #[test]
    fn every_verb_has_a_page() {
        let directory = std::env::temp_dir().join(format!("alias-man-{}", std::process::id()));
        man(&Man {
            directory: directory.clone(),
        })
        .expect("a directory of our own");
        let page = |verb: &str| fs::read_to_string(directory.join(format!("alias-ctl{verb}.1")));
        let missing: Vec<&str> = ["", "-add", "-stats", "-doctor"]
            .into_iter()
            .filter(|verb| !page(verb).is_ok_and(|text| text.contains(".TH alias-ctl")))
            .collect();
        fs::remove_dir_all(&directory).expect("a directory of our own");
        assert!(missing.is_empty(), "no page for {missing:?}");
    }
}
