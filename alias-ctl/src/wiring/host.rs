//! Where a command runs: one network namespace, its netlink conversation and
//! its state directory.

use std::collections::HashMap;
use std::fs;

use alias_common::header::Header;

use crate::dataplane::{Directory, Parent, abi};
use crate::error::{Refusal, Result};
use crate::model::lifecycle::OnDown;
use crate::model::name::AliasName;
use crate::netlink::{Conversation, Link, Netns};

/// The namespace a command was called in.
pub struct Host {
    /// The namespace itself.
    pub netns: Netns,
    /// A conversation with it.
    pub netlink: Conversation,
    /// Its state.
    pub directory: Directory,
    /// Parents with which nothing can be done now, by ifindex, and why.
    pub barred: HashMap<u32, Refusal>,
    /// Aliases that this command has made, by their parents' ifindex and slot.
    pub made: Vec<(u32, u32)>,
}

impl Host {
    /// Opens the calling thread's namespace.
    ///
    /// # Errors
    ///
    /// EPERM, naming the capability that is missing; ENODEV without bpffs.
    pub fn open() -> Result<Host> {
        check_capabilities()?;
        let netns = Netns::current()?;
        let directory = Directory::of(netns.cookie()?)?;
        Ok(Host {
            netlink: Conversation::new()?,
            netns,
            directory,
            barred: HashMap::new(),
            made: Vec::new(),
        })
    }

    /// A device by its name.
    ///
    /// # Errors
    ///
    /// ENODEV when there is none.
    pub fn link(&mut self, name: &str, operation: &str) -> Result<Link> {
        self.netlink.link_by_name(name)?.ok_or_else(|| {
            Refusal::new(
                name,
                operation,
                "no such device in this network namespace",
                libc::ENODEV,
            )
            .hint(match name.split_once(':') {
                Some((device, _)) => format!("name the device, not an alias of it: {device}"),
                None => "list them: ip link".to_owned(),
            })
        })
    }

    /// What becomes of a parent's aliases when it goes down: what was chosen for it, or
    /// what is usual in this namespace.
    #[must_use]
    pub fn on_down(&self, header: &Header) -> OnDown {
        Parent::on_down(header).unwrap_or_else(|| self.directory.usual_on_down())
    }

    /// A device and the slot its name may carry. An exact device name wins.
    ///
    /// # Errors
    ///
    /// ENODEV when there is no such device, or the suffix is no slot.
    pub fn alias(&mut self, name: &str, operation: &str) -> Result<(Link, Option<u32>)> {
        if !name.contains(':') {
            return Ok((self.link(name, operation)?, None));
        }
        let parsed = AliasName::parse(name)?;
        let link = self.link(&parsed.parent, operation)?;
        Ok((link, parsed.slot))
    }

    /// The state of an attached parent.
    ///
    /// # Errors
    ///
    /// ENODEV when it is not attached; why nothing can be done with it.
    pub fn attached(&self, link: &Link, operation: &str) -> Result<Parent> {
        if let Some(refusal) = self.barred.get(&link.ifindex) {
            return Err(refusal.clone());
        }
        match Parent::open(&self.directory, link.ifindex)? {
            Some(parent) => Ok(parent),
            None => {
                self.check_version(link, operation)?;
                Err(not_attached(link, operation))
            }
        }
    }

    /// Refuses a device whose pins are of another version.
    ///
    /// # Errors
    ///
    /// EOPNOTSUPP, with the version and the way out.
    pub fn check_version(&self, link: &Link, operation: &str) -> Result<()> {
        match abi::other_version(&self.directory, link.ifindex)? {
            Some(version) => Err(abi::refusal(&link.name, operation, version)),
            None => Ok(()),
        }
    }
}

/// The refusal for a parent that has no aliases.
#[must_use]
pub fn not_attached(link: &Link, operation: &str) -> Refusal {
    Refusal::new(
        &link.name,
        operation,
        "it has no aliases, and is not attached",
        libc::ENODEV,
    )
    .hint(match operation {
        // Who wants something gone, or looked at, is not helped by a new one.
        "delete" | "detach" | "disable" | "announce" | "examine" => {
            "see what there is: alias-ctl show".to_owned()
        }
        _ => format!("make one: alias-ctl add {}:0 ADDRESS", link.name),
    })
}

/// Capabilities by their numbers in `linux/capability.h`.
const CAP_NET_ADMIN: (u32, &str) = (12, "CAP_NET_ADMIN");
const CAP_BPF: (u32, &str) = (39, "CAP_BPF");
const CAP_PERFMON: (u32, &str) = (38, "CAP_PERFMON");
const CAP_SYS_ADMIN: (u32, &str) = (21, "CAP_SYS_ADMIN");

fn check_capabilities() -> Result<()> {
    let effective = fs::read_to_string("/proc/thread-self/status")
        .ok()
        .and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("CapEff:"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        })
        .unwrap_or(u64::MAX);
    let has = |(number, _): (u32, &str)| effective & (1 << number) != 0;
    let missing = if !has(CAP_NET_ADMIN) {
        CAP_NET_ADMIN
    } else if !has(CAP_BPF) && !has(CAP_SYS_ADMIN) {
        CAP_BPF
    } else if !has(CAP_PERFMON) && !has(CAP_SYS_ADMIN) {
        CAP_PERFMON
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        "alias-ctl",
        "configure aliases",
        format!("the capability {} is missing", missing.1),
        libc::EPERM,
    )
    .hint("run it as root, for example with sudo"))
}
