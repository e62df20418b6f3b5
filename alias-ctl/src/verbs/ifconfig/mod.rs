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

use crate::error::{Refusal, Result};
use crate::lifecycle::{attachment, transaction, way_back};
use crate::model::ifconfig::{Configure, Ifconfig, LinkChange, flags};
use crate::render::output;
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

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
            let mut tx = transaction::begin(&mut host)?;
            configure(&mut tx, asked)?;
            way_back::tell(tx.host);
            Ok(())
        }
        Ifconfig::Flags(style, word) => {
            let line = flags::print(*word, &flags::decode(*style, *word));
            output::write(&format!("{line}\n"))
        }
    }
}

fn configure(tx: &mut Transaction<'_>, asked: &Configure) -> Result<()> {
    // `eth0:0-` names eth0:0; the grammar has seen to it that it asks for deletion.
    let name = match asked.name.strip_suffix('-') {
        Some(name) if name.contains(':') => name,
        _ => &asked.name,
    };
    let found = match find(tx.host, name) {
        Ok(found) => found,
        Err(refusal) => return Err(label::of_nobody(tx.host, asked, refusal)?),
    };
    match found {
        Object::Alias(link, slot) => alias::configure(tx, &link, slot, asked),
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
            attachment::detach(tx, &link.name, asked.cascade)
        }
        Object::Main(link) => main_device::configure(tx, &link, asked),
    }
}
