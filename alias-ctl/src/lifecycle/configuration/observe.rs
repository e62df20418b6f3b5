//! What is there, in the words of a configuration: by name, where records have
//! numbers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use alias_common::header::Header;
use alias_common::limits::MAX_ALIASES;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::parent::address_of;
use crate::dataplane::{Parent, header};
use crate::error::Result;
use crate::lifecycle::names::names_by_cookie;
use crate::model::alias_request::Target;
use crate::model::declaration::{Attachment, Declaration, Hook, Properties};
use crate::model::name::alias_name;
use crate::model::plan::Live;
use crate::netlink::{Link, Netns};
use crate::wiring::host::Host;
use crate::wiring::veth;

/// The names that devices and namespaces have now.
pub struct Names {
    links: HashMap<u32, Link>,
    /// By cookie.
    namespaces: HashMap<u64, String>,
    own_cookie: u64,
}

impl Names {
    /// Looks all of them up, once.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn look_up(host: &mut Host) -> Result<Names> {
        let links = host.netlink.links()?;
        Ok(Names {
            links: links.into_iter().map(|link| (link.ifindex, link)).collect(),
            namespaces: names_by_cookie(),
            own_cookie: host.netns.cookie()?,
        })
    }

    /// Gives what a configuration names the names that [`aliases`] uses: a device
    /// and a namespace may have several. What is not there keeps its name.
    pub fn settle(&self, declaration: &mut Declaration) {
        let mut known: HashMap<String, Option<String>> = HashMap::new();
        let devices: HashMap<&str, &str> = self
            .links
            .values()
            .flat_map(|link| link.altnames.iter().map(|name| (&**name, &*link.name)))
            .collect();
        for run in declaration
            .parents
            .iter_mut()
            .flat_map(|parent| &mut parent.runs)
        {
            match &mut run.properties.target {
                Target::Device { netns } => {
                    if let Some(name) = netns {
                        let settled = known
                            .entry(name.clone())
                            .or_insert_with(|| self.settled(name));
                        netns.clone_from(settled);
                    }
                }
                Target::To { device, .. } => {
                    if let Some(name) = devices.get(&**device) {
                        *device = (*name).to_owned();
                    }
                }
                Target::Join { .. } | Target::Local | Target::Drop => {}
            }
        }
    }

    /// The first name of a namespace; none for the parent's own.
    fn settled(&self, name: &str) -> Option<String> {
        let Ok(cookie) = Netns::open(name).and_then(|netns| netns.cookie()) else {
            return Some(name.to_owned());
        };
        if cookie == self.own_cookie {
            return None;
        }
        let first = self.namespaces.get(&cookie);
        Some(first.map_or_else(|| name.to_owned(), Clone::clone))
    }
}

/// What is not there under a name.
#[derive(Debug)]
pub struct Nameless {
    /// The alias's slot.
    pub slot: u32,
    /// What it is that has no name.
    pub reason: String,
}

/// The aliases of a parent, by slot, and the first that leads to something without
/// a name.
///
/// # Errors
///
/// What the kernel said.
pub fn aliases(
    host: &mut Host,
    link: &Link,
    parent: &Parent,
    names: &Names,
) -> Result<(Vec<Live>, Option<Nameless>)> {
    let addresses: HashSet<IpAddr> = host
        .netlink
        .addresses(Some(link.ifindex))?
        .iter()
        .map(|found| found.address)
        .collect();
    let mut nameless = None;
    let mut missing = |slot: u32, reason: &str| {
        nameless.get_or_insert(Nameless {
            slot,
            reason: reason.to_owned(),
        });
    };
    let live = parent
        .live_by_slot()
        .map(|(slot, record)| {
            let port = names.links.get(&record.port_ifindex);
            let (target, whole) = match record.kind() {
                Some(TargetKind::Device) => {
                    let netns = (record.netns_inode != 0).then(|| {
                        let name = names.namespaces.get(&record.netns_cookie);
                        name.cloned().unwrap_or_else(|| {
                            missing(slot, "its network namespace has no name in /run/netns");
                            format!("net:[{}]", record.netns_inode)
                        })
                    });
                    (Target::Device { netns }, port.is_some_and(veth::is_ours))
                }
                Some(TargetKind::Join) => {
                    let alias = alias_name(&link.name, record.link);
                    (Target::Join { alias }, port.is_some_and(veth::is_ours))
                }
                Some(TargetKind::To) => {
                    let device = port.map_or_else(
                        || {
                            missing(slot, "the device it leads to is gone");
                            format!("if{}", record.port_ifindex)
                        },
                        |port| port.name.clone(),
                    );
                    let mac = (record.mac != [0; 6]).then_some(record.mac);
                    (Target::To { device, mac }, port.is_some())
                }
                Some(TargetKind::Local) => {
                    let there = address_of(&record)
                        .ip()
                        .is_none_or(|ip| addresses.contains(&ip));
                    (Target::Local, there)
                }
                Some(TargetKind::Drop) | None => (Target::Drop, true),
            };
            Live {
                slot,
                address: address_of(&record),
                properties: Properties {
                    prefix_len: record.prefix_len,
                    vlan: record.vlan(),
                    target,
                    enabled: record.flags & Record::ENABLED != 0,
                    announce: record.flags & Record::ANNOUNCE != 0,
                    hear: record.hear(),
                    deprecated: deprecated(&record),
                    tcp: record.tcp,
                },
                declared: record.flags & Record::DECLARED != 0,
                whole,
            }
        })
        .collect();
    Ok((live, nameless))
}

/// Whether the host's stack is not to take an alias for its source, where that is unusual.
fn deprecated(record: &Record) -> Option<bool> {
    let is = record.flags & Record::DEPRECATED != 0;
    (record.is(TargetKind::Local) && is != address_of(record).is_ipv6()).then_some(is)
}

/// How a parent is attached.
#[must_use]
pub fn attachment(parent: &Parent) -> Attachment {
    let header = parent.header();
    let is_set = |flag| header.flags & flag != 0;
    Attachment {
        mode: Some(header::mode(&header)),
        capacity: Some(parent.capacity()),
        max_aliases: (header.max_aliases < MAX_ALIASES).then_some(header.max_aliases),
        log: Some(header.log_level),
        tc: Some(if is_set(Header::CLSACT) {
            Hook::Clsact
        } else {
            Hook::Tcx
        }),
        on_parent_down: Parent::on_down(&header),
    }
}
