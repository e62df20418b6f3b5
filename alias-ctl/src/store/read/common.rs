//! The keys that `[[alias]]` and `[[range]]` have in common.

use std::borrow::Cow;

use alias_common::hearer::Hear;
use alias_common::key::Vlan;
use alias_common::tcp_options::{TcpOption, TcpOptions};

use super::super::table::{Entry, Fault, Read, Table, Value, join};
use super::value::{
    alias, because, boolean, device, integer, missing, netns, one_of, text, unknown,
};
use crate::model::address::Address;
use crate::model::alias_request::Target;
use crate::model::declaration::Properties;
use crate::model::hearing;
use crate::model::name::{AliasName, alias_name};
use crate::model::tcp_options;
use crate::model::word;

/// The keys that `alias` and `range` have in common.
#[derive(Default)]
pub(super) struct Common<'t> {
    target: Option<&'t str>,
    netns: Option<String>,
    join: Option<String>,
    to: Option<String>,
    mac: Option<[u8; 6]>,
    vlan: Vlan,
    vlan_at: usize,
    disabled: bool,
    quiet: bool,
    hear: Hear,
    deprecated: Option<bool>,
    tcp: TcpOptions,
}

impl<'t> Common<'t> {
    pub(super) fn take(&mut self, table: &Table<'_>, entry: &'t Entry<'_>, own: &str) -> Read<()> {
        match &*entry.key {
            "target" => {
                let words = ["device", "join", "to", "local", "drop"].map(|word| (word, word));
                self.target = Some(one_of(table, entry, &words)?);
            }
            "netns" => self.netns = Some(netns(table, entry)?),
            "join" => {
                text(table, entry)?;
                let (parent, slot) = alias(table, entry)?;
                self.join = Some(alias_name(&parent, slot));
            }
            "to" => self.to = Some(device(table, entry)?),
            "mac" => {
                let mac = word::mac(text(table, entry)?);
                self.mac = Some(mac.map_err(|why| because(table, entry, why))?);
            }
            "vlan" => {
                let word: Cow<'_, str> = match &entry.value {
                    Value::Integer(id) => id.to_string().into(),
                    _ => text(table, entry)?.into(),
                };
                self.vlan = word::vlan(&word).map_err(|why| because(table, entry, why))?;
                self.vlan_at = entry.value_at;
            }
            "enabled" => self.disabled = !boolean(table, entry)?,
            "hear" => {
                let hear = hearing::parse(text(table, entry)?);
                self.hear = hear.map_err(|why| because(table, entry, why))?;
            }
            "deprecated" => self.deprecated = Some(boolean(table, entry)?),
            "announce" => self.quiet = !boolean(table, entry)?,
            key => {
                let Some(option) = tcp_options::by_word(key) else {
                    let tcp = TcpOption::ALL.map(tcp_options::word).join(", ");
                    let known = format!(
                        "{own}, target, netns, join, to, mac, vlan, enabled, announce, hear, deprecated, {tcp}"
                    );
                    return Err(unknown(table, entry, &known));
                };
                let number = integer(table, entry, 0..=u32::MAX.into())?.to_string();
                let value = tcp_options::parse(option, &number);
                let value = value.map_err(|why| because(table, entry, why))?;
                self.tcp.set(option, Some(value));
            }
        }
        Ok(())
    }

    pub(super) fn finish(
        self,
        table: &Table<'_>,
        parent: &str,
        address: Address,
        prefix_len: u8,
    ) -> Read<Properties> {
        let fault = |key: &str, reason: String| {
            let entry = table.entries.iter().find(|entry| entry.key == key);
            let at = entry.map_or(table.at, |entry| entry.value_at);
            Err(Fault::new(at, join(&table.name, key), reason))
        };
        // The key that says where is enough to say what.
        let said = match (&self.netns, &self.join, &self.to) {
            (_, Some(_), _) => "join",
            (_, _, Some(_)) => "to",
            _ => "device",
        };
        let kind = self.target.unwrap_or(said);
        for (key, goes_with, given) in [
            ("netns", "device", self.netns.is_some()),
            ("join", "join", self.join.is_some()),
            ("to", "to", self.to.is_some()),
            ("mac", "to", self.mac.is_some()),
        ] {
            if given && kind != goes_with {
                return fault(
                    key,
                    format!("the target is {kind:?}, and this goes with {goes_with:?}"),
                );
            }
        }
        if !self.hear.is_nothing() && !matches!(kind, "device" | "to") {
            let reason =
                format!("the target is {kind:?}, which has no device of its own that hears");
            return fault("hear", reason);
        }
        if self.deprecated.is_some() && kind != "local" {
            let reason = format!(
                "the target is {kind:?}, and only an address of the device's own stack (\"local\") is a source of it"
            );
            return fault("deprecated", reason);
        }
        let target = match kind {
            "join" => match self.join {
                Some(alias) if AliasName::parse(&alias).is_ok_and(|name| name.parent == parent) => {
                    Target::Join { alias }
                }
                Some(_) => return fault("join", "it is an alias of another device".into()),
                None => return Err(missing(table, "join", "eth0:0")),
            },
            "to" => match self.to {
                Some(device) => Target::To {
                    device,
                    mac: self.mac,
                },
                None => return Err(missing(table, "to", "veth1")),
            },
            "local" if self.vlan != Vlan::NONE => {
                return fault("vlan", "a local alias cannot be scoped to a VLAN".into());
            }
            "local" => Target::Local,
            "drop" => Target::Drop,
            _ => Target::Device { netns: self.netns },
        };
        Ok(Properties {
            prefix_len,
            vlan: self.vlan,
            target,
            enabled: !self.disabled,
            announce: !self.quiet,
            hear: self.hear,
            deprecated: self
                .deprecated
                .filter(|deprecated| *deprecated != address.is_ipv6()),
            tcp: self.tcp,
        })
    }
}
