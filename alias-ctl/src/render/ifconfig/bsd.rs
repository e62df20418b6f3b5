//! The blocks of BSD and AIX.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::model::ifconfig::Style;
use crate::model::ifconfig::flags;

use super::view::{DeviceView, InetView, mac};

// Writing to a String cannot fail: so for all of the following.

pub(super) fn blocks(devices: &[DeviceView], style: Style) -> String {
    let mut text = String::new();
    for device in devices {
        if !device.only_aliases {
            let flags = flags::translate(style, device.flags);
            let words = flags::print(flags::encode(style, &flags), &flags);
            let _ = writeln!(text, "{}: {words} mtu {}", device.name, device.mtu);
            if style == Style::Bsd && device.hardware_type == 1 {
                let _ = writeln!(text, "\tether {}", mac(device.mac));
            }
            for inet in &device.inet {
                inet_line(&mut text, inet, "");
            }
        }
        for alias in &device.aliases {
            let note = match (&alias.note, alias.enabled) {
                (Some(note), _) => format!(" ({}: {note})", alias.name),
                (None, false) => format!(" ({}: disabled)", alias.name),
                (None, true) => String::new(),
            };
            match &alias.inet {
                Some(inet) => inet_line(&mut text, inet, &note),
                None => {
                    let _ = writeln!(text, "\taddr {}{note}", alias.address);
                }
            }
            if let Some(words) = alias.tcp_words() {
                let _ = writeln!(text, "\t {words}");
            }
        }
    }
    text
}

fn inet_line(text: &mut String, inet: &InetView, note: &str) {
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
                "\tinet {address} netmask 0x{:08x}{broadcast}{note}",
                inet.mask()
            )
        }
        IpAddr::V6(_) => writeln!(text, "\tinet6 {address} prefixlen {prefix_len}{note}"),
    };
}
