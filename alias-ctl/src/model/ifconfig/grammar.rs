//! The grammar: options, a name, then words in any order.

use std::net::{IpAddr, Ipv4Addr};

use crate::error::{Refusal, Result};
use crate::model::netmask;
use crate::model::tcp_options::TcpChange;

use super::options::{Options, no_option};
use super::refusals::unknown;
use super::words::{self, refused};
use super::{
    AddressChange, Broadcast, Configure, Family, Given, Ifconfig, Length, LinkChange, Mask, Style,
    Unread, broadcast_of,
};

/// Reads the words behind `ifconfig`. `style` is the layout when no word chooses one.
///
/// # Errors
///
/// Options that do not go together; the first word that is refused.
pub fn read(words: &[String], style: Style) -> std::result::Result<Ifconfig, Unread> {
    let mut words = words.iter().map(String::as_str).peekable();
    let mut options = Options::new(style);
    while let Some(word) = words.next_if(|word| word.starts_with('-')) {
        match word {
            "--cascade" => options.cascade = true,
            "--style" => options.style(words.next().unwrap_or_default())?,
            "--flags" => options.flag_word(words.next().unwrap_or_default())?,
            _ => match (word.split_once('='), word.strip_prefix("--")) {
                (Some(("--style", name)), _) => options.style(name)?,
                (Some(("--flags", word)), _) => options.flag_word(word)?,
                (_, Some(_)) => return Err(no_option(word)),
                _ => options.letters(word)?,
            },
        }
    }
    let rest: Vec<&str> = words.collect();
    if let Some(word) = options.flags {
        if !rest.is_empty() {
            return Err(Unread::Usage(
                "--flags goes with --style and nothing else".into(),
            ));
        }
        return Ok(Ifconfig::Flags(options.style, word));
    }
    match rest.as_slice() {
        [] => options.listing(None, None),
        // BSD: `-a inet`.
        [word] if options.lists && words::family(word).is_some() => {
            options.listing(None, words::family(word))
        }
        [name] if !names_deletion(name) => options.listing(Some(name), None),
        [name, word] if !names_deletion(name) && words::family(word).is_some() => {
            options.listing(Some(name), words::family(word))
        }
        [name, rest @ ..] => {
            if options.lists {
                return Err(Unread::Usage(format!(
                    "a listing is asked for, and a change of {name}"
                )));
            }
            Ok(Ifconfig::Configure(configure(name, rest, options.cascade)?))
        }
    }
}

/// NET_ALIAS: `eth0:0-` deletes eth0:0.
fn names_deletion(name: &str) -> bool {
    name.contains(':') && name.ends_with('-')
}

/// What shall happen to the address.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Verb {
    Assign,
    Add,
    AddFirst,
    AddLogical,
    Remove,
    Del,
    RemoveLogical,
    Unplumb,
}

/// Words that were read, before they are put together.
struct Read<'a> {
    /// Of what they are said.
    name: &'a str,
    verb: Verb,
    family: Option<Family>,
    /// The address, the length behind its slash, and the word itself.
    address: Option<(IpAddr, Option<&'a str>, &'a str)>,
    /// The mask, and its word.
    mask: Option<(Mask, &'a str)>,
    prefix_len: Option<&'a str>,
    broadcast: Option<(Broadcast, &'a str)>,
    link: LinkChange,
    tcp: TcpChange,
    deprecated: Option<bool>,
    plumb: bool,
    detach: bool,
    cascade: bool,
}

fn configure(name: &str, words: &[&str], cascade: bool) -> Result<Configure> {
    let mut read = Read {
        name,
        verb: Verb::Assign,
        family: None,
        address: None,
        mask: None,
        prefix_len: None,
        broadcast: None,
        link: LinkChange::default(),
        tcp: TcpChange::default(),
        deprecated: None,
        plumb: false,
        detach: false,
        cascade,
    };
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        // AIX's options have a table of their own.
        let options = read.tcp.read(rest)?;
        if options > 0 {
            rest = &rest[options..];
            continue;
        }
        let mut behind = behind.iter();
        read.word(word, &mut behind.by_ref().copied())?;
        rest = behind.as_slice();
    }
    read.put_together()
}

