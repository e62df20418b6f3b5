//! Aliases that are there and that somebody gets no answer from: what is said of them, when
//! they are made and by `doctor`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr};

use alias_common::record::Record;

use crate::dataplane::Parent;
use crate::model::name::alias_name;
use crate::netlink::{Link, namespace};
use crate::wiring::host::Host;
use crate::wiring::way_back::{Peer, Silent, Why, silent};

/// Says on standard error which of the aliases that this command has made do not answer,
/// in one note, and forgets what was made. That cannot be found out is no trouble of the
/// command's.
pub fn tell(host: &mut Host) {
    let mut made: HashMap<u32, Vec<u32>> = HashMap::new();
    for (ifindex, slot) in std::mem::take(&mut host.made) {
        made.entry(ifindex).or_default().push(slot);
    }
    let mut notes = Vec::new();
    for (ifindex, slots) in made {
        notes.extend(notes_of(host, ifindex, &slots).unwrap_or_default());
    }
    notes.sort_unstable();
    if let Some(((_, name), what, hint)) = notes.first() {
        let more = match notes.len() - 1 {
            0 => String::new(),
            1 => " (and one more: alias-ctl doctor)".to_owned(),
            more => format!(" (and {more} more: alias-ctl doctor)"),
        };
        // With nobody to read it the aliases are made all the same.
        let _ = writeln!(
            io::stderr(),
            "alias-ctl: note: {name}{more}: {what}; {hint}"
        );
    }
}

/// Parent and slot to sort by, the name, what is wrong, what to do.
type Note = ((u32, String), String, String);

fn notes_of(host: &mut Host, ifindex: u32, slots: &[u32]) -> Option<Vec<Note>> {
    let link = host.netlink.link_by_index(ifindex).ok()??;
    let parent = Parent::open(&host.directory, ifindex).ok()??;
    let live: Vec<(u32, Record)> = slots
        .iter()
        .filter(|slot| parent.is_live(**slot))
        .map(|slot| (*slot, parent.record(*slot)))
        .collect();
    let found = silent(host, &link, &parent, live.iter()).ok()?;
    let names = namespace::names();
    let note = |silent: &Silent| {
        let name = alias_name(&link.name, silent.slot);
        let hint = hint(&link, &names, silent);
        ((silent.slot, name), what(&link, silent), hint)
    };
    Some(found.iter().map(note).collect())
}

/// What is wrong, in words that are the same for all aliases of which the same is.
#[must_use]
pub fn what(link: &Link, silent: &Silent) -> String {
    let whom = match &silent.peer {
        Peer::Neighbours {
            network,
            prefix_len,
        } => format!("{network}/{prefix_len}"),
        Peer::Behind {
            network,
            prefix_len,
            gateway,
            by,
        } => format!(
            "{}, which {by} reaches by {gateway}",
            destination(*network, *prefix_len)
        ),
        Peer::Anybody => "anybody".to_owned(),
    };
    match &silent.why {
        Why::NoRoute => {
            format!("its namespace has no route back to {whom}: nobody there gets an answer")
        }
        Why::Down { device, up: true } => {
            format!("its answers to {whom} would leave by {device}, which has no carrier")
        }
        Why::Down { device, .. } => {
            format!("its answers to {whom} would leave by {device}, which is down")
        }
        Why::Elsewhere {
            device,
            of: Some(of),
        } => format!(
            "its answers to {whom} leave by {device}, the device of {of}, which is not on its link: they are dropped as spoofed"
        ),
        Why::Elsewhere { device, of: None } => format!(
            "its answers to {whom} leave by {device}, which is no alias device of {}",
            link.name
        ),
        Why::NoLinkLocal => format!(
            "its answers to {whom} leave by {}, which has no IPv6 link-local address to ask for a neighbour from",
            link.name
        ),
    }
}

fn destination(network: IpAddr, prefix_len: u8) -> String {
    match prefix_len {
        0 => "the rest of the world".to_owned(),
        _ => format!("{network}/{prefix_len}"),
    }
}

/// The command that mends it.
#[must_use]
pub fn hint(link: &Link, names: &HashMap<u64, String>, silent: &Silent) -> String {
    let inside = |words: &str| match names.get(&silent.netns_inode) {
        Some(name) => format!("ip -n {name} {words}"),
        None => format!("in its namespace: ip {words}"),
    };
    let Silent { device, source, .. } = silent;
    let (to, by) = match &silent.peer {
        Peer::Neighbours {
            network,
            prefix_len,
        } => (format!("{network}/{prefix_len}"), format!("dev {device}")),
        Peer::Behind {
            network,
            prefix_len,
            gateway,
            ..
        } => {
            let to = match (prefix_len, network) {
                (0, IpAddr::V4(_)) => "default".to_owned(),
                (0, IpAddr::V6(_)) => "::/0".to_owned(),
                _ => format!("{network}/{prefix_len}"),
            };
            (to, format!("via {gateway} dev {device} onlink"))
        }
        Peer::Anybody => {
            let all = if source.is_ipv4() { "default" } else { "::/0" };
            (all.to_owned(), format!("dev {device}"))
        }
    };
    match &silent.why {
        Why::NoRoute => inside(&format!("route add {to} {by}")),
        Why::Down { device, up: false } => inside(&format!("link set dev {device} up")),
        Why::Down { .. } => {
            format!(
                "bring its other end up, or lead another way: {}",
                inside(&format!("route replace {to} {by}"))
            )
        }
        Why::Elsewhere { .. } => {
            // Tables that people number are small.
            let table = 100_000 + silent.device_ifindex;
            let family = if source.is_ipv4() { "" } else { "-6 " };
            let rule = inside(&format!("{family}rule add from {source} lookup {table}"));
            let route = inside(&format!("route add {to} {by} table {table}"));
            format!("{route} && {rule}")
        }
        Why::NoLinkLocal => {
            format!("ip addr add {}/64 dev {}", link_local(link.mac), link.name)
        }
    }
}

/// The address that a device derives from its MAC (RFC 4291, appendix A).
fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        word(a ^ 2, b),
        word(c, 0xff),
        word(0xfe, d),
        word(e, f),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_of_a_mac() {
        let made = link_local([0x02, 0, 0x5e, 0x10, 0, 0x52]);
        assert_eq!(made, "fe80::5eff:fe10:52".parse::<Ipv6Addr>().unwrap());
    }
}
