//! `journal`: prints what the programs write of rare events, until it is
//! interrupted. One reader at a time: what one has read, another does not see.

use std::io::{self, Write};
use std::os::fd::AsFd;

use alias_common::names;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use tokio::io::unix::AsyncFd;

use crate::dataplane::{Directory, Parent, sys};
use crate::error::{Refusal, Result};
use crate::wiring::host::Host;

/// `alias-ctl journal DEV`.
///
/// # Errors
///
/// ENODEV when the device is not attached, ENODATA when it was attached without
/// `--log`.
pub fn journal(device: &str) -> Result<()> {
    let mut host = Host::open()?;
    let link = host.link(device, "journal")?;
    let parent = host.attached(&link, "journal")?;
    if parent.header().log_level == 0 {
        return Err(Refusal::new(
            device,
            "journal",
            "its programs write nothing: they are on --log off",
            libc::ENODATA,
        )
        .hint(format!("alias-ctl set {device} --log warn")));
    }
    let program = parent.object(names::ALIAS_TX)?;
    let failed = |error: io::Error| Refusal::io(device, "read journal", &error);
    let id = sys::program_id(program.as_fd()).map_err(failed)?;
    let printer = Printer {
        directory: host.directory.clone(),
        ifindex: link.ifindex,
    };
    let logger = EbpfLogger::init_from_id_with_logger(id, printer)
        .map_err(|error| failed(io::Error::other(error)))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .and_then(|runtime| runtime.block_on(follow(logger)))
        .map_err(failed)
}

async fn follow(logger: EbpfLogger<Printer>) -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    // SAFETY: the logger keeps one descriptor, its ring's, as long as it lives.
    let mut ring = unsafe { AsyncFd::register(logger) }?;
    loop {
        tokio::select! {
            ready = ring.readable_mut() => {
                let mut guard = ready?;
                guard.get_inner_mut().flush();
                guard.clear_ready();
            }
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        }
    }
}

/// Prints records as lines of standard output.
struct Printer {
    directory: Directory,
    ifindex: u32,
}

impl Printer {
    /// What the programs wrote, with the slot of the alias in place of its id, which is all
    /// that they know.
    fn named(&self, text: String) -> String {
        let parsed = text.strip_prefix("id ").and_then(|rest| {
            let (id, rest) = rest.split_once(':')?;
            Some((id.parse().ok()?, rest))
        });
        let Some((id, rest)) = parsed else {
            return text;
        };
        let parent = Parent::open(&self.directory, self.ifindex).ok().flatten();
        match parent.and_then(|parent| parent.slot_of_id(id)) {
            Some(slot) => format!("slot {slot}:{rest}"),
            None => format!("an alias that is gone:{rest}"),
        }
    }
}

impl Log for Printer {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut out = io::stdout().lock();
        let text = self.named(in_words(&record.args().to_string()));
        // A reader that is gone misses nothing it wants.
        let _ = writeln!(out, "{}: {text}", record.level().as_str().to_lowercase());
        let _ = out.flush();
    }

    fn flush(&self) {}
}

/// What a program wrote, with the reason in words: a program has numbers only
/// (`alias_ebpf::send::Refusal`).
fn in_words(text: &str) -> String {
    let Some((before, number)) = text.rsplit_once(", reason ") else {
        return text.to_owned();
    };
    let reason = match number {
        "1" => "it is shorter than its headers say",
        "2" => "it is from another MAC than the parent's",
        "3" => {
            "its source is no address of an alias of this namespace, or it is a router's message"
        }
        "4" => "it has a VLAN tag of its own",
        "5" => "it is of another protocol than the alias",
        _ => return text.to_owned(),
    };
    format!("{before}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn reasons_are_words() {
        let text = "slot 3: spoofed frame dropped, reason 2";
        let words = "slot 3: spoofed frame dropped: it is from another MAC than the parent's";
        assert_eq!(in_words(text), words);
        for text in ["slot 3: target 4 is gone", "a, reason 77"] {
            assert_eq!(in_words(text), text);
        }
    }
}
