//! The objects of `show -j` and `stats -j`, written by hand: there may be a million
//! of them, and serde's way through `Serialize` took two thirds of the time. Field
//! names are stable; units are in the names.

use std::io::Write;

use super::alias::{AliasView, StatsView, by_word};
use crate::model::address::Address;
use crate::model::hearing;

/// Writes the object of `show -j`.
pub fn alias(out: &mut Vec<u8>, view: &AliasView<'_>) {
    fields(out, view);
    out.push(b'}');
}

/// Writes the object of `stats -j`.
pub fn stats(out: &mut Vec<u8>, view: &StatsView<'_>) {
    fields(out, &view.alias);
    number(out, ",\"rx_packets\":", view.rx_packets);
    number(out, ",\"rx_bytes\":", view.rx_bytes);
    number(out, ",\"tx_packets\":", view.tx_packets);
    number(out, ",\"tx_bytes\":", view.tx_bytes);
    number(out, ",\"neighbor_rx_packets\":", view.neighbor_rx_packets);
    number(out, ",\"neighbor_tx_packets\":", view.neighbor_tx_packets);
    number(out, ",\"dropped\":{\"policy\":", view.dropped.policy);
    number(out, ",\"spoof\":", view.dropped.spoof);
    number(out, ",\"no_target\":", view.dropped.no_target);
    out.extend_from_slice(b"}}");
}

/// What both begin with.
fn fields(out: &mut Vec<u8>, view: &AliasView<'_>) {
    string(out, "{\"alias\":", view.parent);
    // The slot stands within the quotes.
    out.pop();
    number(out, ":", view.slot);
    string(out, "\",\"parent\":", view.parent);
    number(out, ",\"slot\":", view.slot);
    string(out, ",\"family\":", &view.family);
    out.extend_from_slice(b",\"address\":\"");
    address(out, view.address);
    number(out, "\",\"prefix_len\":", view.prefix_len);
    out.extend_from_slice(match view.address {
        Address::Prefix(_) => b",\"prefix\":true",
        _ => b",\"prefix\":false",
    });
    match view.vlan {
        Some(id) => number(out, ",\"vlan\":", id),
        None => out.extend_from_slice(b",\"vlan\":null"),
    }
    if let Some(id) = view.inner_vlan {
        number(out, ",\"inner_vlan\":", id);
    }
    string(out, ",\"target\":", view.target);
    nullable(out, ",\"device\":", view.device.as_deref());
    nullable(out, ",\"netns\":", view.netns.as_deref());
    out.extend_from_slice(if view.enabled {
        b",\"enabled\":true"
    } else {
        b",\"enabled\":false"
    });
    string(out, ",\"mode\":", view.mode);
    let mut before = ",\"hear\":[";
    for word in hearing::listed(view.hear) {
        string(out, before, word);
        before = ",";
    }
    out.extend_from_slice(match view.hear.is_nothing() {
        true => b",\"hear\":[]",
        false => b"]",
    });
    if view.tcp.is_empty() {
        out.extend_from_slice(b",\"tcp\":null");
        return;
    }
    let mut before = ",\"tcp\":{";
    for (word, value) in by_word(&view.tcp) {
        string(out, before, word);
        number(out, ":", value);
        before = ",";
    }
    out.push(b'}');
}

// Inlined, so that what stands before a value is copied by its known length.
#[inline(always)]
fn number(out: &mut Vec<u8>, before: &str, value: impl itoa::Integer) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline(always)]
fn nullable(out: &mut Vec<u8>, before: &str, value: Option<&str>) {
    match value {
        Some(value) => string(out, before, value),
        None => {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(b"null");
        }
    }
}

#[inline(always)]
fn string(out: &mut Vec<u8>, before: &str, value: &str) {
    out.extend_from_slice(before.as_bytes());
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        // Nothing can be refused: it is a string, and goes to memory.
        let _ = serde_json::to_writer(out, value);
    }
}

