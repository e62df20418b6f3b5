//! The words of `save`, `restore`, `apply` and `diff`.

use std::path::PathBuf;

use clap::Args;

use crate::model::request::{Request, Source, Whom};

use super::announce::Rounds;

#[derive(Debug, Args)]
pub(super) struct Save {
    /// Write to this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Save {
    pub(super) fn lower(self) -> Request {
        Request::Save { file: self.file }
    }
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// Only this device
    #[arg(value_name = "DEVICE")]
    device: Option<String>,
    /// Read this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    rounds: Rounds,
}

impl Restore {
    pub(super) fn lower(self) -> Request {
        let whom = Whom::Declared(self.device.clone());
        let request = Request::Apply {
            source: source(self.file),
            device: self.device,
            dry_run: self.dry_run,
        };
        match self.dry_run {
            true => request,
            false => self.rounds.after(request, whom),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The configuration
    file: PathBuf,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Apply {
    pub(super) fn lower(self) -> Request {
        Request::Apply {
            source: Source::File(self.file),
            device: None,
            dry_run: self.dry_run,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The configuration; the saved one when there is none
    file: Option<PathBuf>,
}

impl Diff {
    pub(super) fn lower(self) -> Request {
        Request::Diff {
            source: source(self.file),
        }
    }
}

fn source(file: Option<PathBuf>) -> Source {
    file.map_or(Source::Saved, Source::File)
}
