//! A main device: what it can do, and what its programs are at.

use alias_common::limits::MAX_ALIASES;
use alias_common::record::{Record, TargetKind};

use crate::dataplane::header::{hook_word, mode};
use crate::dataplane::{Build, Parent, elsewhere, probe, sys};
use crate::error::Result;
use crate::lifecycle::upgrade;
use crate::model::declaration::Mode;
use crate::model::finding::Findings;
use crate::model::lifecycle::OnDown;
use crate::model::word::mode_word;
use crate::netlink::{ACTIVE_BACKUP, Link, hardware};
use crate::wiring::host::Host;
use crate::wiring::{engine, hooks, redirect, veth};

use super::{aliases, firewall, hearing};

/// Above this share of its capacity, a device is said to be nearly full.
const NEARLY_FULL_PERCENT: u64 = 90;

pub(super) fn examine(host: &mut Host, link: &Link, findings: &mut Findings) -> Result<()> {
    physical(link, findings);
    let parent = match Parent::open(&host.directory, link.ifindex) {
        Ok(Some(parent)) => parent,
        Ok(None) => {
            not_attached(host, link, findings);
            return Ok(());
        }
        Err(refusal) => {
            findings.problem(&link.name, refusal.reason, refusal.hint);
            return Ok(());
        }
    };
    attached(host, link, &parent, findings);
    let is_changing =
        parent.header().unfinished != 0 || host.directory.growing()?.contains(&link.ifindex);
    if !is_changing {
        hung(host, link, &parent, findings)?;
    }
    hearing::examine(link, &parent, findings)?;
    firewall::examine(link, &parent, findings);
    aliases::examine(host, link, &parent, findings)
}

/// Whose programs it runs.
fn build(parent: &Parent, name: &str, findings: &mut Findings) {
    match upgrade::other_build(parent) {
        Ok(None) => findings.fine(
            name,
            format!("its programs are this binary's, {}", Build::own()),
        ),
        Ok(Some(other)) => findings.note(
            name,
            format!(
                "its programs are of another build, {other}; this is {}",
                Build::own()
            ),
            format!("alias-ctl upgrade {name}"),
        ),
        Err(refusal) => findings.problem(name, refusal.reason, refusal.hint),
    }
}

/// Whether its tc programs are where they belong.
fn hung(host: &mut Host, link: &Link, parent: &Parent, findings: &mut Findings) -> Result<()> {
    let targets = hooks::targets(host, parent)?;
    for point in hooks::attach_points(parent, link, &targets) {
        match point.is_attached(parent.path()) {
            Ok(true) => {}
            Ok(false) => findings.problem(
                &link.name,
                format!("{point} was taken off: {}", point.purpose()),
                point.reattach_hint(),
            ),
            Err(refusal) => findings.problem(&link.name, refusal.reason, refusal.hint),
        }
    }
    Ok(())
}

fn physical(link: &Link, findings: &mut Findings) {
    const ARPHRD_ETHER: u16 = 1;
    if link.hardware_type != ARPHRD_ETHER {
        findings.problem(&link.name, "it is no Ethernet device", "");
    } else if veth::is_ours(link) {
        findings.problem(
            &link.name,
            "it is an alias's own device",
            "examine its parent",
        );
    } else if !link.up {
        findings.problem(
            &link.name,
            "it is down",
            format!("ip link set dev {} up", link.name),
        );
    } else if !link.running {
        findings.note(
            &link.name,
            "it is up, without a carrier",
            "look at the cable",
        );
    } else {
        let driver = hardware::driver(&link.name).unwrap_or_else(|_| "unknown".into());
        findings.fine(&link.name, format!("up, driver {driver}, MTU {}", link.mtu));
    }
}

fn not_attached(host: &Host, link: &Link, findings: &mut Findings) {
    if let Err(refusal) = host.check_version(link, "examine") {
        findings.problem(&link.name, refusal.reason, refusal.hint);
        return;
    }
    let Some(xdp) = &link.xdp else {
        findings.fine(&link.name, "not attached, and free for it");
        return;
    };
    if elsewhere::is_own_engine(link.ifindex, xdp.prog_id) {
        // Where there are no pins at all that was said before.
        let drafts = host.directory.drafts().unwrap_or_default();
        if drafts.contains(&link.ifindex) {
            findings.problem(
                &link.name,
                "a command is attaching it, or was ended while it did",
                "the next command that changes something takes it off",
            );
        }
        return;
    }
    let name = sys::program_name(xdp.prog_id).unwrap_or_else(|_| "unknown".into());
    findings.problem(
        &link.name,
        format!(
            "another XDP program is attached: id {}, name {name}",
            xdp.prog_id
        ),
        elsewhere::take_off_hint(&link.name, xdp.prog_id),
    );
}

