//! `ifconfig`: the grammar of Linux, Solaris, BSD and AIX over the engine of the other verbs.
//!
//! An alias that it makes is a `local` one: an address of the parent's own stack,
//! as `eth0:0` always was. What somebody else put on a device it shows and leaves
//! alone, unless that very address is named.

mod addresses;
mod alias;
mod label;
mod list;
mod main_device;
mod object;

use crate::dataplane::WriteLock;
use crate::error::{Refusal, Result};
use crate::lifecycle::{attachment, transaction};
use crate::model::ifconfig::{Configure, Ifconfig, LinkChange, flags};
use crate::render::output;
use crate::wiring::host::Host;

use object::{Object, find};

/// `alias-ctl ifconfig …`.
///
/// # Errors
///
/// Those of the verbs it stands for. Then nothing has changed.
pub fn ifconfig(asked: &Ifconfig) -> Result<()> {
    match asked {
        Ifconfig::List(listing) => list::list(listing),
        Ifconfig::Configure(asked) => {
            let mut host = Host::open()?;
            let lock = transaction::begin(&mut host)?;
            configure(&mut host, &lock, asked)
        }
        Ifconfig::Flags(style, word) => {
            let line = flags::print(*word, &flags::decode(*style, *word));
            output::write(&format!("{line}\n"))
        }
    }
}

fn configure(host: &mut Host, lock: &WriteLock, asked: &Configure) -> Result<()> {
    // `eth0:0-` names eth0:0; the grammar has seen to it that it asks for deletion.
    let name = match asked.name.strip_suffix('-') {
        Some(name) if name.contains(':') => name,
        _ => &asked.name,
    };
    let found = match find(host, name) {
        Ok(found) => found,
        Err(refusal) => return Err(label::of_nobody(host, asked, refusal)?),
    };
    match found {
        Object::Alias(link, slot) => alias::configure(host, lock, &link, slot, asked),
        Object::Label(link, address) => Err(label::of_others(&link, &address, asked)),
        Object::Main(link) if asked.detach => {
            if asked.address.is_some()
                || asked.link != LinkChange::default()
                || !asked.tcp.is_empty()
            {
                return Err(Refusal::new(
                    &asked.name,
                    "detach",
                    "it goes with no other change",
                    libc::EINVAL,
                )
                .hint("nothing was changed; say the one, then the other"));
            }
            attachment::detach(host, lock, &link.name, asked.cascade)
        }
        Object::Main(link) => main_device::configure(host, lock, &link, asked),
    }
}
