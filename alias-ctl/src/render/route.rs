//! The routing table in the layouts that people's eyes and scripts know: Linux's
//! net-tools 2.10 and FreeBSD's netstat. Columns grow where they used to cut.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use crate::model::bits::bits;
use crate::model::route::{Families, TcpMetrics};

/// A route, or one hop of several, with every name looked up.
#[derive(Clone, Debug, Serialize)]
pub struct RouteView {
    /// `ip` or `ipv6`.
    pub family: &'static str,
    /// First address of the destination.
    pub destination: IpAddr,
    /// Bits.
    pub prefix_len: u8,
    /// What becomes of packets.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Next hop, or null.
    pub gateway: Option<IpAddr>,
    /// Address that packets get which have none, or null.
    pub source: Option<IpAddr>,
    /// Metric; the smaller wins.
    pub metric: u32,
    /// The alias whose way out it is, or null.
    pub alias: Option<String>,
    /// Name of the device it leaves by, or null.
    pub device: Option<String>,
    /// That device's index.
    #[serde(skip)]
    pub ifindex: Option<u32>,
    /// Somebody asked for it: it is not the kernel's own.
    #[serde(skip)]
    pub is_static: bool,
    /// What TCP is told.
    #[serde(skip)]
    pub tcp: TcpMetrics,
}

/// What becomes of packets that a route matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// They go on.
    Unicast,
    /// Dropped without a word.
    Blackhole,
    /// Dropped, and the sender told: host unreachable.
    Unreachable,
    /// Dropped, and the sender told: prohibited.
    Prohibit,
}

/// Which numbers Linux shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Columns {
    /// Metric, Ref, Use: `route`.
    Route,
    /// MSS, Window, irtt: `netstat -r`, `route -e`.
    Netstat,
}

impl RouteView {
    /// Linux shows a refusing route so; a blackhole looks like any other.
    fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Unreachable | Kind::Prohibit)
    }

    fn is_host(&self) -> bool {
        self.prefix_len == bits(self.destination)
    }

    /// The alias, else the device.
    fn way(&self, none: &str) -> String {
        let way = self.alias.as_ref().or(self.device.as_ref());
        way.map_or_else(|| none.to_owned(), Clone::clone)
    }
}

/// Linux's layout. IPv6 has one for both commands.
#[must_use]
pub fn linux(views: &[RouteView], families: Families, columns: Columns) -> String {
    let (v4, v6): (Vec<&RouteView>, Vec<&RouteView>) =
        views.iter().partition(|view| view.destination.is_ipv4());
    let mut text = String::new();
    if families.contain(Ipv4Addr::UNSPECIFIED.into()) {
        text += "Kernel IP routing table\n";
        text += match columns {
            Columns::Route => {
                "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface\n"
            }
            Columns::Netstat => {
                "Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n"
            }
        };
        v4.iter().for_each(|view| text += &linux_row(view, columns));
    }
    if families.contain(Ipv6Addr::UNSPECIFIED.into()) {
        text += "Kernel IPv6 routing table\n\
                 Destination                    Next Hop                   \
                 Flag Met Ref  Use If\n";
        v6.iter().for_each(|view| text += &linux_row_v6(view));
    }
    text
}