/// The mode, and what it costs there.
fn runs_in(link: &Link, mode: Mode, findings: &mut Findings) {
    let name = &link.name;
    let is_veth = link.kind.as_deref() == Some("veth");
    let has_tcx = probe::has_tcx().unwrap_or(false);
    match mode {
        Mode::Generic => findings.note(
            name,
            "XDP runs in generic mode, several times slower",
            match has_tcx {
                true => "where the driver has native mode: detach, and attach without --mode; else --mode tc",
                false => "where the driver has native mode: detach, and attach without --mode",
            },
        ),
        Mode::Native | Mode::BestEffort if is_veth && has_tcx => findings.fine(
            name,
            "attached in native mode; a veth's other end then sends TCP without segmentation \
             offload: where streams matter more than packets, --mode tc",
        ),
        Mode::Native | Mode::BestEffort | Mode::Tc => {
            findings.fine(name, format!("attached in {} mode", mode_word(mode)));
        }
    }
}

fn attached(host: &Host, link: &Link, parent: &Parent, findings: &mut Findings) {
    let name = &link.name;
    let header = parent.header();
    let mode = mode(&header);
    if !parent.is_alive() {
        match &link.xdp {
            Some(_) if mode != Mode::Tc => not_attached(host, link, findings),
            _ => findings.problem(
                name,
                format!(
                    "somebody has detached its {} program: no packet reaches its aliases",
                    hook_word(mode)
                ),
                "the next command that changes something attaches it again",
            ),
        }
    } else {
        runs_in(link, mode, findings);
    }
    build(parent, name, findings);
    if header.unfinished != 0 {
        findings.note(
            name,
            "a command is changing it, or was killed while it did",
            "the next command that changes something puts it in order",
        );
    }
    if header.mac != link.mac {
        findings.note(
            name,
            "its MAC has changed; its alias devices have the old one",
            "the next command that changes something gives them the new one",
        );
    }
    if header.metadata_refused != 0 {
        findings.note(
            name,
            "its driver takes no XDP metadata: a delivery costs a second lookup",
            "",
        );
    }
    if mode == Mode::Native && link.bond_mode == Some(ACTIVE_BACKUP) {
        findings.note(
            name,
            "a bond in active-backup mode: in native mode its programs run on every port, so \
             that a frame a switch floods to two of them is counted, and delivered, twice",
            format!(
                "detach, and attach with {}, where it is counted once",
                engine::other_mode()
            ),
        );
    }
    let to = |record: Record| record.is(TargetKind::To);
    if redirect::fragments_are_lost(link, parent) && parent.live().any(|(_, record)| to(record)) {
        let refusal = redirect::fragments_stay(link);
        findings.problem(
            name,
            format!(
                "{}: they are lost on the way to --to devices",
                refusal.reason
            ),
            refusal.hint,
        );
    }
    let is_veth = link.kind.as_deref() == Some("veth");
    if mode != Mode::Tc && !is_veth && hardware::rx_vlan_offload(name).unwrap_or(false) {
        findings.problem(
            name,
            "it takes VLAN tags out of frames before XDP sees them",
            format!("ethtool -K {name} rxvlan off"),
        );
    }
    let live = parent.live().count() as u64;
    if !link.up && live > 0 && host.on_down(&header) == OnDown::Delete {
        findings.problem(
            name,
            format!("it is down: the next command that changes something deletes its aliases ({live})"),
            format!("to keep them, at once: ip link set dev {name} up; for ever: alias-ctl set {name} --on-parent-down keep"),
        );
    }
    let limit = parent.limit();
    if limit == MAX_ALIASES {
        let capacity = parent.capacity();
        findings.fine(
            name,
            format!("{live} in use, room for {capacity} aliases; it grows when it needs more"),
        );
        return;
    }
    let capacity = u64::from(limit);
    if live * 100 > capacity * NEARLY_FULL_PERCENT {
        findings.note(
            name,
            format!("{live} in use, and its limit is {capacity} aliases"),
            format!("raise the limit: alias-ctl set {name} --max-aliases NUMBER"),
        );
    } else {
        findings.fine(
            name,
            format!("{live} in use, and its limit is {capacity} aliases"),
        );
    }
}
