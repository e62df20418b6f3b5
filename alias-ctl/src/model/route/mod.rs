//! Routes as `route` and `netstat -rn` speak of them. Reading a command looks at
//! nothing but its words: every word is understood before anything is done.

mod change;
mod destination;
mod listing;

use std::net::IpAddr;

use crate::error::{Refusal, Result};

pub use listing::{netstat, route};

/// What `route` was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Make a route, or take one away.
    Change(Action, RouteRequest),
    /// Show the table.
    List(Listing),
}

/// What to do with a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Make it.
    Add,
    /// Take it away.
    Delete,
}

/// A route as it was described. To delete, `None` is "whatever it has"; to add,
/// it is the kernel's choice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RouteRequest {
    /// First address; the unspecified one for the default route.
    pub destination: IpAddr,
    /// Prefix length in bits.
    pub prefix_len: u8,
    /// Next hop, of the destination's family.
    pub gateway: Option<IpAddr>,
    /// An alias (`eth0:0`) or a device.
    pub device: Option<String>,
    /// Metric; the smaller wins.
    pub metric: Option<u32>,
}

/// How to show the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listing {
    /// Which families.
    pub families: Families,
    /// Whose layout.
    pub style: Style,
    /// JSON in place of a layout.
    pub json: bool,
}

/// RTA_METRICS of a route, as far as `netstat -r` shows them; 0 when not set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpMetrics {
    /// Advertised maximum segment size in bytes (RTAX_ADVMSS).
    pub segment_size: u32,
    /// Largest window in bytes (RTAX_WINDOW).
    pub window: u32,
    /// Round trip time in eighths of a millisecond (RTAX_RTT).
    pub round_trip: u32,
}

/// Address families to show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Families {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
    /// Both.
    Both,
}

impl Families {
    /// Whether an address is of one of them.
    #[must_use]
    pub const fn contain(self, address: IpAddr) -> bool {
        match self {
            Families::Inet => address.is_ipv4(),
            Families::Inet6 => address.is_ipv6(),
            Families::Both => true,
        }
    }
}

/// Whose layout a listing has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// Linux's `route`: metric and use.
    LinuxRoute,
    /// Linux's `netstat -r`: segment size, window and round trip time.
    LinuxNetstat,
    /// FreeBSD's `netstat -r`.
    Bsd,
}

/// A refusal of one word of the command.
fn refused(word: &str, reason: impl Into<String>) -> Refusal {
    const FORM: &str = "write route add|del [-net|-host] DESTINATION[/LENGTH] [netmask MASK] \
                        [gw GATEWAY] [metric NUMBER] [dev] ALIAS, or route -n";
    Refusal::new("route", format!("read \"{word}\""), reason, libc::EINVAL).hint(FORM)
}

/// Sets what may be said once.
fn once<T>(place: &mut Option<T>, value: T, word: &str) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(refused(word, "that was said before")),
    }
}

/// The word after a keyword.
fn argument<'a>(words: &mut std::slice::Iter<'a, String>, keyword: &str) -> Result<&'a str> {
    words
        .next()
        .map(String::as_str)
        .filter(|word| !word.is_empty())
        .ok_or_else(|| refused(keyword, "what it is to be is missing"))
}
