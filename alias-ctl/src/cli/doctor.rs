//! `doctor`.

use clap::Args;

use crate::model::request::Request;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Only this device, attached or not
    device: Option<String>,
    /// As JSON
    #[arg(short = 'j', long)]
    json: bool,
}

pub(super) fn lower(words: Doctor) -> Request {
    Request::Doctor {
        device: words.device,
        json: words.json,
    }
}
