//! Words that a system's `ifconfig` knows and that are refused here: each by its name,
//! with what does it on Linux.

use std::net::IpAddr;

use crate::error::Refusal;

use super::words::refused;

/// Address families that ifconfig has words for and nobody has registered here.
const OTHER_FAMILIES: [&str; 14] = [
    "ax25",
    "ddp",
    "atalk",
    "appletalk",
    "ipx",
    "netrom",
    "rose",
    "x25",
    "econet",
    "ash",
    "ns",
    "xns",
    "iso",
    "osi",
];

/// Words that belong together, why they are refused, and what does it here. DEVICE
/// stands for the device's name.
type Group = (&'static [&'static str], &'static str, &'static str);

/// Words of net-tools, iproute2, FreeBSD, AIX and Solaris.
const GROUPS: &[Group] = &[
    (
        &[
            "vhid", "advbase", "advskew", "pass", "state", "carpdev", "carppeer", "peer6",
        ],
        "CARP is keepalived's here",
        "make the alias without the word; keepalived's notify script moves it: alias-ctl add, del",
    ),
    (
        &["metric"],
        "a device has no metric here: a route has",
        "say it of the route: ip route change NETWORK dev DEVICE metric NUMBER",
    ),
    (
        &[
            "pointopoint",
            "-pointopoint",
            "dstaddr",
            "destination",
            "peer",
            "ipdst",
            "subnet",
        ],
        "point-to-point links have no aliases",
        "a far end is an address's: ip addr add ADDRESS peer ADDRESS dev DEVICE",
    ),
    (
        &[
            "tunnel",
            "-tunnel",
            "deletetunnel",
            "tunnelfib",
            "tsrc",
            "tdst",
            "thoplimit",
            "encaplimit",
            "-encaplimit",
        ],
        "tunnels are made elsewhere",
        "make it with: ip tunnel",
    ),
    (
        &["auth_algs", "encr_algs", "encr_auth_algs"],
        "IPsec is set elsewhere",
        "set it with: ip xfrm",
    ),
    (
        &[
            "media",
            "mediaopt",
            "-mediaopt",
            "instance",
            "mode",
            "-mode",
        ],
        "a card's speed is set elsewhere",
        "set it with: ethtool -s DEVICE",
    ),
    (
        &[
            "rxcsum",
            "-rxcsum",
            "txcsum",
            "-txcsum",
            "rxcsum6",
            "-rxcsum6",
            "txcsum6",
            "-txcsum6",
            "tso",
            "-tso",
            "tso4",
            "-tso4",
            "tso6",
            "-tso6",
            "lro",
            "-lro",
            "largesend",
            "-largesend",
            "large_receive",
            "-large_receive",
            "checksum_offload",
            "-checksum_offload",
            "vlanhwtag",
            "-vlanhwtag",
            "vlanhwfilter",
            "-vlanhwfilter",
            "vlanhwcsum",
            "-vlanhwcsum",
            "vlanhwtso",
            "-vlanhwtso",
            "vlanmtu",
            "-vlanmtu",
        ],
        "a card's offloads are set elsewhere",
        "set it with: ethtool -K DEVICE",
    ),
    (
        &[
            "wol",
            "-wol",
            "wol_magic",
            "-wol_magic",
            "wol_ucast",
            "wol_mcast",
        ],
        "a card's wake-up is set elsewhere",
        "set it with: ethtool -s DEVICE wol g",
    ),
    (
        &["name"],
        "a device is renamed elsewhere",
        "rename it with: ip link set dev DEVICE name NAME",
    ),
    (
        &["description", "descr", "-description", "-descr"],
        "a device's description is set elsewhere",
        "set it with: ip link set dev DEVICE alias TEXT",
    ),
    (
        &["group", "-group"],
        "a device's group is set elsewhere",
        "set it with: ip link set dev DEVICE group GROUP; failover of devices is bonding's",
    ),
    (
        &[
            "failover",
            "-failover",
            "standby",
            "-standby",
            "ipmp",
            "vipa_iflist",
            "-vipa_iflist",
        ],
        "failover of devices is bonding's here",
        "make a bond with: ip link add NAME type bond mode active-backup",
    ),
    (
        &["fib"],
        "a device's routing table is chosen elsewhere",
        "choose it with: ip rule, or ip link set dev DEVICE master VRF",
    ),
    (
        &[
            "vnet",
            "-vnet",
            "jail",
            "-jail",
            "zone",
            "-zone",
            "all-zones",
            "wpar",
        ],
        "an alias of another stack is in a network namespace here",
        "put it there: alias-ctl add DEVICE ADDRESS --netns NAME",
    ),
    (
        &["create", "destroy", "clone"],
        "devices are made and deleted elsewhere",
        "make one with: ip link add; delete it with: ip link del",
    ),
    (
        &["vlan", "vlandev", "-vlandev", "vlanproto", "vlanpcp"],
        "a VLAN's device is made elsewhere",
        "make it with: ip link add link DEVICE name NAME type vlan id NUMBER; \
         an alias of a VLAN with: alias-ctl add DEVICE ADDRESS --vlan NUMBER",
    ),
    (
        &[
            "addm",
            "deletem",
            "span",
            "-span",
            "stp",
            "-stp",
            "learn",
            "-learn",
            "discover",
            "-discover",
            "sticky",
            "-sticky",
            "bridge",
            "-bridge",
            "laggport",
            "-laggport",
            "laggproto",
            "lagghash",
        ],
        "bridges and bonds are put together elsewhere",
        "do it with: ip link set dev PORT master DEVICE",
    ),
    (
        &[
            "ssid", "nwid", "nwkey", "bssid", "channel", "wepmode", "wepkey", "authmode", "scan",
        ],
        "wireless is set elsewhere",
        "set it with: iw dev DEVICE",
    ),
    (
        &["staticarp", "-staticarp"],
        "the neighbours that it believes are set elsewhere",
        "do it with: ip neigh replace ADDRESS lladdr MAC dev DEVICE nud permanent, and -arp",
    ),
    (
        &[
            "monitor", "-monitor", "polling", "-polling", "thread", "-thread",
        ],
        "the kernel decides how it looks at a device",
        "leave the word out; what arrives is shown by: tcpdump -i DEVICE",
    ),
    (
        &[
            "pltime",
            "vltime",
            "preferred_lft",
            "valid_lft",
            "autoconf",
            "-autoconf",
            "tentative",
            "-tentative",
            "prefer_source",
            "-prefer_source",
            "preferred",
            "-preferred",
            "noprefixroute",
        ],
        "an alias has no lifetimes: it is there until it is deleted",
        "deprecated keeps it from being a source; of an address of the device's own: \
         ip addr change ADDRESS dev DEVICE preferred_lft SECONDS",
    ),
    (
        &["anycast", "-anycast"],
        "an alias is a unicast address",
        "leave the word out: the same address may be an alias on many hosts",
    ),
    (
        &["-no_dad", "dad", "-dad", "optimistic"],
        "an alias is used at once: no duplicate is looked for",
        "look before: arping -D -I DEVICE ADDRESS",
    ),
    (
        &["nodad"],
        "that is iproute2's word",
        "ifconfig's is no_dad, and it is so anyway",
    ),
    (
        &["brd"],
        "that is iproute2's word",
        "write: broadcast ADDRESS",
    ),
    (
        &[
            "dev", "label", "link", "addr", "address", "scope", "via", "src",
        ],
        "that is iproute2's word",
        "here the device's name comes first: ifconfig DEVICE ADDRESS alias",
    ),
    (
        &["usesrc", "eui64", "token", "index"],
        "addresses are not made or chosen by ifconfig here",
        "write the whole address; the source of a route is: ip route change NETWORK dev DEVICE src ADDRESS",
    ),
    (
        &[
            "accept_rtadv",
            "-accept_rtadv",
            "no_radr",
            "-no_radr",
            "auto_linklocal",
            "-auto_linklocal",
            "ifdisabled",
            "-ifdisabled",
            "nud",
            "-nud",
            "no_prefer_iface",
            "-no_prefer_iface",
            "defaultif",
            "-defaultif",
            "router",
            "-router",
            "site6",
        ],
        "IPv6 of a device is set elsewhere",
        "set it with: sysctl net.ipv6.conf.DEVICE",
    ),
    (
        &[
            "auto-dhcp",
            "dhcp",
            "auto-revarp",
            "primary",
            "drop",
            "extend",
            "inform",
            "release",
            "start",
            "status",
        ],
        "addresses are not leased by ifconfig here",
        "run a DHCP client: dhcpcd DEVICE",
    ),
    (
        &["transfer", "tointerface"],
        "an alias is not moved between devices by one word",
        "delete it there, add it here: both announce; several at once: alias-ctl apply FILE",
    ),
    (
        &[
            "modlist",
            "modinsert",
            "modremove",
            "xmit",
            "-xmit",
            "local",
            "-local",
            "private",
            "-private",
        ],
        "there are no STREAMS and no such flags here",
        "leave the word out; what an alias may not send is a firewall's: nft",
    ),
    (
        &[
            "irq",
            "io_addr",
            "mem_start",
            "keepalive",
            "outfill",
            "trailers",
            "-trailers",
            "debug",
            "-debug",
            "dynamic",
            "-dynamic",
            "link0",
            "link1",
            "link2",
            "-link0",
            "-link1",
            "-link2",
            "-broadcast",
            "phase",
            "range",
            "snap",
            "-snap",
            "hwloop",
            "-hwloop",
            "allcast",
            "-allcast",
            "security",
            "authority",
            "pvc",
            "svc",
            "maclabel",
            "-maclabel",
            "tcp_low_rto",
            "-tcp_low_rto",
        ],
        "Linux has no such setting",
        "leave the word out",
    ),
];

