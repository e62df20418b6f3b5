//! TCP options of an alias: what the sockets of its address get, where they are.
//! The record says what was asked for; the map that the programs read follows it.

use alias_common::record::Record;
use alias_common::tcp_options::{TcpOption, TcpOptions};

use crate::dataplane::Parent;
use crate::dataplane::probe;
use crate::dataplane::tcp_options::{SocketPrograms, try_buffer};
use crate::error::{Refusal, Result};
use crate::model::address::Address;
use crate::model::name::alias_name;
use crate::model::tcp_options::{TcpChange, out_of_range, word};
use crate::netlink::{Link, Netns, sysctl};
use crate::wiring::batch::{Batch, Placement};
use crate::wiring::host::Host;
use crate::wiring::transaction::On;
use crate::wiring::{sockets, veth};

/// Refuses options that the kernel could not keep for the aliases of a batch:
/// `change` is what is asked for, their items have what they shall have then.
///
/// # Errors
///
/// EOPNOTSUPP for what Linux cannot do, EINVAL for a buffer size that it would
/// change, EEXIST when another alias's options are for the same sockets.
pub fn check(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    change: &TcpChange,
) -> Result<()> {
    let Some(first) = batch.items.iter().find(|item| !item.tcp.is_empty()) else {
        return Ok(());
    };
    let alias = alias_name(&link.name, first.slot);
    if first.address.ip().is_none() {
        let reason = match first.address {
            Address::Prefix(_) => {
                "sockets get the options of their one address, and this is a prefix"
            }
            _ => "TCP knows no addresses of this family",
        };
        return Err(Refusal::new(
            alias,
            "set TCP options",
            reason,
            libc::EOPNOTSUPP,
        ));
    }
    let elsewhere = match &batch.placement {
        Placement::To(..) | Placement::Drop => return Err(no_sockets(&alias, first.tcp)),
        Placement::Local | Placement::Device(None) => 0,
        Placement::Device(Some(netns)) => netns.cookie()?,
        Placement::Join(owner) => parent.record(*owner).netns_cookie,
    };
    for (option, value) in change.given() {
        match option {
            TcpOption::Rfc1323 if value == 0 => return Err(no_switch(&alias)),
            TcpOption::Rfc1323 => match &batch.placement {
                Placement::Device(Some(netns)) => check_rfc1323(&alias, Some(netns))?,
                Placement::Join(owner) => {
                    let netns = veth::namespace(&parent.record(*owner))?;
                    check_rfc1323(&alias, netns.as_ref())?;
                }
                _ => check_rfc1323(&alias, None)?,
            },
            TcpOption::TcpSendspace => check_buffer(option, libc::SO_SNDBUF, "wmem_max", value)?,
            TcpOption::TcpRecvspace => check_buffer(option, libc::SO_RCVBUF, "rmem_max", value)?,
            TcpOption::TcpNodelay | TcpOption::TcpMssdflt => check_settable(&alias, option)?,
        }
    }
    refuse_claimed(host, link, parent, batch, elsewhere)
}

/// Refuses an option that this kernel lets no program set.
fn check_settable(alias: &str, option: TcpOption) -> Result<()> {
    if probe::sets_any_tcp_option().unwrap_or(true) {
        return Ok(());
    }
    Err(Refusal::new(
        alias,
        "set TCP options",
        format!("this kernel lets no program set {}", word(option)),
        libc::EOPNOTSUPP,
    )
    .hint("Linux does from 6.1 on; alias-ctl doctor lists what this one does"))
}

