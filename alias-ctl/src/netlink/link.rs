//! A link (network device) as the kernel shows it.

use super::attribute::{attributes, text, u16_at, u32_at, u64_at};

// Attribute numbers of linux/if_link.h.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_STATS64: u16 = 23;
/// Offset of tx_dropped in struct rtnl_link_stats64.
const TX_DROPPED: usize = 7 * 8;
const IFLA_GROUP: u16 = 27;
const IFLA_NUM_TX_QUEUES: u16 = 31;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;
const IFLA_MIN_MTU: u16 = 50;
const IFLA_MAX_MTU: u16 = 51;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BOND_MODE: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const XDP_ATTACHED_DRV: u8 = 1;
const XDP_ATTACHED_SKB: u8 = 2;
const XDP_ATTACHED_HW: u8 = 3;
const XDP_ATTACHED_MULTI: u8 = 4;

/// Bytes of `struct ifinfomsg`.
const HEADER: usize = 16;

/// `BOND_MODE_ACTIVEBACKUP` of linux/if_bonding.h.
pub const ACTIVE_BACKUP: u8 = 1;

/// A link as observed. Source: RTM_NEWLINK of rtnetlink(7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Index in its namespace, from 1.
    pub ifindex: u32,
    /// Name, at most 15 bytes.
    pub name: String,
    /// Alternative names, for example "eth0:0".
    pub altnames: Vec<String>,
    /// What it is for, in the words of whoever set it (`ip link set DEV alias TEXT`); empty:
    /// nobody did.
    pub description: String,
    /// Kind ("veth", "bridge"); `None` for a physical device and for loopback.
    pub kind: Option<String>,
    /// `BOND_MODE_*` of linux/if_bonding.h; `None` for what is no bond.
    pub bond_mode: Option<u8>,
    /// Hardware type, ARPHRD_* of linux/if_arp.h: 1 is Ethernet.
    pub hardware_type: u16,
    /// Ethernet address; zero when the link has none of 6 bytes.
    pub mac: [u8; 6],
    /// Largest payload of a frame in bytes.
    pub mtu: u32,
    /// Smallest MTU the device takes, in bytes; `None` when it does not say.
    pub min_mtu: Option<u32>,
    /// Largest MTU the device takes, in bytes; `None` when it does not say.
    pub max_mtu: Option<u32>,
    /// IFF_* of linux/if.h.
    pub flags: u32,
    /// Packets its transmit queue holds.
    pub tx_queue_len: u32,
    /// IFF_UP: the administrator wants it up.
    pub up: bool,
    /// IFF_RUNNING: it is operational (up, and with a carrier).
    pub running: bool,
    /// Group number, 0 unless set.
    pub group: u32,
    /// Index of the link below it, or of a veth's other end, in the namespace that
    /// `link_netnsid` names.
    pub link_ifindex: Option<u32>,
    /// Namespace of `link_ifindex` as an id of this namespace; `None` when it is
    /// the same one.
    pub link_netnsid: Option<i32>,
    /// The XDP program, if any.
    pub xdp: Option<XdpStatus>,
    /// Packets it was to transmit and dropped; 0 unless statistics were asked for.
    pub tx_dropped: u64,
    /// Receive queues.
    pub num_rx_queues: u32,
    /// Transmit queues.
    pub num_tx_queues: u32,
}

/// Where an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver.
    Native,
    /// After the driver has built a packet.
    Generic,
    /// In the hardware.
    Offload,
}

/// An attached XDP program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XdpStatus {
    /// Where it runs; native when programs are attached in several modes.
    pub mode: XdpMode,
    /// Id of the program, as `bpftool prog show` prints it.
    pub prog_id: u32,
}

impl Link {
    /// From the bytes after the netlink header; `None` without an index or a name.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let hardware_type = u16_at(payload, 2)?;
        let flags = u32_at(payload, 8)?;
        let mut link = Self {
            ifindex: u32_at(payload, 4)?,
            name: String::new(),
            altnames: Vec::new(),
            description: String::new(),
            kind: None,
            bond_mode: None,
            hardware_type,
            mac: [0; 6],
            mtu: 0,
            min_mtu: None,
            max_mtu: None,
            flags,
            tx_queue_len: 0,
            up: flags & libc::IFF_UP.cast_unsigned() != 0,
            running: flags & libc::IFF_RUNNING.cast_unsigned() != 0,
            group: 0,
            link_ifindex: None,
            link_netnsid: None,
            xdp: None,
            tx_dropped: 0,
            num_rx_queues: 0,
            num_tx_queues: 0,
        };
        for (kind, value) in attributes(payload.get(HEADER..)?) {
            let number = u32_at(value, 0);
            match kind {
                IFLA_ADDRESS => link.mac = value.try_into().unwrap_or_default(),
                IFLA_IFNAME => link.name = text(value),
                IFLA_MTU => link.mtu = number?,
                IFLA_LINK => link.link_ifindex = number.filter(|&index| index != 0),
                IFLA_LINKINFO => {
                    link.kind = link_kind(value);
                    link.bond_mode = bond_mode(value);
                }
                IFLA_IFALIAS => link.description = text(value),
                IFLA_STATS64 => link.tx_dropped = u64_at(value, TX_DROPPED).unwrap_or(0),
                IFLA_TXQLEN => link.tx_queue_len = number?,
                IFLA_GROUP => link.group = number?,
                IFLA_NUM_TX_QUEUES => link.num_tx_queues = number?,
                IFLA_NUM_RX_QUEUES => link.num_rx_queues = number?,
                IFLA_LINK_NETNSID => link.link_netnsid = number.map(u32::cast_signed),
                IFLA_XDP => link.xdp = xdp_status(value),
                // 0 means that the driver sets no limit.
                IFLA_MIN_MTU => link.min_mtu = number.filter(|&mtu| mtu != 0),
                IFLA_MAX_MTU => link.max_mtu = number.filter(|&mtu| mtu != 0),
                IFLA_PROP_LIST => link.altnames = alternative_names(value),
                _ => {}
            }
        }
        (link.ifindex != 0 && !link.name.is_empty()).then_some(link)
    }

    /// Whether `name` is its name or one of its alternative names.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.altnames.iter().any(|altname| altname == name)
    }
}

