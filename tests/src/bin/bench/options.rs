//! The command line, and how much is to be done.

use std::path::PathBuf;

use crate::Result;

/// What was asked for.
pub(crate) struct Options {
    /// Few repetitions.
    pub(crate) quick: bool,
    /// Where the report goes as JSON too.
    pub(crate) json: Option<PathBuf>,
    /// The controller under test.
    pub(crate) ctl: PathBuf,
}

/// Numbers of repetitions.
pub(crate) struct Effort {
    /// Of every controller figure, but for single commands.
    pub(crate) rounds: usize,
    /// Of single commands, in each round.
    pub(crate) singles: usize,
    /// Of every datapath figure.
    pub(crate) runs: usize,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            quick: false,
            json: None,
            ctl: controller()?,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => options.quick = true,
                "--json" => {
                    let path = words.next().ok_or("--json: names no file")?;
                    options.json = Some(path.into());
                }
                other => return Err(format!("{other}: unknown; known are --quick, --json FILE")),
            }
        }
        Ok(options)
    }

    pub(crate) fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                rounds: 2,
                singles: 5,
                runs: 5,
            }
        } else {
            Effort {
                rounds: 9,
                singles: 11,
                runs: 51,
            }
        }
    }
}

fn controller() -> Result<PathBuf> {
    std::env::var_os("ALIAS_CTL")
        .map(PathBuf::from)
        .filter(|path| path.is_file())
        .ok_or_else(|| {
            "ALIAS_CTL: does not name the alias-ctl to measure: run this as `cargo xtask bench`"
                .to_owned()
        })
}