impl<'a> Read<'a> {
    fn word(&mut self, word: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<()> {
        let mut value = || {
            rest.next()
                .ok_or_else(|| refused(word, "a value is missing behind it", libc::EINVAL))
        };
        match word {
            "inet" | "inet6" => once(&mut self.family, words::family(word), word)?,
            "netmask" => {
                let value = value()?;
                once(&mut self.mask, Some((words::mask(value)?, value)), word)?;
            }
            "prefixlen" => once(&mut self.prefix_len, Some(value()?), word)?,
            "broadcast" => {
                let value = value()?;
                once(
                    &mut self.broadcast,
                    Some((words::broadcast(value)?, value)),
                    word,
                )?;
            }
            "alias" | "add" => self.verb(Verb::Add, word)?,
            "firstalias" => self.verb(Verb::AddFirst, word)?,
            "addif" => self.verb(Verb::AddLogical, word)?,
            "delete" | "-alias" | "remove" => self.verb(Verb::Remove, word)?,
            "del" => self.verb(Verb::Del, word)?,
            "removeif" => self.verb(Verb::RemoveLogical, word)?,
            "plumb" => self.plumb = true,
            "unplumb" => self.verb(Verb::Unplumb, word)?,
            "set" => {
                let value = value()?;
                let address = words::address(value)
                    .ok_or_else(|| refused(value, "not an address", libc::EINVAL))?;
                self.address(value, address)?;
            }
            "deprecated" | "-deprecated" => {
                once(&mut self.deprecated, Some(word == "deprecated"), word)?;
            }
            // An alias is used at once anyway.
            "no_dad" => {}
            "detach" => self.detach = true,
            "--cascade" => self.cascade = true,
            "up" => once(&mut self.link.up, Some(true), word)?,
            "down" => once(&mut self.link.up, Some(false), word)?,
            "arp" | "-arp" => once(&mut self.link.arp, Some(word == "arp"), word)?,
            "promisc" | "-promisc" => {
                once(&mut self.link.promisc, Some(word == "promisc"), word)?;
            }
            "allmulti" | "-allmulti" => {
                once(&mut self.link.allmulti, Some(word == "allmulti"), word)?;
            }
            "multicast" | "-multicast" => {
                once(&mut self.link.multicast, Some(word == "multicast"), word)?;
            }
            "mtu" => {
                let number = words::number(word, value()?, 1)?;
                once(&mut self.link.mtu, Some(number), word)?;
            }
            "txqueuelen" => {
                let number = words::number(word, value()?, 0)?;
                once(&mut self.link.tx_queue_len, Some(number), word)?;
            }
            "hw" => match value()? {
                "ether" => {
                    let value = rest.next();
                    let value = value.ok_or_else(|| {
                        refused("ether", "a value is missing behind it", libc::EINVAL)
                    })?;
                    once(&mut self.link.mac, Some(words::mac(value)?), word)?;
                }
                class => return Err(refused(class, "aliases live on ether", libc::EOPNOTSUPP)),
            },
            "ether" | "lladdr" => {
                let mac = words::mac(value()?)?;
                once(&mut self.link.mac, Some(mac), word)?;
            }
            _ => {
                let address = words::address(word).ok_or_else(|| unknown(word, self.name))?;
                self.address(word, address)?;
            }
        }
        Ok(())
    }

    fn address(&mut self, word: &'a str, found: (IpAddr, Option<&'a str>)) -> Result<()> {
        if self.address.is_some() {
            let is_logical = matches!(self.verb, Verb::AddLogical | Verb::RemoveLogical);
            let (reason, hint) = match is_logical {
                true => (
                    "a second address: a command makes or takes away one logical interface",
                    "nothing was changed; say addif and removeif in a command of their own",
                ),
                false => (
                    "a second address: point-to-point links have no aliases",
                    "nothing was changed; write one address",
                ),
            };
            return Err(refused(word, reason, libc::EINVAL).hint(hint));
        }
        let (address, length) = found;
        self.address = Some((address, length, word));
        Ok(())
    }

