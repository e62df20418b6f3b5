//! Puts right what was found off with a parent. Each step may be killed: what it
//! did not finish is found again.

use std::collections::HashSet;

use alias_common::record::{Record, Target, TargetKind};

use crate::dataplane::header::{self, padded_name};
use crate::error::Result;
use crate::lifecycle::retire;
use crate::lifecycle::target::to;
use crate::model::name::alias_name;
use crate::netlink::Request;
use crate::wiring::transaction::On;
use crate::wiring::{
    description, device, engine, hearing, hooks, local, neighbour, port, presence,
};

use super::findings::{Findings, Reason, unpadded};
use super::moved;

/// Puts everything right that was found; tells what it did.
pub(super) fn repair(on: &mut On<'_>, findings: &Findings, done: &mut Vec<String>) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    if findings.program_detached {
        engine::reattach(link, &parent)?;
        done.push(format!(
            "{}: its {} program was detached: attached again",
            link.name,
            header::hook_word(header::mode(&parent.header()))
        ));
    }
    free(on, findings, done)?;
    let still = |slot: &u32| parent.live().any(|(live, _)| live == *slot);
    for (slot, _) in findings.moved.iter().filter(|(slot, _)| still(slot)) {
        moved::follow(on, *slot, done)?;
    }
    if findings.mac {
        let live: Vec<(u32, Record)> = parent.live().collect();
        device::tell(on.host, &live, |_, record| {
            vec![Request::set_mac(record.device_ifindex, link.mac)]
        })?;
        parent.set_mac(link.mac);
        done.push(format!("{}: has another MAC: its devices too", link.name));
        if let Err(refusal) = neighbour::tell_again(link, &live) {
            done.push(refusal.to_string());
        }
    }
    if findings.name {
        rename(on)?;
        done.push(format!("{}: has another name: its aliases too", link.name));
    }
    if !findings.resized.is_empty() {
        resize(on, &findings.resized)?;
        done.push(format!("{}: MTU {}: its devices too", link.name, link.mtu));
    }
    if let Some(was_down) = findings.was_down {
        if !was_down {
            local::assign_again(on)?;
            done.push(format!("{}: is up again, with its aliases", link.name));
        }
        parent.set_was_down(was_down);
    }
    if findings.unrouted || findings.unassigned {
        local::assign_again(on)?;
        let what = match findings.unassigned {
            true => "addresses of its aliases were taken away",
            false => "the route to a network of its aliases was gone",
        };
        done.push(format!("{}: {what}: put back", link.name));
    }
    if findings.misplaced || findings.unsourced {
        local::put_in_order(on, &[])?;
    }
    if findings.misplaced {
        done.push(format!(
            "{}: addresses of its aliases were not where they belong: the host's own comes first, then the oldest",
            link.name
        ));
    }
    if let Some(first) = findings.bare.first() {
        presence::put_back(on, &findings.bare)?;
        done.push(format!(
            "{}: the device had lost its address{}: put back",
            alias_name(&link.name, *first),
            and_more(findings.bare.len() - 1)
        ));
    }
    if findings.deaf {
        hearing::follow(on.host, Some(link), parent)?;
        done.push(format!(
            "{}: its all-multicast mode was ended, and a device hears multicast: set again",
            link.name
        ));
    }
    for (key, name) in &findings.renamed_targets {
        let target = Target {
            name: padded_name(name),
            ..parent.target(*key)
        };
        parent.set_target(*key, target);
    }
    for (key, replacement) in &findings.new_targets {
        to::repoint(on, *key, replacement)?;
        done.push(format!(
            "{}: is there again: its aliases lead to it",
            replacement.name
        ));
    }
    if findings.detached {
        let targets = hooks::targets(on.host, &parent)?;
        for point in hooks::attach_points(&parent, link, &targets) {
            match point.restore(parent.path()) {
                Ok(false) => {}
                Ok(true) => done.push(format!("{point} was detached: attached again")),
                // Nothing that a change of the aliases would have to wait for.
                Err(refusal) => done.push(refusal.to_string()),
            }
        }
    }
    if !findings.detached_ports.is_empty() {
        done.push(match port::reattach(on, &findings.detached_ports) {
            Ok(()) => format!(
                "{}: alias_tx was detached from ports: attached again",
                link.name
            ),
            Err(refusal) => refusal.to_string(),
        });
    }
    if let Some(seconds) = findings.looked_at {
        parent.set_looked_at(seconds);
    }
    Ok(())
}

/// Takes away the aliases that lost what they live on.
fn free(on: &mut On<'_>, findings: &Findings, done: &mut Vec<String>) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    if findings.going.is_empty() {
        return Ok(());
    }
    let mut slots: Vec<u32> = findings.going.iter().map(|(slot, _)| *slot).collect();
    let owners: HashSet<u32> = slots.iter().copied().collect();
    let joined = parent.live().filter(|(slot, record)| {
        record.is(TargetKind::Join) && owners.contains(&record.link) && !owners.contains(slot)
    });
    slots.extend(joined.map(|(slot, _)| slot));
    parent.set_unfinished(true);
    retire::retire(on, &slots)?;
    parent.set_unfinished(false);
    for (reason, why) in [
        (Reason::Down, "it went down"),
        (Reason::Device, "their devices are gone"),
    ] {
        let mut of_it = findings.going.iter().filter(|(_, found)| *found == reason);
        let Some((first, _)) = of_it.next() else {
            continue;
        };
        let more = and_more(of_it.count());
        let name = alias_name(&link.name, *first);
        done.push(format!("{}: {why}: deleted {name}{more}", link.name));
    }
    Ok(())
}

fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        n => format!(" and {n} more"),
    }
}

/// Gives ports and their devices the parent's MTU.
fn resize(on: &mut On<'_>, slots: &[u32]) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let aliases: Vec<(u32, Record)> = slots
        .iter()
        .map(|slot| (*slot, parent.record(*slot)))
        .collect();
    let ports: Vec<Request> = aliases
        .iter()
        .map(|(_, record)| Request::set_mtu(record.port_ifindex, link.mtu))
        .collect();
    // The device first: a port of the right size is one that needs no change.
    device::tell(on.host, &aliases, |_, record| {
        vec![Request::set_mtu(record.device_ifindex, link.mtu)]
    })?;
    // A size that the kernel refuses, it refused the parent too.
    on.host.netlink.batch(&ports).map(drop)?;
    Ok(())
}

/// Gives the devices the names that their aliases have now. Labels of addresses
/// are the kernel's to change.
fn rename(on: &mut On<'_>) -> Result<()> {
    let (link, parent) = (on.link, on.parent);
    let before = parent.header().name;
    let live: Vec<(u32, Record)> = parent.live().collect();
    device::tell(on.host, &live, |slot, record| {
        let old = alias_name(unpadded(&before), slot);
        let new = alias_name(&link.name, slot);
        vec![
            Request::del_altname(record.device_ifindex, &old),
            Request::add_altname(record.device_ifindex, &new),
        ]
    })?;
    description::rename(on.host, &live, (unpadded(&before), &link.name))?;
    parent.set_name(&link.name);
    Ok(())
}
