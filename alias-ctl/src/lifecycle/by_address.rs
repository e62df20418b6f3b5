//! Aliases that are named by what they listen to instead of by their slot.

use std::net::IpAddr;

use alias_common::record::Record;

use crate::dataplane::Parent;
use crate::dataplane::parent::address_of;
use crate::error::{Refusal, Result};
use crate::model::name::alias_name;
use crate::model::prefix::Prefix;
use crate::netlink::Link;
use crate::wiring::host::Host;

/// An address, or what `show` prints of one: with its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Named {
    ip: IpAddr,
    prefix_len: Option<u8>,
}

impl Named {
    /// `None` for what is no IP address. No name of an alias is one: before its slot stands
    /// a device.
    #[must_use]
    pub fn read(text: &str) -> Option<Named> {
        let (ip, prefix_len) = match text.split_once('/') {
            Some((ip, len)) => (ip, Some(len.parse().ok()?)),
            None => (text, None),
        };
        let ip = ip.parse().ok()?;
        Some(Named { ip, prefix_len })
    }

    fn is_of(&self, record: &Record) -> bool {
        let address = address_of(record);
        match (address.ip(), address.prefix(), self.prefix_len) {
            (Some(ip), _, None) => ip == self.ip,
            (Some(ip), _, Some(len)) => ip == self.ip && len == record.prefix_len,
            (None, Some(prefix), Some(len)) => {
                prefix
                    == Prefix {
                        network: self.ip,
                        len,
                    }
            }
            _ => false,
        }
    }
}

/// The aliases that have an address, on any parent and any VLAN.
///
/// # Errors
///
/// EADDRNOTAVAIL when none has it; that of reading the parents.
pub fn find(
    host: &mut Host,
    named: Named,
    text: &str,
    operation: &str,
) -> Result<Vec<(Link, Parent, Vec<u32>)>> {
    let mut found = Vec::new();
    for ifindex in host.directory.parents()? {
        let Some(link) = host.netlink.link_by_index(ifindex)? else {
            continue;
        };
        let Some(parent) = Parent::open(&host.directory, ifindex)? else {
            continue;
        };
        let slots: Vec<u32> = parent
            .live()
            .filter(|(_, record)| named.is_of(record))
            .map(|(slot, _)| slot)
            .collect();
        if !slots.is_empty() {
            found.push((link, parent, slots));
        }
    }
    if found.is_empty() {
        let reason = "no alias has it";
        return Err(Refusal::new(text, operation, reason, libc::EADDRNOTAVAIL)
            .hint("list them: alias-ctl show"));
    }
    Ok(found)
}

/// The one alias that has an address.
///
/// # Errors
///
/// As for [`find`], and EINVAL when several have it.
pub fn find_one(
    host: &mut Host,
    named: Named,
    text: &str,
    operation: &str,
) -> Result<(Link, Parent, u32)> {
    let found = find(host, named, text, operation)?;
    let names: Vec<String> = found
        .iter()
        .flat_map(|(link, _, slots)| slots.iter().map(|slot| alias_name(&link.name, *slot)))
        .collect();
    let several = || {
        Refusal::new(
            text,
            operation,
            format!("several aliases have it: {}", names.join(", ")),
            libc::EINVAL,
        )
        .hint("nothing was changed; name the one that is meant")
    };
    if names.len() > 1 {
        return Err(several());
    }
    let mut found = found.into_iter();
    let first = found.next().and_then(|(link, parent, slots)| {
        let slot = slots.first().copied()?;
        Some((link, parent, slot))
    });
    first.ok_or_else(several)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_name() {
        for text in ["eth0", "eth0:0", "192.0.2", "192.0.2.1/x", "2001:db8"] {
            assert_eq!(Named::read(text), None, "{text}");
        }
        for (text, len) in [
            ("192.0.2.1", None),
            ("2001:db8::1", None),
            ("192.0.2.0/24", Some(24)),
        ] {
            assert_eq!(Named::read(text).map(|named| named.prefix_len), Some(len));
        }
    }
}
