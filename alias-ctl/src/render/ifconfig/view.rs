//! What a listing shows, whatever its style.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::ifconfig::Style;
use crate::model::ifconfig::flags::{self, Flag};
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

    pub(super) fn has(&self, flag: Flag) -> bool {
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
    pub(super) fn mask(&self) -> u32 {
        let host = u32::MAX.checked_shr(u32::from(self.prefix_len));
        !host.unwrap_or(0)
    }

    /// ` broadcast 192.0.2.255`, or nothing where there is none.
    pub(super) fn broadcast_words(&self) -> String {
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
    pub(super) fn tcp_words(&self) -> Option<String> {
        let words = self
            .tcp
            .iter()
            .map(|(word, value)| format!("{word} {value}"));
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

pub(super) fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}
