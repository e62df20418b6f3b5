//! `ifconfig`'s listings: net-tools 1.60's layout, and those of BSD, AIX and Solaris.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::ifconfig::flags::{self, Flag};
use crate::model::ifconfig::{Form, Style};
use crate::model::statistics::Statistics;

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// Its name.
    pub name: String,
    /// Its number.
    pub ifindex: u32,
    /// IFF_* of linux/if.h.
    pub flags: u32,
    /// ARPHRD_* of linux/if_arp.h.
    pub hardware_type: u16,
    /// Its Ethernet address, if it has one.
    pub mac: [u8; 6],
    /// In bytes.
    pub mtu: u32,
    /// In packets.
    pub tx_queue_len: u32,
    /// Its own addresses.
    pub inet: Vec<InetView>,
    /// What it counted, its aliases' packets included.
    pub statistics: Statistics,
    /// Its aliases, and addresses that others labelled.
    pub aliases: Vec<AliasView>,
    /// The device itself is not shown.
    pub only_aliases: bool,
}

impl DeviceView {
    /// Whether the administrator wants it up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.has(Flag::Up)
    }

    fn has(&self, flag: Flag) -> bool {
        flags::decode(Style::Linux, self.flags.into()).contains(&flag)
    }
}

/// An address.
#[derive(Clone, Debug)]
pub struct InetView {
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits.
    pub prefix_len: u8,
    /// Of IPv4.
    pub broadcast: Option<Ipv4Addr>,
    /// RT_SCOPE_* of linux/rtnetlink.h.
    pub scope: u8,
    /// It is no source of what the host says.
    pub deprecated: bool,
}

impl InetView {
    fn mask(&self) -> u32 {
        let host = u32::MAX.checked_shr(u32::from(self.prefix_len));
        !host.unwrap_or(0)
    }

    /// ` broadcast 192.0.2.255`, or nothing where there is none.
    fn broadcast_words(&self) -> String {
        self.broadcast
            .map_or(String::new(), |address| format!(" broadcast {address}"))
    }
}

/// An alias, or an address that others labelled as one.
#[derive(Clone, Debug)]
pub struct AliasView {
    /// `eth0:0`, or the label.
    pub name: String,
    /// Its IP address, if it has one.
    pub inet: Option<InetView>,
    /// Its address, of whatever family.
    pub address: String,
    /// Its packets are matched.
    pub enabled: bool,
    /// IFF_* of the device that it has, if it has one.
    pub device: Option<u32>,
    /// Whose it is, or where it leads.
    pub note: Option<String>,
    /// TCP options of its sockets, in AIX's words.
    pub tcp: Vec<(&'static str, u32)>,
}

impl AliasView {
    /// IFF_* of an alias: its device's, but that it is up and running as what it has is;
    /// one that is disabled is neither.
    #[must_use]
    pub fn flags(&self, device: &DeviceView) -> u32 {
        let state = (libc::IFF_UP | libc::IFF_RUNNING).cast_unsigned();
        let of = self.device.unwrap_or(device.flags);
        let now = if self.enabled { of & state } else { 0 };
        device.flags & !state | now
    }

    /// Whether it is up.
    #[must_use]
    pub fn is_up(&self, device: &DeviceView) -> bool {
        self.flags(device) & libc::IFF_UP.cast_unsigned() != 0
    }

    /// `tcp_sendspace 131072 rfc1323 1`, if there is something to say.
    fn tcp_words(&self) -> Option<String> {
        let words = self
            .tcp
            .iter()
            .map(|(word, value)| format!("{word} {value}"));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// The listing.
#[must_use]
pub fn render(devices: &[DeviceView], form: Form, style: Style) -> String {
    match (form, style) {
        (Form::Names, _) => names(devices, style),
        (Form::Table, _) => table(devices),
        (Form::Blocks, Style::Linux) => linux(devices),
        (Form::Blocks, Style::Bsd | Style::Aix) => bsd(devices, style),
        (Form::Blocks, Style::Solaris) => solaris(devices),
    }
}

/// BSD's aliases have no names.
fn names(devices: &[DeviceView], style: Style) -> String {
    let mut names: Vec<&str> = Vec::new();
    for device in devices {
        if !device.only_aliases {
            names.push(&device.name);
        }
        if matches!(style, Style::Linux | Style::Solaris) {
            names.extend(device.aliases.iter().map(|alias| alias.name.as_str()));
        }
    }
    names.join(" ") + "\n"
}

// Writing to a String cannot fail: so for all of the following.

fn table(devices: &[DeviceView]) -> String {
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

const INDENT: &str = "          ";

fn linux(devices: &[DeviceView]) -> String {
    let mut text = String::new();
    for device in devices {
        if !device.only_aliases {
            linux_head(&mut text, device, &device.name);
            for inet in &device.inet {
                linux_inet(&mut text, inet);
            }
            linux_flags(&mut text, device.flags, device.mtu);
            linux_statistics(&mut text, device);
            text.push('\n');
        }
        for alias in &device.aliases {
            linux_head(&mut text, device, &alias.name);
            match &alias.inet {
                Some(inet) => linux_inet(&mut text, inet),
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
            linux_flags(&mut text, alias.flags(device), device.mtu);
            text.push('\n');
        }
    }
    text
}

fn linux_head(text: &mut String, device: &DeviceView, name: &str) {
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

fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn linux_inet(text: &mut String, inet: &InetView) {
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

fn linux_flags(text: &mut String, linux: u32, mtu: u32) {
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

fn linux_statistics(text: &mut String, device: &DeviceView) {
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

fn bsd(devices: &[DeviceView], style: Style) -> String {
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
                bsd_inet(&mut text, inet, "");
            }
        }
        for alias in &device.aliases {
            let note = match (&alias.note, alias.enabled) {
                (Some(note), _) => format!(" ({}: {note})", alias.name),
                (None, false) => format!(" ({}: disabled)", alias.name),
                (None, true) => String::new(),
            };
            match &alias.inet {
                Some(inet) => bsd_inet(&mut text, inet, &note),
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

fn bsd_inet(text: &mut String, inet: &InetView, note: &str) {
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

/// A block for each logical interface, those of IPv4 before those of IPv6.
fn solaris(devices: &[DeviceView]) -> String {
    let mut text = String::new();
    for is_ipv6 in [false, true] {
        for device in devices {
            solaris_device(&mut text, device, is_ipv6);
        }
    }
    text
}

fn solaris_device(text: &mut String, device: &DeviceView, is_ipv6: bool) {
    let of_family = |inet: &&InetView| inet.address.is_ipv6() == is_ipv6;
    let mut own = device.inet.iter().filter(of_family).peekable();
    // A device without an address has a block too.
    let is_bare = device.inet.is_empty() && !is_ipv6;
    if !device.only_aliases && (own.peek().is_some() || is_bare) {
        solaris_head(text, device, &device.name, (device.flags, is_ipv6, false));
        for inet in own {
            solaris_inet(text, inet);
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
        solaris_head(text, device, &alias.name, flags);
        match inet {
            Some(inet) => solaris_inet(text, inet),
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

fn solaris_head(
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

fn solaris_inet(text: &mut String, inet: &InetView) {
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
