//! `upgrade`.

use std::io::{self, Write as _};

use crate::dataplane::Build;
use crate::error::{Refusal, Result};
use crate::lifecycle::upgrade::{Due, OPERATION, Standing, look, others, upgrade_listing};
use crate::lifecycle::{transaction, upgrade as lifecycle};
use crate::model::request::Upgrade;
use crate::netlink::Netns;
use crate::netlink::namespace::names;
use crate::render::output::write;
use crate::wiring::host::Host;

/// `alias-ctl upgrade`.
///
/// # Errors
///
/// What a device was refused for. Others are upgraded all the same; each goes on as before,
/// or is upgraded.
pub fn upgrade(asked: &Upgrade) -> Result<()> {
    if !asked.all_netns {
        here(asked)?;
        return tell_of_others();
    }
    let own = Host::open()?.directory;
    let mut left = others(&own)?;
    let mut refusals = Vec::new();
    refusals.extend(here(asked).err());
    for netns in Netns::all() {
        let Ok(cookie) = netns.cookie() else {
            continue;
        };
        if !left.contains(&cookie) {
            continue;
        }
        left.retain(|other| *other != cookie);
        let name = names().remove(&netns.inode());
        let name = name.unwrap_or_else(|| format!("with cookie {cookie}"));
        write(&format!("network namespace {name}:\n"))?;
        refusals.extend(netns.within(|| here(asked))?.err());
    }
    // Those that nothing leads to from here.
    refusals.extend(left.into_iter().map(|cookie| {
        Refusal::new(
            format!("network namespace with cookie {cookie}"),
            OPERATION,
            "it is there, and no name and no process leads to it",
            libc::ENOENT,
        )
        .hint("a mount keeps it: nsenter --net=FILE alias-ctl upgrade")
    }));
    last_of(refusals)
}

/// The calling thread's namespace.
fn here(asked: &Upgrade) -> Result<()> {
    let mut host = Host::open()?;
    if asked.dry_run {
        let mut refusals = Vec::new();
        for standing in look(&mut host, &asked.devices)? {
            match lifecycle::refused(&standing) {
                Some(refusal) => refusals.push(refusal),
                None => write(&said(&standing, "would be upgraded"))?,
            }
        }
        return last_of(refusals);
    }
    let mut tx = transaction::begin(&mut host)?;
    let found = look(tx.host, &asked.devices)?;
    if found.is_empty() {
        write("no device is attached in this network namespace: nothing to do\n")?;
    }
    let mut refusals = Vec::new();
    for standing in found {
        match lifecycle::upgrade(&mut tx, &standing) {
            Ok(()) => write(&said(&standing, "upgraded"))?,
            Err(refusal) => refusals.push(refusal),
        }
    }
    match upgrade_listing(&tx) {
        Ok(true) => write("aliases, alias_types: upgraded\n")?,
        Ok(false) => {}
        Err(refusal) => refusals.push(refusal),
    }
    last_of(refusals)
}

fn said(standing: &Standing, verb: &str) -> String {
    let (device, own) = (&standing.link.name, Build::own());
    match standing.due == Due::Nothing {
        true => format!("{device}: runs the programs of this build, {own}: nothing to do\n"),
        false => format!("{device}: {verb} from {} to {own}\n", standing.build),
    }
}

/// Says all but the last, which ends the command.
fn last_of(mut refusals: Vec<Refusal>) -> Result<()> {
    let last = refusals.pop();
    for refusal in refusals {
        let _ = writeln!(io::stderr(), "alias-ctl: {refusal}");
    }
    last.map_or(Ok(()), Err)
}

/// Where there is more to upgrade.
fn tell_of_others() -> Result<()> {
    let whose = match others(&Host::open()?.directory)?.len() {
        0 => return Ok(()),
        1 => "those of another network namespace".to_owned(),
        count => format!("those of {count} other network namespaces"),
    };
    let _ = writeln!(
        io::stderr(),
        "alias-ctl: note: {whose} were not looked at: alias-ctl upgrade --all-netns"
    );
    Ok(())
}
