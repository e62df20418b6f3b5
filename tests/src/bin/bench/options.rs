//! The command line, and how much is to be done.

use std::path::PathBuf;

use crate::Result;

/// What was asked for.
pub(crate) struct Options {
    /// Few repetitions.
    pub(crate) quick: bool,
    /// Where the report goes as JSON too.
    pub(crate) json: Option<PathBuf>,
    /// The directory where it goes as Markdown and plot too.
    pub(crate) docs: Option<PathBuf>,
    /// What to measure; empty means everything.
    only: Vec<Group>,
    /// The controller under test.
    pub(crate) ctl: PathBuf,
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Controller,
    Datapath,
    Programs,
    Traffic,
    Delivery,
    Stream,
    Latency,
    Memory,
    Growth,
    Capacity,
}

impl Group {
    /// By the order of the report.
    const ALL: [(&str, Self); 10] = [
        ("controller", Self::Controller),
        ("datapath", Self::Datapath),
        ("programs", Self::Programs),
        ("traffic", Self::Traffic),
        ("delivery", Self::Delivery),
        ("stream", Self::Stream),
        ("latency", Self::Latency),
        ("memory", Self::Memory),
        ("growth", Self::Growth),
        ("capacity", Self::Capacity),
    ];

    fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|&(_, group)| group).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|&(name, _)| name).collect();
            format!("--only {name}: unknown; known are {}", known.join(", "))
        })
    }
}

/// Numbers of repetitions.
pub(crate) struct Effort {
    /// Of every controller figure, but for single commands.
    pub(crate) rounds: usize,
    /// Of single commands, in each round.
    pub(crate) singles: usize,
    /// Of every datapath figure.
    pub(crate) runs: usize,
    /// How often each row of live traffic has its turn.
    pub(crate) blocks: usize,
    /// What it does then.
    pub(crate) runs_a_block: usize,
    /// Of every connection.
    pub(crate) turns: usize,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            quick: false,
            json: None,
            docs: None,
            only: Vec::new(),
            ctl: controller()?,
        };
        while let Some(word) = words.next() {
            let mut value = |what: &str| words.next().ok_or(format!("{word}: names no {what}"));
            match word.as_str() {
                "--quick" => options.quick = true,
                "--json" => options.json = Some(value("file")?.into()),
                "--docs" => options.docs = Some(value("directory")?.into()),
                "--only" => options.only.push(Group::named(&value("group")?)?),
                other => {
                    return Err(format!(
                        "{other}: unknown; known are --quick, --only GROUP, --json FILE, --docs DIRECTORY"
                    ));
                }
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }

    pub(crate) fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                rounds: 2,
                singles: 5,
                runs: 5,
                blocks: 2,
                runs_a_block: 2,
                turns: 2,
            }
        } else {
            Effort {
                rounds: 9,
                singles: 11,
                runs: 51,
                blocks: 9,
                runs_a_block: 3,
                turns: 11,
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
