//! Aliases about which a stack keeps silent because it was told to: what is said of them,
//! when they are made and by `doctor`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::IpAddr;

use crate::model::name::alias_name;
use crate::netlink::namespace;
use crate::wiring::asked::{is_silent, silent};
use crate::wiring::batch::{Batch, Placement};
use crate::wiring::question::{Silent, Why};
use crate::wiring::transaction::On;

/// Says on standard error that an alias which was just made is not answered for. What holds
/// for the first of many holds for all. That cannot be found out is no trouble of the
/// command's.
pub(super) fn tell(on: &mut On<'_>, batch: &Batch) {
    let Some(first) = batch.items.first() else {
        return;
    };
    let record = on.parent.record(first.slot);
    let found = match &batch.placement {
        Placement::Device(netns) => {
            let made = (first.slot, &record);
            is_silent(on.host, on.link, netns.as_ref(), made).unwrap_or_default()
        }
        Placement::To(..) | Placement::Drop => None,
        Placement::Join(_) | Placement::Local => {
            let made = [(first.slot, record)];
            let found = silent(on.host, on.link, made.iter()).unwrap_or_default();
            found.into_iter().next()
        }
    };
    let Some(silent) = found else {
        return;
    };
    let more = match batch.items.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    // With nobody to read it the aliases are made all the same.
    let _ = writeln!(
        io::stderr(),
        "alias-ctl: note: {}{more}: {}; {}",
        alias_name(&on.link.name, silent.slot),
        what(&silent),
        hint(&namespace::names(), &silent)
    );
}

/// What is wrong, in words that are the same for all aliases of which the same is.
#[must_use]
pub fn what(silent: &Silent) -> String {
    let Silent { device, value, .. } = silent;
    let network = |(network, len): &(IpAddr, u8)| format!("{network}/{len}");
    match &silent.why {
        Why::Never => format!("arp_ignore {value}: nobody who asks for it gets an answer"),
        Why::NotThere => format!(
            "arp_ignore {value}: nobody who asks for it gets an answer, for no such address is on the device"
        ),
        Why::OtherNetwork(asker) => format!(
            "arp_ignore {value}: those of {} who ask for it get no answer, for its device is not of their network",
            network(asker)
        ),
        Why::OtherWay(asker, by) => format!(
            "arp_filter {value}: those of {} who ask for it get no answer, for {by} is the way to them, and not its device",
            network(asker)
        ),
        Why::ReversePath(asker, by) => format!(
            "strict reverse path filtering on {device} drops its packets: replies to {} leave by {by}",
            network(asker)
        ),
    }
}

/// The command that mends it.
#[must_use]
pub fn hint(names: &HashMap<u64, String>, silent: &Silent) -> String {
    let assignments: Vec<String> = silent
        .settings
        .iter()
        .map(|(of, setting, value)| {
            // A key's dots and slashes change places (sysctl(8)).
            let of = of.replace('.', "/");
            format!("net.ipv4.conf.{of}.{}={value}", setting.name())
        })
        .collect();
    let command = format!("sysctl -w {}", assignments.join(" "));
    match (silent.netns_inode, names.get(&silent.netns_inode)) {
        (0, _) => command,
        (_, Some(name)) => format!("ip netns exec {name} {command}"),
        (_, None) => format!("in its namespace: {command}"),
    }
}