fn linux_row(view: &RouteView, columns: Columns) -> String {
    let refused = view.is_refused();
    let gateway = match view.gateway {
        _ if refused => "-".to_owned(),
        Some(gateway) => gateway.to_string(),
        None => "0.0.0.0".to_owned(),
    };
    let mut flags = String::from(if refused { "!" } else { "U" });
    flags.push_str(if view.gateway.is_some() { "G" } else { "" });
    flags.push_str(if view.is_host() { "H" } else { "" });
    let mask = Ipv4Addr::from_bits(
        u32::MAX
            .checked_shl(32 - u32::from(view.prefix_len))
            .unwrap_or(0),
    );
    let mut row = format!(
        "{:<15} {gateway:<15} {mask:<15} {flags:<5} ",
        view.destination
    );
    // The kernel counts neither references nor uses of an IPv4 route.
    row += &match columns {
        Columns::Route if refused => format!("{:<6} {:<2} {:>7} ", view.metric, "-", 0),
        Columns::Route => format!("{:<6} {:<2} {:>7} ", view.metric, 0, 0),
        Columns::Netstat if refused => format!("{:>5} {:<5} {:>6} ", "-", "-", "-"),
        Columns::Netstat => {
            // As /proc/net/route has it: with both headers of 20 bytes, and in ms.
            let size = match view.tcp.segment_size {
                0 => 0,
                bytes => bytes.saturating_add(40),
            };
            let milliseconds = view.tcp.round_trip >> 3;
            format!("{size:>5} {:<5} {milliseconds:>6} ", view.tcp.window)
        }
    };
    row += &view.way(if refused { "-" } else { "*" });
    row.push('\n');
    row
}

fn linux_row_v6(view: &RouteView) -> String {
    let flags = match (view.kind, view.gateway) {
        (Kind::Unicast, Some(_)) => "UG",
        (Kind::Unicast, None) => "U",
        // Refused, and no next hop.
        _ => "!n",
    };
    let destination = format!("{}/{}", view.destination, view.prefix_len);
    let gateway = view.gateway.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
    // netlink(7) tells neither references nor uses.
    format!(
        "{destination:<30} {gateway:<26} {flags:<4} {:<3} {:<3} {:>4} {}\n",
        view.metric,
        0,
        0,
        view.way("*")
    )
}

/// FreeBSD's layout.
#[must_use]
pub fn bsd(views: &[RouteView], families: Families) -> String {
    let mut text = String::from("Routing tables\n");
    // Widths of FreeBSD's netstat(1): destination and gateway.
    for (any, title, destination, gateway) in [
        (IpAddr::from(Ipv4Addr::UNSPECIFIED), "Internet", 18, 18),
        (IpAddr::from(Ipv6Addr::UNSPECIFIED), "Internet6", 33, 29),
    ] {
        if !families.contain(any) {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{title}:\n{:<destination$} {:<gateway$} {:<6} {:>8} {:>6}\n",
            "Destination", "Gateway", "Flags", "Netif", "Expire"
        );
        for view in views
            .iter()
            .filter(|view| view.destination.is_ipv4() == any.is_ipv4())
        {
            let row = format!(
                "{:<destination$} {:<gateway$} {:<6} {:>8}",
                bsd_destination(view),
                bsd_gateway(view),
                bsd_flags(view),
                view.way("-")
            );
            text += &row;
            text.push('\n');
        }
    }
    text
}

fn bsd_destination(view: &RouteView) -> String {
    match view.prefix_len {
        0 => "default".into(),
        _ if view.is_host() => view.destination.to_string(),
        length => format!("{}/{length}", view.destination),
    }
}

/// A route to a network on the link has the link for its gateway.
fn bsd_gateway(view: &RouteView) -> String {
    match (view.gateway, view.ifindex) {
        (Some(gateway), _) => gateway.to_string(),
        (None, Some(ifindex)) => format!("link#{ifindex}"),
        (None, None) => "-".into(),
    }
}

