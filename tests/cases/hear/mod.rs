//! What the link says to everybody reaches the alias devices that must hear it.

mod announced;
mod asked;
mod claimed;
mod followed;
mod gateway;
mod golden;
mod kept;

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_tests::{
    Lab, Mode, Namespace, RawSocket,
    frame::{BROADCAST, Frame, Mac, frame, read},
};

use crate::scene::{Family, LIMIT};

/// Whom the test speaks for on B's wire: nobody's station there.
pub(crate) const STRANGER: Mac = [2, 0, 0x5e, 0, 0x53, 1];
pub(crate) const ALL_NODES: Mac = [0x33, 0x33, 0, 0, 0, 1];

#[track_caller]
pub(crate) fn v4(text: &str) -> Ipv4Addr {
    text.parse().expect("an IPv4 address")
}

#[track_caller]
pub(crate) fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an IPv6 address")
}

/// A gratuitous ARP request, or an unsolicited neighbour advertisement: `address` is at
/// `mac` now.
#[track_caller]
pub(crate) fn announcement(family: Family, address: &str, mac: Mac) -> Frame {
    match family {
        Family::V4 => frame()
            .between(mac, BROADCAST)
            .arp_request(v4(address), v4(address)),
        Family::V6 => frame().between(mac, ALL_NODES).advertisement(
            v6(address),
            v6("ff02::1"),
            v6(address),
            0x20,
        ),
    }
}

/// A namespace with one alias of the cable's network, and its device's real name.
pub(crate) struct Home {
    pub(crate) place: Namespace,
    pub(crate) device: String,
}

impl Home {
    #[track_caller]
    pub(crate) fn with(lab: &Lab, name: &str, alias: &str, address: &str, words: &[&str]) -> Self {
        let place = lab.namespace(name);
        let add = ["add", alias, address, "--netns", place.name()];
        lab.ctl_ok(&[&add[..], words].concat());
        let device = lab.device(alias);
        place.wait_until_up(&device);
        Self { place, device }
    }

    /// Hears what comes in by the alias's device.
    #[track_caller]
    pub(crate) fn ear(&self) -> RawSocket {
        RawSocket::open(&self.place, &self.device)
    }
}

/// A lab where nobody speaks but the test, and what is copied can be counted exactly.
#[track_caller]
pub(crate) fn silent_lab(mode: Mode) -> Lab {
    Lab::builder().mode(mode).silent().build()
}

/// Of the frames on this socket up to the marker, how many `wanted` accepts. The marker is
/// announced behind them, by an address that no test gives anybody.
#[track_caller]
pub(crate) fn count(what: &str, ear: &RawSocket, wanted: impl Fn(&[u8]) -> bool) -> usize {
    let before = ear.all_before(&format!("{what}: the marker"), LIMIT, is_marker);
    before.iter().filter(|frame| wanted(frame)).count()
}

/// Announces the marker.
#[track_caller]
pub(crate) fn mark(from: &RawSocket, tags: &[u16]) {
    let mut marker = frame().between(STRANGER, BROADCAST);
    for tag in tags {
        marker = marker.vlan(*tag);
    }
    let marker = marker.arp_request(v4(MARKER), v4(MARKER));
    from.send(&marker.padded().build());
}

const MARKER: &str = "203.0.113.254";

fn is_marker(frame: &[u8]) -> bool {
    read(frame).is_some_and(|seen| seen.arp.is_some_and(|arp| arp.sender == v4(MARKER)))
}

/// What the programs of eth0 say in `stats --parent`.
#[track_caller]
pub(crate) fn figure(lab: &Lab, field: &str) -> u64 {
    let rows = lab.ctl_json(&["stats", "--parent"]);
    let row = rows
        .as_array()
        .and_then(|rows| rows.iter().find(|row| row["parent"] == "eth0"));
    row.and_then(|row| row[field].as_u64())
        .unwrap_or_else(|| panic!("no {field} of eth0 in {rows}"))
}