    fn verb(&mut self, verb: Verb, word: &str) -> Result<()> {
        if self.verb != Verb::Assign && self.verb != verb {
            return Err(refused(
                word,
                "it contradicts a word before it",
                libc::EINVAL,
            ));
        }
        self.verb = verb;
        Ok(())
    }

    fn put_together(self) -> Result<Configure> {
        let address = self.address_change()?;
        let is_made = matches!(address, None | Some(AddressChange::Assign(_)));
        if self.plumb && !is_made {
            return Err(refused(
                "plumb",
                "it contradicts another word",
                libc::EINVAL,
            ));
        }
        Ok(Configure {
            name: self.name.to_owned(),
            address,
            link: self.link,
            tcp: self.tcp,
            deprecated: self.deprecated,
            plumb: self.plumb,
            detach: self.detach,
            cascade: self.cascade,
        })
    }

    fn address_change(&self) -> Result<Option<AddressChange>> {
        let name = self.name;
        if names_deletion(name) {
            // Whatever address is given is ignored, and never added.
            return Ok(Some(AddressChange::Delete));
        }
        let Some((address, length, word)) = self.address else {
            return self.without_address();
        };
        let is_inet6 = self.family.map(|family| family == Family::Inet6);
        if is_inet6.is_some_and(|inet6| inet6 != address.is_ipv6()) {
            return Err(refused(word, "it is of another family", libc::EINVAL));
        }
        if address.is_unspecified() && self.verb == Verb::Assign {
            return Ok(Some(AddressChange::Clear));
        }
        match self.verb {
            Verb::Remove => {
                self.prefix_len(address, length)?;
                return Ok(Some(AddressChange::Remove(address)));
            }
            Verb::Del => {
                self.prefix_len(address, length)?;
                return Ok(Some(AddressChange::Del(address)));
            }
            Verb::RemoveLogical => {
                self.prefix_len(address, length)?;
                return Ok(Some(AddressChange::RemoveLogical(address)));
            }
            Verb::Unplumb => return Err(self.unplumbed_with_address(word)),
            Verb::Assign | Verb::Add | Verb::AddFirst | Verb::AddLogical => {}
        }
        // Only a device's own address may be a loopback one: lo's.
        let own = self.verb == Verb::Assign && !name.contains(':');
        words::unicast(address, own || name == "lo" || name.starts_with("lo:"))?;
        let length = match (self.prefix_len(address, length)?, address) {
            (Some(Mask::Bits(length)), _) => Length::Said(length),
            (None, IpAddr::V4(v4)) => Length::Usual(netmask::of_class(v4)?),
            (None, IpAddr::V6(_)) => Length::Usual(128),
            (Some(Mask::Known), IpAddr::V4(v4)) => Length::Known(netmask::of_class(v4)?),
            // A mask is refused of IPv6.
            (Some(Mask::Known), IpAddr::V6(_)) => Length::Known(128),
        };
        let given = Given {
            address,
            length,
            broadcast: self.broadcast.map(|(broadcast, _)| broadcast),
        };
        self.check_broadcast(&given, own)?;
        Ok(Some(match self.verb {
            Verb::Add => AddressChange::Add(given),
            Verb::AddFirst => AddressChange::AddFirst(given),
            Verb::AddLogical => AddressChange::AddLogical(given),
            _ => AddressChange::Assign(given),
        }))
    }

