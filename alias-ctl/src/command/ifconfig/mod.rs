//! `ifconfig`: the grammar of Linux, BSD and AIX over the engine of the other verbs.
//!
//! An alias that it makes is a `local` one: an address of the parent's own stack,
//! as `eth0:0` always was. What somebody else put on a device it shows and leaves
//! alone, unless that very address is named.

mod alias;
mod list;
mod main_device;

use crate::dataplane::WriteLock;
use crate::error::{Refusal, Result};
use crate::model::ifconfig::{Configure, Ifconfig, LinkChange, flags};
use crate::netlink::Link;

use super::host::Host;
use super::{attach, device, output, recover};

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
            let lock = recover::begin(&mut host)?;
            configure(&mut host, &lock, asked)
        }
        Ifconfig::Flags(style, word) => {
            let line = flags::print(*word, &flags::decode(*style, *word));
            output::write(&format!("{line}\n"))
        }
    }
}

/// What a name means.
enum Object {
    /// A device.
    Main(Link),
    /// A slot of a device, taken or not.
    Alias(Link, u32),
}

/// NET_ALIAS's magic names: an exact device name wins; else the part behind the
/// first colon is a slot. An alias's own device has its alias's name, and is not
/// meant by it.
fn find(host: &mut Host, name: &str) -> Result<Object> {
    if name.contains(':')
        && let Some(link) = host.netlink.link_by_name(name)?
        && !device::is_ours(&link)
    {
        return Ok(Object::Main(link));
    }
    let (link, slot) = host.alias(name, "ifconfig")?;
    Ok(match slot {
        None => Object::Main(link),
        Some(slot) => Object::Alias(link, slot),
    })
}

fn configure(host: &mut Host, lock: &WriteLock, asked: &Configure) -> Result<()> {
    // `eth0:0-` names eth0:0; the grammar has seen to it that it asks for deletion.
    let name = match asked.name.strip_suffix('-') {
        Some(name) if name.contains(':') => name,
        _ => &asked.name,
    };
    let found = find(host, name).map_err(|refusal| Refusal {
        object: asked.name.clone(),
        ..refusal
    })?;
    match found {
        Object::Alias(link, slot) => alias::configure(host, lock, &link, slot, asked),
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
                .way_out("nothing was changed; say the one, then the other"));
            }
            attach::detach_under(host, lock, &link.name, asked.cascade)
        }
        Object::Main(link) => main_device::configure(host, lock, &link, asked),
    }
}
