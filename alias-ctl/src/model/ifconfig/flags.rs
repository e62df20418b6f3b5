//! Flag words: the bits behind `UP BROADCAST RUNNING`. Four systems share the low
//! ones and differ above.

use super::Style;

/// What a bit means, whatever its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Flag {
    Up,
    Broadcast,
    Debug,
    Loopback,
    PointToPoint,
    NoTrailers,
    Running,
    NoArp,
    Promisc,
    AllMulti,
    Master,
    Slave,
    OActive,
    Simplex,
    Link0,
    Link1,
    Link2,
    AllCast,
    Multicast,
    Dynamic,
    GroupRt,
    Bits64,
    Intelligent,
    MultiBroadcast,
    Unnumbered,
    DhcpRunning,
    Private,
    NoXmit,
    NoLocal,
    Deprecated,
    AddrConf,
    Router,
    NoNud,
    AnyCast,
    NoRtExch,
    Ipv4,
    Ipv6,
    NoFailover,
    Failed,
    Standby,
    Inactive,
    Offline,
    XResolv,
    CoS,
    Preferred,
    Temporary,
    FixedMtu,
    Virtual,
}

impl Flag {
    /// As every system prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Flag::Up => "UP",
            Flag::Broadcast => "BROADCAST",
            Flag::Debug => "DEBUG",
            Flag::Loopback => "LOOPBACK",
            Flag::PointToPoint => "POINTOPOINT",
            Flag::NoTrailers => "NOTRAILERS",
            Flag::Running => "RUNNING",
            Flag::NoArp => "NOARP",
            Flag::Promisc => "PROMISC",
            Flag::AllMulti => "ALLMULTI",
            Flag::Master => "MASTER",
            Flag::Slave => "SLAVE",
            Flag::OActive => "OACTIVE",
            Flag::Simplex => "SIMPLEX",
            Flag::Link0 => "LINK0",
            Flag::Link1 => "LINK1",
            Flag::Link2 => "LINK2",
            Flag::AllCast => "ALLCAST",
            Flag::Multicast => "MULTICAST",
            Flag::Dynamic => "DYNAMIC",
            Flag::GroupRt => "GROUPRT",
            Flag::Bits64 => "64BIT",
            Flag::Intelligent => "INTELLIGENT",
            Flag::MultiBroadcast => "MULTI_BCAST",
            Flag::Unnumbered => "UNNUMBERED",
            Flag::DhcpRunning => "DHCP",
            Flag::Private => "PRIVATE",
            Flag::NoXmit => "NOXMIT",
            Flag::NoLocal => "NOLOCAL",
            Flag::Deprecated => "DEPRECATED",
            Flag::AddrConf => "ADDRCONF",
            Flag::Router => "ROUTER",
            Flag::NoNud => "NONUD",
            Flag::AnyCast => "ANYCAST",
            Flag::NoRtExch => "NORTEXCH",
            Flag::Ipv4 => "IPv4",
            Flag::Ipv6 => "IPv6",
            Flag::NoFailover => "NOFAILOVER",
            Flag::Failed => "FAILED",
            Flag::Standby => "STANDBY",
            Flag::Inactive => "INACTIVE",
            Flag::Offline => "OFFLINE",
            Flag::XResolv => "XRESOLV",
            Flag::CoS => "CoS",
            Flag::Preferred => "PREFERRED",
            Flag::Temporary => "TEMPORARY",
            Flag::FixedMtu => "FIXEDMTU",
            Flag::Virtual => "VIRTUAL",
        }
    }
}

/// The bits that all four have, and those of one, by value.
const COMMON: [(u64, Flag); 9] = [
    (0x1, Flag::Up),
    (0x2, Flag::Broadcast),
    (0x4, Flag::Debug),
    (0x8, Flag::Loopback),
    (0x10, Flag::PointToPoint),
    (0x40, Flag::Running),
    (0x80, Flag::NoArp),
    (0x100, Flag::Promisc),
    (0x200, Flag::AllMulti),
];
/// `linux/if.h`.
const LINUX: [(u64, Flag); 5] = [
    (0x20, Flag::NoTrailers),
    (0x400, Flag::Master),
    (0x800, Flag::Slave),
    (0x1000, Flag::Multicast),
    (0x8000, Flag::Dynamic),
];
/// FreeBSD's `net/if.h`, when ifconfig printed these words.
const BSD: [(u64, Flag); 6] = [
    (0x400, Flag::OActive),
    (0x800, Flag::Simplex),
    (0x1000, Flag::Link0),
    (0x2000, Flag::Link1),
    (0x4000, Flag::Link2),
    (0x8000, Flag::Multicast),
];
/// AIX's `net/if.h`. Its words have a bit 0x8000000 too, which AIX does not name.
const AIX: [(u64, Flag); 6] = [
    (0x20, Flag::NoTrailers),
    (0x800, Flag::Simplex),
    (0x2_0000, Flag::AllCast),
    (0x8_0000, Flag::Multicast),
    (0x200_0000, Flag::GroupRt),
    (0x400_0000, Flag::Bits64),
];
/// Solaris's `net/if.h`.
const SOLARIS: [(u64, Flag); 28] = [
    (0x20, Flag::NoTrailers),
    (0x400, Flag::Intelligent),
    (0x800, Flag::Multicast),
    (0x1000, Flag::MultiBroadcast),
    (0x2000, Flag::Unnumbered),
    (0x4000, Flag::DhcpRunning),
    (0x8000, Flag::Private),
    (0x1_0000, Flag::NoXmit),
    (0x2_0000, Flag::NoLocal),
    (0x4_0000, Flag::Deprecated),
    (0x8_0000, Flag::AddrConf),
    (0x10_0000, Flag::Router),
    (0x20_0000, Flag::NoNud),
    (0x40_0000, Flag::AnyCast),
    (0x80_0000, Flag::NoRtExch),
    (0x100_0000, Flag::Ipv4),
    (0x200_0000, Flag::Ipv6),
    (0x800_0000, Flag::NoFailover),
    (0x1000_0000, Flag::Failed),
    (0x2000_0000, Flag::Standby),
    (0x4000_0000, Flag::Inactive),
    (0x8000_0000, Flag::Offline),
    (0x1_0000_0000, Flag::XResolv),
    (0x2_0000_0000, Flag::CoS),
    (0x4_0000_0000, Flag::Preferred),
    (0x8_0000_0000, Flag::Temporary),
    (0x10_0000_0000, Flag::FixedMtu),
    (0x20_0000_0000, Flag::Virtual),
];