    fn without_address(&self) -> Result<Option<AddressChange>> {
        let name = self.name;
        let is_alias = name.contains(':');
        match self.verb {
            Verb::Remove | Verb::Unplumb if is_alias => return Ok(Some(AddressChange::Delete)),
            Verb::Unplumb => {
                return Err(refused(
                    "unplumb",
                    "a device of Linux keeps its IP",
                    libc::EOPNOTSUPP,
                )
                .hint(format!(
                    "nothing was changed; its aliases and programs go by: alias-ctl ifconfig {name} detach \
                     --cascade; its own address by: alias-ctl ifconfig {name} 0.0.0.0"
                )));
            }
            Verb::Assign => {}
            _ => {
                return Err(refused(name, "which address is not said", libc::EINVAL)
                    .hint("nothing was changed; name the address"));
            }
        }
        let mask = match (self.mask, self.prefix_len) {
            (None, None) => None,
            (Some((mask, _)), None) => Some(mask),
            (_, Some(word)) => Some(Mask::Bits(words::prefix_len(word, 128)?)),
        };
        let broadcast = self.broadcast.map(|(broadcast, _)| broadcast);
        let some = mask.is_some() || broadcast.is_some();
        Ok(some.then_some(AddressChange::Remask(mask, broadcast)))
    }

    /// What `/LEN`, `netmask` and `prefixlen` say, which must be one thing.
    fn prefix_len(&self, address: IpAddr, slash: Option<&str>) -> Result<Option<Mask>> {
        let all = if address.is_ipv6() { 128 } else { 32 };
        if let (Some((_, word)), true) = (self.mask, address.is_ipv6()) {
            return Err(
                refused(word, "an IPv6 address has a prefix length", libc::EINVAL)
                    .hint("write ADDRESS/LENGTH"),
            );
        }
        let length = |word: &str| words::prefix_len(word, all).map(Mask::Bits);
        let slash = slash.map(length).transpose()?;
        let keyword = self.prefix_len.map(length);
        let all_said = [slash, self.mask.map(|(mask, _)| mask), keyword.transpose()?];
        let mut said = all_said.into_iter().flatten();
        let first = said.next();
        if said.any(|other| Some(other) != first) {
            let (_, _, word) = self.address.unwrap_or((address, None, "netmask"));
            return Err(refused(
                word,
                "two lengths are given for its network",
                libc::EINVAL,
            ));
        }
        Ok(first)
    }

    fn unplumbed_with_address(&self, word: &str) -> Refusal {
        let device = self.name.split(':').next().unwrap_or(self.name);
        refused(word, "unplumb takes no address", libc::EINVAL).hint(format!(
            "nothing was changed; write: alias-ctl ifconfig {device} removeif {word}"
        ))
    }

    /// An alias has its network's broadcast address, or none.
    fn check_broadcast(&self, given: &Given, own: bool) -> Result<()> {
        let Some((broadcast, word)) = self.broadcast else {
            return Ok(());
        };
        let IpAddr::V4(v4) = given.address else {
            return Err(refused(word, "IPv6 has no broadcast", libc::EINVAL));
        };
        match (given.length, broadcast) {
            _ if own => Ok(()),
            // Which network that is, is asked later.
            (Length::Known(_), _) => Ok(()),
            (Length::Said(length) | Length::Usual(length), broadcast) => {
                fits_network(broadcast, v4, length)
            }
        }
    }
}

/// Refuses a broadcast address that is not the network's.
///
/// # Errors
///
/// EINVAL.
pub fn fits_network(broadcast: Broadcast, address: Ipv4Addr, prefix_len: u8) -> Result<()> {
    let expected = broadcast_of(address, prefix_len);
    match broadcast {
        Broadcast::Said(said) if said != expected => Err(refused(
            &said.to_string(),
            "an alias's broadcast address is that of its network",
            libc::EINVAL,
        )
        .hint(format!(
            "nothing was changed; write {expected}, or leave it out"
        ))),
        Broadcast::Said(_) | Broadcast::Network => Ok(()),
    }
}

/// Sets what may be said once; twice the same is once.
fn once<T: PartialEq>(place: &mut Option<T>, value: Option<T>, word: &str) -> Result<()> {
    if place.is_some() && *place != value {
        return Err(refused(
            word,
            "it contradicts a word before it",
            libc::EINVAL,
        ));
    }
    *place = value;
    Ok(())
}
