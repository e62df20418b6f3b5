//! The blocks of Solaris.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::model::ifconfig::Style;
use crate::model::ifconfig::flags::{self, Flag};

use super::view::{DeviceView, InetView};

// Writing to a String cannot fail: so for all of the following.

/// A block for each logical interface, those of IPv4 before those of IPv6.
pub(super) fn blocks(devices: &[DeviceView]) -> String {
    let mut text = String::new();
    for is_ipv6 in [false, true] {
        for device in devices {
            device_blocks(&mut text, device, is_ipv6);
        }
    }
    text
}

fn device_blocks(text: &mut String, device: &DeviceView, is_ipv6: bool) {
    let of_family = |inet: &&InetView| inet.address.is_ipv6() == is_ipv6;
    let mut own = device.inet.iter().filter(of_family).peekable();
    // A device without an address has a block too.
    let is_bare = device.inet.is_empty() && !is_ipv6;
    if !device.only_aliases && (own.peek().is_some() || is_bare) {
        head(text, device, &device.name, (device.flags, is_ipv6, false));
        for inet in own {
            inet_line(text, inet);
        }
        if device.hardware_type == 1 {
            let [a, b, c, d, e, f] = device.mac;
            let _ = writeln!(text, "\tether {a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}");
        }
    }
    for alias in &device.aliases {
        let inet = alias.inet.as_ref();
        if inet.is_some_and(|inet| inet.address.is_ipv6()) != is_ipv6 {
            continue;
        }
        let deprecated = inet.is_some_and(|inet| inet.deprecated);
        let flags = (alias.flags(device), is_ipv6, deprecated);
        head(text, device, &alias.name, flags);
        match inet {
            Some(inet) => inet_line(text, inet),
            None => {
                let _ = writeln!(text, "\taddr {}", alias.address);
            }
        }
        if let Some(note) = &alias.note {
            let _ = writeln!(text, "\t({note})");
        }
        if let Some(words) = alias.tcp_words() {
            let _ = writeln!(text, "\t {words}");
        }
    }
}

fn head(
    text: &mut String,
    device: &DeviceView,
    name: &str,
    (linux, is_ipv6, deprecated): (u32, bool, bool),
) {
    let mut flags = flags::translate(Style::Solaris, linux);
    flags.push(if is_ipv6 { Flag::Ipv6 } else { Flag::Ipv4 });
    if is_ipv6 {
        flags.retain(|flag| *flag != Flag::Broadcast);
    }
    if deprecated {
        flags.push(Flag::Deprecated);
    }
    let word = flags::encode(Style::Solaris, &flags);
    let words = flags::print(word, &flags::decode(Style::Solaris, word));
    let DeviceView { mtu, ifindex, .. } = device;
    let _ = writeln!(text, "{name}: {words} mtu {mtu} index {ifindex}");
}

fn inet_line(text: &mut String, inet: &InetView) {
    let InetView {
        address,
        prefix_len,
        ..
    } = inet;
    let _ = match address {
        IpAddr::V4(_) => {
            let broadcast = inet.broadcast_words();
            writeln!(
                text,
                "\tinet {address} netmask {:x}{broadcast}",
                inet.mask()
            )
        }
        IpAddr::V6(_) => writeln!(text, "\tinet6 {address}/{prefix_len}"),
    };
}
