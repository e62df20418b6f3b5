//! Firewall rules that name a device and not the alias devices beside it: those receive
//! what the device itself never sees, so what was closed is open on them.

use alias_common::record::Record;

use crate::dataplane::Parent;
use crate::model::finding::Findings;
use crate::model::name::device_name;
use crate::netlink::Link;
use crate::netlink::firewall::{self, Named};
use crate::wiring::veth::{PORT_GROUP, is_beside_parent};

pub(super) fn examine(link: &Link, parent: &Parent, findings: &mut Findings) {
    let is_beside = |(_, record): &(u32, Record)| is_beside_parent(record);
    let mut beside = parent.live_by_slot().filter(is_beside);
    let Some((slot, record)) = beside.next() else {
        return;
    };
    let chains = match firewall::chains() {
        Ok(chains) => chains,
        Err(error) => {
            let what = format!("its rules cannot be read: {error}");
            return findings.note("nftables", what, "");
        }
    };
    let itself = Named {
        name: &link.name,
        ifindex: link.ifindex,
        group: link.group,
    };
    // Whoever names one by its group or pattern names all.
    let alias = Named {
        name: &device_name(link.ifindex, slot),
        ifindex: record.device_ifindex,
        group: PORT_GROUP,
    };
    let blind: Vec<&str> = chains
        .iter()
        .filter(|chain| chain.names(&itself) && !chain.names(&alias))
        .map(|chain| chain.name.as_str())
        .collect();
    if blind.is_empty() {
        return;
    }
    findings.note(
        &link.name,
        format!(
            "nftables rules name it ({}), and do not see its alias devices ({}): what they \
             close on it is open there",
            blind.join(", "),
            beside.count() + 1
        ),
        format!("name those too: iifgroup {PORT_GROUP}, or iifname \"al*\"; docs/HOSTS.md"),
    );
}