/// Refuses options for sockets that have another alias's: `elsewhere` is the cookie
/// of their namespace, 0 for the parent's.
fn refuse_claimed(
    host: &Host,
    link: &Link,
    parent: &Parent,
    batch: &Batch,
    elsewhere: u64,
) -> Result<()> {
    let own = SocketPrograms::open(parent)?;
    let others = SocketPrograms::of_others(&host.directory, parent)?;
    for item in batch.items.iter().filter(|item| !item.tcp.is_empty()) {
        let Some(key) = sockets::sockets(host, elsewhere, item.address) else {
            continue;
        };
        let mut holder = None;
        if let Some(own) = &own {
            holder = own
                .get(&key)?
                .filter(|grant| grant.slot != item.slot)
                .map(|grant| alias_name(&link.name, grant.slot));
        }
        for other in &others {
            if other.get(&key)?.is_some() {
                holder = Some("an alias of another device".into());
            }
        }
        if let Some(holder) = holder {
            return Err(Refusal::new(
                alias_name(&link.name, item.slot),
                "set TCP options",
                format!("{holder} has options for this address in this namespace"),
                libc::EEXIST,
            )
            .hint("sockets cannot tell the two apart: set them on one"));
        }
    }
    Ok(())
}

/// Gives a live alias other options. Connections that are there keep theirs.
///
/// # Errors
///
/// What the kernel refused; then the options are as they were.
pub fn change(on: &On<'_>, slot: u32, options: TcpOptions) -> Result<()> {
    let parent = on.parent;
    let old = parent.record(slot);
    if old.tcp == options {
        return Ok(());
    }
    let new = Record {
        tcp: options,
        ..old
    };
    parent.set_unfinished(true);
    parent.set_pending_change(Some(Record {
        slot,
        flags: new.flags | Record::TCP_ONLY,
        ..new
    }));
    let changed = sockets::follow(on, slot, &new);
    if changed.is_ok() {
        parent.amend(slot, |record| record.tcp = options);
    }
    parent.set_pending_change(None);
    // Should that fail too, the next writer does it.
    if changed.is_ok() || sockets::restore(on).is_ok() {
        parent.set_unfinished(false);
    }
    changed
}

/// Linux lets a namespace switch these, not a socket: a SYN's options are chosen
/// by the namespace's sysctls alone (`tcp_syn_options`, Linux 6.18).
const RFC1323_SYSCTLS: [&str; 2] = ["tcp_window_scaling", "tcp_timestamps"];

fn no_switch(alias: &str) -> Refusal {
    Refusal::new(
        alias,
        "set rfc1323 0",
        "Linux switches window scaling and timestamps for a whole namespace, not for an address",
        libc::EOPNOTSUPP,
    )
    .hint(
        "give it a namespace of its own (--netns), and there: \
         sysctl -w net.ipv4.tcp_window_scaling=0 net.ipv4.tcp_timestamps=0",
    )
}

fn check_rfc1323(alias: &str, netns: Option<&Netns>) -> Result<()> {
    for name in RFC1323_SYSCTLS {
        let read = || sysctl::read(&format!("ipv4/{name}"));
        let value = match netns {
            Some(netns) => netns.within(read)??,
            None => read()?,
        };
        if value == "0" {
            return Err(Refusal::new(
                alias,
                "set rfc1323 1",
                format!("net.ipv4.{name} is 0 where its sockets are, and no socket can differ"),
                libc::EOPNOTSUPP,
            )
            .hint(format!("in that namespace: sysctl -w net.ipv4.{name}=1")));
        }
    }
    Ok(())
}

/// The kernel would make another size of it, and tell nobody.
fn check_buffer(option: TcpOption, socket_option: i32, limit: &str, wanted: u32) -> Result<()> {
    let tried = |size| {
        try_buffer(socket_option, size)
            .map_err(|error| Refusal::io(word(option), "try on a socket", &error))
    };
    if tried(wanted)? == wanted {
        return Ok(());
    }
    let (least, most) = (tried(1)?, tried(u32::MAX)?);
    Err(out_of_range(option, &wanted.to_string(), least, most)
        .hint(format!("the kernel's limit is the sysctl net.core.{limit}")))
}

fn no_sockets(alias: &str, options: TcpOptions) -> Refusal {
    let words: Vec<String> = crate::model::tcp_options::listed(&options)
        .map(|(word, _)| format!("--{} default", word.replace('_', "-")))
        .collect();
    Refusal::new(
        alias,
        "set TCP options",
        "its packets reach no socket of this host",
        libc::EOPNOTSUPP,
    )
    .hint(format!(
        "give it a device or --local; or without them: {}",
        words.join(" ")
    ))
}