const fn own(style: Style) -> &'static [(u64, Flag)] {
    match style {
        Style::Linux => &LINUX,
        Style::Bsd => &BSD,
        Style::Aix => &AIX,
        Style::Solaris => &SOLARIS,
    }
}

/// The flags of a system's word, lowest bit first. Bits without a name are left out.
#[must_use]
pub fn decode(style: Style, word: u64) -> Vec<Flag> {
    let mut known: Vec<(u64, Flag)> = COMMON.iter().chain(own(style)).copied().collect();
    known.sort_by_key(|(bit, _)| *bit);
    let set = known.into_iter().filter(|(bit, _)| word & bit != 0);
    set.map(|(_, flag)| flag).collect()
}

/// A system's word of these flags. A flag that the system has no bit for is left out.
#[must_use]
pub fn encode(style: Style, flags: &[Flag]) -> u64 {
    let known = COMMON.iter().chain(own(style));
    known
        .filter(|(_, flag)| flags.contains(flag))
        .fold(0, |word, (bit, _)| word | bit)
}

/// A Linux device's flags as another system would have them: a device that
/// broadcasts does not hear itself there, and AIX routes to groups with 64 bits.
#[must_use]
pub fn translate(style: Style, linux: u32) -> Vec<Flag> {
    let mut flags = decode(Style::Linux, linux.into());
    if style == Style::Linux {
        return flags;
    }
    if flags.contains(&Flag::Broadcast) {
        flags.push(Flag::Simplex);
    }
    flags.extend([Flag::GroupRt, Flag::Bits64]);
    decode(style, encode(style, &flags))
}

/// `flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST>`.
#[must_use]
pub fn print(word: u64, flags: &[Flag]) -> String {
    let names: Vec<&str> = flags.iter().map(|flag| flag.name()).collect();
    format!("flags={word:x}<{}>", names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_four_systems() {
        for (style, word, expected) in [
            (
                Style::Aix,
                0xe08_084b,
                "flags=e08084b<UP,BROADCAST,LOOPBACK,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT>",
            ),
            (
                Style::Aix,
                0xe08_0863,
                "flags=e080863<UP,BROADCAST,NOTRAILERS,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT>",
            ),
            (
                Style::Aix,
                0xe0a_0043,
                "flags=e0a0043<UP,BROADCAST,RUNNING,ALLCAST,MULTICAST,GROUPRT,64BIT>",
            ),
            (
                Style::Bsd,
                0x8943,
                "flags=8943<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST>",
            ),
            (
                Style::Bsd,
                0x8049,
                "flags=8049<UP,LOOPBACK,RUNNING,MULTICAST>",
            ),
            (
                Style::Linux,
                0x1043,
                "flags=1043<UP,BROADCAST,RUNNING,MULTICAST>",
            ),
            (Style::Linux, 0x1c00, "flags=1c00<MASTER,SLAVE,MULTICAST>"),
            (Style::Bsd, 0x7400, "flags=7400<OACTIVE,LINK0,LINK1,LINK2>"),
            (Style::Linux, 0, "flags=0<>"),
            (
                Style::Solaris,
                0x100_0843,
                "flags=1000843<UP,BROADCAST,RUNNING,MULTICAST,IPv4>",
            ),
            (
                Style::Solaris,
                0x20_0100_0849,
                "flags=2001000849<UP,LOOPBACK,RUNNING,MULTICAST,IPv4,VIRTUAL>",
            ),
            (
                Style::Solaris,
                0x904_0843,
                "flags=9040843<UP,BROADCAST,RUNNING,MULTICAST,DEPRECATED,IPv4,NOFAILOVER>",
            ),
        ] {
            assert_eq!(print(word, &decode(style, word)), expected);
        }
    }

    #[test]
    fn every_word_survives_the_way_there_and_back() {
        for style in [Style::Linux, Style::Bsd, Style::Aix, Style::Solaris] {
            let all = COMMON
                .iter()
                .chain(own(style))
                .fold(0, |w, (bit, _)| w | bit);
            let bits = COMMON.len() + own(style).len();
            assert_eq!(
                all.count_ones() as usize,
                bits,
                "{style:?}: a bit of its own each"
            );
            assert_eq!(encode(style, &decode(style, all)), all, "{style:?}");
        }
    }

    #[test]
    fn a_linux_device_elsewhere() {
        // UP BROADCAST RUNNING MULTICAST, and LOWER_UP (0x10000), which nobody names.
        for (style, expected) in [
            (Style::Linux, 0x1043),
            (Style::Bsd, 0x8843),
            (Style::Aix, 0x608_0843),
            (Style::Solaris, 0x843),
        ] {
            let flags = translate(style, 0x1_1043);
            assert_eq!(encode(style, &flags), expected, "{style:?}");
        }
    }
}