/// An address as its family prints it, or a prefix's without its length: nothing of it
/// needs escaping.
fn address(out: &mut Vec<u8>, address: Address) {
    let address = match address {
        Address::Prefix(prefix) => prefix.network.into(),
        address => address,
    };
    if let Address::V4(v4) = address {
        let mut before = "";
        for octet in v4.octets() {
            number(out, before, octet);
            before = ".";
        }
    } else {
        // Writing to memory cannot fail.
        let _ = write!(out, "{address}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alias_common::hearer::Hear;
    use alias_common::tcp_options::{TcpOption, TcpOptions};
    use serde::Serialize;

    use super::super::alias::Dropped;
    use super::*;
    use crate::model::prefix::Prefix;

    /// The same object as serde writes it.
    #[derive(Serialize)]
    struct Mirror<'a> {
        alias: String,
        parent: &'a str,
        slot: u32,
        family: &'a str,
        address: String,
        prefix_len: u8,
        prefix: bool,
        vlan: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        inner_vlan: Option<u16>,
        target: &'a str,
        device: Option<&'a str>,
        netns: Option<&'a str>,
        enabled: bool,
        mode: &'a str,
        hear: Vec<&'a str>,
        tcp: Option<BTreeMap<&'a str, u32>>,
    }

    #[derive(Serialize)]
    struct StatsMirror<'a> {
        #[serde(flatten)]
        alias: Mirror<'a>,
        rx_packets: u64,
        rx_bytes: u64,
        tx_packets: u64,
        tx_bytes: u64,
        neighbor_rx_packets: u64,
        neighbor_tx_packets: u64,
        dropped: Dropped,
    }

    fn view<'a>(parent: &'a str, address: &str) -> AliasView<'a> {
        let address: std::net::IpAddr = address.parse().unwrap();
        AliasView {
            parent,
            slot: 0,
            family: if address.is_ipv4() { "ip" } else { "ipv6" }.into(),
            address: address.into(),
            prefix_len: 24,
            vlan: None,
            inner_vlan: None,
            target: "drop",
            device: None,
            netns: None,
            enabled: true,
            mode: "native",
            hear: Hear::NOTHING,
            tcp: TcpOptions::default(),
        }
    }

    fn check(view: &AliasView<'_>) {
        let mirror = || Mirror {
            alias: format!("{}:{}", view.parent, view.slot),
            parent: view.parent,
            slot: view.slot,
            family: &view.family,
            address: match view.address.to_string().split_once('/') {
                Some((network, _)) => network.to_owned(),
                None => view.address.to_string(),
            },
            prefix_len: view.prefix_len,
            prefix: view.address.prefix().is_some(),
            vlan: view.vlan,
            inner_vlan: view.inner_vlan,
            target: view.target,
            device: view.device.as_deref(),
            netns: view.netns.as_deref(),
            enabled: view.enabled,
            mode: view.mode,
            hear: hearing::listed(view.hear).collect(),
            tcp: (!view.tcp.is_empty()).then(|| by_word(&view.tcp)),
        };
        let mut found = Vec::new();
        alias(&mut found, view);
        let expected = serde_json::to_string(&mirror()).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), expected);

        let dropped = Dropped {
            policy: 7,
            spoof: 8,
            no_target: u64::MAX,
        };
        let mut found = Vec::new();
        let counted = StatsView {
            alias: view.clone(),
            rx_packets: 1,
            rx_bytes: 2,
            tx_packets: 3,
            tx_bytes: 4,
            neighbor_rx_packets: 5,
            neighbor_tx_packets: 6,
            dropped,
        };
        stats(&mut found, &counted);
        let expected = serde_json::to_string(&StatsMirror {
            alias: mirror(),
            rx_packets: 1,
            rx_bytes: 2,
            tx_packets: 3,
            tx_bytes: 4,
            neighbor_rx_packets: 5,
            neighbor_tx_packets: 6,
            dropped,
        });
        assert_eq!(String::from_utf8(found).unwrap(), expected.unwrap());
    }

    #[test]
    fn as_serde_writes_it() {
        check(&view("eth0", "192.0.2.10"));
        check(&view("eth0", "203.0.113.255"));
        check(&view("eth0", "2001:db8::10"));
        for prefix in ["198.51.100.0/24", "2001:db8:1::/48"] {
            check(&AliasView {
                address: Address::Prefix(Prefix::parse(prefix).unwrap()),
                ..view("eth0", "192.0.2.10")
            });
        }
        // Only a slash, a colon and white space are refused in a device's name.
        for parent in ["a\"b", "a\\b", "\u{1}", "\u{7f}", "caf\u{e9}", "\u{1f600}"] {
            check(&view(parent, "192.0.2.10"));
        }
        check(&AliasView {
            slot: u32::MAX,
            hear: Hear::MULTICAST.and(Hear::BROADCAST),
            vlan: Some(100),
            target: "device",
            device: Some("al3_0".into()),
            netns: Some("net:[4026531840]".into()),
            enabled: false,
            mode: "generic",
            ..view("eth0", "192.0.2.10")
        });
        let mut tcp = TcpOptions::default();
        for (value, option) in (1u32..).zip(TcpOption::ALL) {
            tcp.set(option, Some(value));
        }
        check(&AliasView {
            vlan: Some(4094),
            hear: Hear::MULTICAST,
            inner_vlan: Some(1),
            device: Some("a \"device\"".into()),
            tcp,
            ..view("eth0", "192.0.2.10")
        });
    }
}