fn link_kind(value: &[u8]) -> Option<String> {
    attributes(value)
        .find(|(kind, _)| *kind == IFLA_INFO_KIND)
        .map(|(_, value)| text(value))
}

fn bond_mode(value: &[u8]) -> Option<u8> {
    if link_kind(value)? != "bond" {
        return None;
    }
    let find = |value, wanted| attributes(value).find(|(kind, _)| *kind == wanted);
    let (_, data) = find(value, IFLA_INFO_DATA)?;
    let (_, mode) = find(data, IFLA_BOND_MODE)?;
    mode.first().copied()
}

fn alternative_names(value: &[u8]) -> Vec<String> {
    attributes(value)
        .filter(|(kind, _)| *kind == IFLA_ALT_IFNAME)
        .map(|(_, value)| text(value))
        .collect()
}

fn xdp_status(value: &[u8]) -> Option<XdpStatus> {
    let find = |wanted| {
        attributes(value)
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| value)
    };
    let program = |wanted| find(wanted).and_then(|value| u32_at(value, 0));
    let status = |mode, prog_id| XdpStatus { mode, prog_id };
    match *find(IFLA_XDP_ATTACHED)?.first()? {
        XDP_ATTACHED_DRV => Some(status(XdpMode::Native, program(IFLA_XDP_PROG_ID)?)),
        XDP_ATTACHED_SKB => Some(status(XdpMode::Generic, program(IFLA_XDP_PROG_ID)?)),
        XDP_ATTACHED_HW => Some(status(XdpMode::Offload, program(IFLA_XDP_PROG_ID)?)),
        // Driver and hardware may hold one each; the kernel then gives no common id.
        XDP_ATTACHED_MULTI => Some(status(XdpMode::Native, program(IFLA_XDP_DRV_PROG_ID)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn parses_a_veth_with_an_alternative_name() {
        let mut message = vec![0, 0];
        message.extend(1_u16.to_ne_bytes());
        message.extend(7_u32.to_ne_bytes());
        message.extend((libc::IFF_UP.cast_unsigned()).to_ne_bytes());
        message.extend([0; 4]);
        message.extend(attribute(IFLA_IFNAME, b"a7\0"));
        message.extend(attribute(IFLA_IFALIAS, b"eth0:7 192.0.2.7\0"));
        message.extend(attribute(IFLA_ADDRESS, &[2, 0, 0, 0, 0, 7]));
        message.extend(attribute(
            IFLA_LINKINFO,
            &attribute(IFLA_INFO_KIND, b"veth"),
        ));
        message.extend(attribute(
            IFLA_PROP_LIST,
            &attribute(IFLA_ALT_IFNAME, b"eth0:7\0"),
        ));
        let xdp = [
            attribute(IFLA_XDP_ATTACHED, &[XDP_ATTACHED_SKB]),
            attribute(IFLA_XDP_PROG_ID, &9_u32.to_ne_bytes()),
        ];
        message.extend(attribute(IFLA_XDP, &xdp.concat()));

        let link = Link::parse(&message).unwrap();
        assert_eq!((link.ifindex, link.name.as_str()), (7, "a7"));
        assert_eq!(link.description, "eth0:7 192.0.2.7");
        assert_eq!(link.kind.as_deref(), Some("veth"));
        assert_eq!(link.mac, [2, 0, 0, 0, 0, 7]);
        assert!(link.up && !link.running);
        assert!(link.answers_to("eth0:7") && link.answers_to("a7") && !link.answers_to("eth0"));
        let expected = XdpStatus {
            mode: XdpMode::Generic,
            prog_id: 9,
        };
        assert_eq!(link.xdp, Some(expected));
        assert_eq!(Link::parse(&message[..20]), None, "no name");
        assert_eq!(link.bond_mode, None, "no bond");
    }

    #[test]
    fn a_bond_says_its_mode() {
        let data = attribute(IFLA_INFO_DATA, &attribute(IFLA_BOND_MODE, &[1]));
        for (kind, expected) in [("bond", Some(1)), ("veth", None)] {
            let info = [attribute(IFLA_INFO_KIND, kind.as_bytes()), data.clone()].concat();
            assert_eq!(bond_mode(&info), expected, "{kind}");
        }
    }
}