/// What is wrong with a word that is none of the grammar's. `name` is what the command
/// is about.
pub(super) fn unknown(word: &str, name: &str) -> Refusal {
    let device = name.split(':').next().unwrap_or(name);
    if OTHER_FAMILIES.contains(&word) {
        return refused(
            word,
            "no alias type of this address family is registered",
            libc::EAFNOSUPPORT,
        )
        .hint("nothing was changed; inet and inet6 are always there");
    }
    if let Some((_, reason, way)) = GROUPS.iter().find(|(words, ..)| words.contains(&word)) {
        let way = way.replace("DEVICE", device);
        return refused(word, reason, libc::EOPNOTSUPP).hint(format!("nothing was changed; {way}"));
    }
    if let Some(range) = range(word) {
        return refused(
            word,
            "ifconfig takes one address, and that is a range",
            libc::EINVAL,
        )
        .hint(format!(
            "nothing was changed; all of them: alias-ctl add {device} --range {range} --local"
        ));
    }
    refused(word, "unknown word", libc::EINVAL)
        .hint("nothing was changed; see alias-ctl ifconfig --help")
}

/// FreeBSD's `192.0.2.20-29/32`, and both ends in full, as `add --range` reads it.
fn range(word: &str) -> Option<String> {
    let (addresses, length) = match word.split_once('/') {
        Some((addresses, length)) => (addresses, format!("/{}", length.parse::<u8>().ok()?)),
        None => (word, String::new()),
    };
    let (first, last) = addresses.split_once('-')?;
    let first: IpAddr = first.parse().ok()?;
    let text = first.to_string();
    let separator = if first.is_ipv4() { '.' } else { ':' };
    let last: IpAddr = last
        .parse()
        .or_else(|_| {
            let (network, _) = text.rsplit_once(separator).unwrap_or_default();
            format!("{network}{separator}{last}").parse()
        })
        .ok()?;
    (first.is_ipv4() == last.is_ipv4()).then(|| format!("{first}-{last}{length}"))
}