fn bsd_flags(view: &RouteView) -> String {
    let flag = |letter: &'static str, is_set: bool| if is_set { letter } else { "" };
    [
        "U",
        flag("G", view.gateway.is_some()),
        flag("H", view.is_host()),
        flag("R", view.is_refused()),
        flag("B", view.kind == Kind::Blackhole),
        flag("S", view.is_static),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(destination: &str, gateway: Option<&str>, metric: u32) -> RouteView {
        let (address, length) = destination.split_once('/').unwrap();
        let destination: IpAddr = address.parse().unwrap();
        RouteView {
            family: "ip",
            destination,
            prefix_len: length.parse().unwrap(),
            kind: Kind::Unicast,
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            source: None,
            metric,
            alias: None,
            device: Some("eth0".into()),
            ifindex: Some(2),
            is_static: true,
            tcp: TcpMetrics::default(),
        }
    }

    fn views() -> Vec<RouteView> {
        vec![
            view("0.0.0.0/0", Some("192.0.2.1"), 100),
            RouteView {
                is_static: false,
                ..view("192.0.2.0/24", None, 0)
            },
            RouteView {
                kind: Kind::Blackhole,
                device: None,
                ifindex: None,
                ..view("198.18.0.0/15", None, 0)
            },
            RouteView {
                alias: Some("eth0:16383".into()),
                tcp: TcpMetrics {
                    segment_size: 1000,
                    window: 200,
                    round_trip: 100,
                },
                ..view("198.51.100.8/32", None, 0)
            },
            RouteView {
                kind: Kind::Unreachable,
                device: None,
                ifindex: None,
                ..view("203.0.113.0/24", None, 0)
            },
            view("2001:db8::/64", None, 256),
            RouteView {
                kind: Kind::Unreachable,
                device: Some("lo".into()),
                ..view("2001:db8:1::/48", None, 1024)
            },
            view("2001:db8:2::1/128", None, 1024),
            view("::/0", Some("2001:db8::1"), 1024),
        ]
    }

    /// What net-tools 2.10 prints of the same table, but for the alias's name and
    /// IPv6's reference counts.
    #[test]
    fn as_net_tools() {
        let route = "\
Kernel IP routing table
Destination     Gateway         Genmask         Flags Metric Ref    Use Iface
0.0.0.0         192.0.2.1       0.0.0.0         UG    100    0        0 eth0
192.0.2.0       0.0.0.0         255.255.255.0   U     0      0        0 eth0
198.18.0.0      0.0.0.0         255.254.0.0     U     0      0        0 *
198.51.100.8    0.0.0.0         255.255.255.255 UH    0      0        0 eth0:16383
203.0.113.0     -               255.255.255.0   !     0      -        0 -
";
        let netstat = "\
Kernel IP routing table
Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface
0.0.0.0         192.0.2.1       0.0.0.0         UG        0 0          0 eth0
192.0.2.0       0.0.0.0         255.255.255.0   U         0 0          0 eth0
198.18.0.0      0.0.0.0         255.254.0.0     U         0 0          0 *
198.51.100.8    0.0.0.0         255.255.255.255 UH     1040 200       12 eth0:16383
203.0.113.0     -               255.255.255.0   !         - -          - -
";
        let inet6 = "\
Kernel IPv6 routing table
Destination                    Next Hop                   Flag Met Ref  Use If
2001:db8::/64                  ::                         U    256 0      0 eth0
2001:db8:1::/48                ::                         !n   1024 0      0 lo
2001:db8:2::1/128              ::                         U    1024 0      0 eth0
::/0                           2001:db8::1                UG   1024 0      0 eth0
";
        let linux = |families, columns| linux(&views(), families, columns);
        assert_eq!(linux(Families::Inet, Columns::Route), route);
        assert_eq!(linux(Families::Inet, Columns::Netstat), netstat);
        assert_eq!(linux(Families::Inet6, Columns::Route), inet6);
    }

    #[test]
    fn as_freebsd() {
        let expected = "\
Routing tables

Internet:
Destination        Gateway            Flags     Netif Expire
default            192.0.2.1          UGS        eth0
192.0.2.0/24       link#2             U          eth0
198.18.0.0/15      -                  UBS           -
198.51.100.8       link#2             UHS    eth0:16383
203.0.113.0/24     -                  URS           -

Internet6:
Destination                       Gateway                       Flags     Netif Expire
2001:db8::/64                     link#2                        US         eth0
2001:db8:1::/48                   link#2                        URS          lo
2001:db8:2::1                     link#2                        UHS        eth0
default                           2001:db8::1                   UGS        eth0
";
        assert_eq!(bsd(&views(), Families::Both), expected);
    }
}
