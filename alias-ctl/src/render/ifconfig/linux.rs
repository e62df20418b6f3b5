//! net-tools 1.60's blocks and table.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::ifconfig::Style;
use crate::model::ifconfig::flags::{self, Flag};

use super::view::{DeviceView, InetView, mac};

// Writing to a String cannot fail: so for all of the following.

const INDENT: &str = "          ";

pub(super) fn blocks(devices: &[DeviceView]) -> String {
    let mut text = String::new();
    for device in devices {
        if !device.only_aliases {
            head(&mut text, device, &device.name);
            for inet in &device.inet {
                inet_lines(&mut text, inet);
            }
            flags(&mut text, device.flags, device.mtu);
            statistics(&mut text, device);
            text.push('\n');
        }
        for alias in &device.aliases {
            head(&mut text, device, &alias.name);
            match &alias.inet {
                Some(inet) => inet_lines(&mut text, inet),
                None => {
                    let _ = writeln!(text, "{INDENT}addr:{}", alias.address);
                }
            }
            if let Some(note) = &alias.note {
                let _ = writeln!(text, "{INDENT}({note})");
            }
            if let Some(words) = alias.tcp_words() {
                let _ = writeln!(text, "{INDENT}{words}");
            }
            flags(&mut text, alias.flags(device), device.mtu);
            text.push('\n');
        }
    }
    text
}

fn head(text: &mut String, device: &DeviceView, name: &str) {
    // ARPHRD_* of linux/if_arp.h, by net-tools' titles.
    let title = match device.hardware_type {
        1 => "Ethernet",
        768 => "IPIP Tunnel",
        772 => "Local Loopback",
        776 => "IPv6-in-IPv4",
        778 => "GRE",
        65534 => "UNSPEC",
        _ => "UNKNOWN",
    };
    let _ = write!(text, "{name:<9} Link encap:{title}  ");
    if device.hardware_type == 1 {
        let _ = write!(text, "HWaddr {}", mac(device.mac));
    }
    text.push('\n');
}

fn inet_lines(text: &mut String, inet: &InetView) {
    let InetView {
        address,
        prefix_len,
        ..
    } = inet;
    let _ = match address {
        IpAddr::V4(_) => {
            let broadcast = inet
                .broadcast
                .map_or(String::new(), |address| format!("  Bcast:{address}"));
            let mask = Ipv4Addr::from_bits(inet.mask());
            writeln!(text, "{INDENT}inet addr:{address}{broadcast}  Mask:{mask}")
        }
        IpAddr::V6(_) => {
            // RT_SCOPE_* of linux/rtnetlink.h.
            let scope = match inet.scope {
                0 => "Global",
                200 => "Site",
                253 => "Link",
                254 => "Host",
                _ => "Unknown",
            };
            writeln!(
                text,
                "{INDENT}inet6 addr: {address}/{prefix_len} Scope:{scope}"
            )
        }
    };
}

fn flags(text: &mut String, linux: u32, mtu: u32) {
    text.push_str(INDENT);
    let flags = flags::decode(Style::Linux, linux.into());
    for flag in &flags {
        let _ = write!(text, "{} ", flag.name());
    }
    if flags.is_empty() {
        text.push_str("[NO FLAGS] ");
    }
    let _ = writeln!(text, " MTU:{mtu}  Metric:1");
}

fn statistics(text: &mut String, device: &DeviceView) {
    let s = &device.statistics;
    let lines = [
        format!(
            "RX packets:{} errors:{} dropped:{} overruns:{} frame:{}",
            s.rx_packets,
            s.rx_errors,
            s.rx_dropped,
            s.rx_over_errors + s.rx_fifo_errors,
            s.rx_frame_errors
        ),
        format!(
            "TX packets:{} errors:{} dropped:{} overruns:{} carrier:{}",
            s.tx_packets, s.tx_errors, s.tx_dropped, s.tx_fifo_errors, s.tx_carrier_errors
        ),
        format!(
            "collisions:{} txqueuelen:{}",
            s.collisions, device.tx_queue_len
        ),
        format!(
            "RX bytes:{} ({})  TX bytes:{} ({})",
            s.rx_bytes,
            in_words(s.rx_bytes),
            s.tx_bytes,
            in_words(s.tx_bytes)
        ),
    ];
    for line in lines {
        let _ = writeln!(text, "{INDENT}{line}");
    }
}

/// Bytes with one decimal, in binary units.
fn in_words(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

pub(super) fn table(devices: &[DeviceView]) -> String {
    let mut text = String::from(
        "Iface      MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n",
    );
    for device in devices {
        let DeviceView { name, mtu, .. } = device;
        let counted = &device.statistics;
        if !device.only_aliases {
            let _ = writeln!(
                text,
                "{name:<16} {mtu:>5} {:>8} {:>6} {:>6} {:<6} {:>8} {:>6} {:>6} {:>6} {}",
                counted.rx_packets,
                counted.rx_errors,
                counted.rx_dropped,
                counted.rx_over_errors + counted.rx_fifo_errors,
                counted.tx_packets,
                counted.tx_errors,
                counted.tx_dropped,
                counted.tx_fifo_errors,
                letters(device.flags),
            );
        }
        for alias in &device.aliases {
            let flags = letters(alias.flags(device));
            let _ = writeln!(
                text,
                "{:<16} {mtu:>5} {:<60} {flags}",
                alias.name, "    - no statistics available -"
            );
        }
    }
    text
}

/// net-tools' letters.
fn letters(linux: u32) -> String {
    let all = [
        (Flag::AllMulti, 'A'),
        (Flag::Broadcast, 'B'),
        (Flag::Debug, 'D'),
        (Flag::Loopback, 'L'),
        (Flag::Multicast, 'M'),
        (Flag::Promisc, 'P'),
        (Flag::NoTrailers, 'N'),
        (Flag::NoArp, 'O'),
        (Flag::PointToPoint, 'P'),
        (Flag::Slave, 's'),
        (Flag::Master, 'm'),
        (Flag::Running, 'R'),
        (Flag::Up, 'U'),
    ];
    let flags = flags::decode(Style::Linux, linux.into());
    let set = all.into_iter().filter(|(flag, _)| flags.contains(flag));
    set.map(|(_, letter)| letter).collect()
}
