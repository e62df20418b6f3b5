//! `doctor`.

use clap::Args;

use crate::model::request::Request;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Only this DEVICE, attached or not, or this DEVICE:SLOT
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
