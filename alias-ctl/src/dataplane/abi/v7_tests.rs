//! The reader against real pins of its version, kept as a file.

use alias_common::header;
use alias_common::hearer::Hear;
use alias_common::key::Family;
use alias_common::record;
use alias_common::tcp_options::TcpOption;

use super::*;

/// What such pins were: `tests/cases/upgrade/pins.rs` made them.
const FIXTURE: &str = include_str!("v7.pins");

#[track_caller]
fn words<const N: usize>(name: &str) -> [u64; N] {
    let prefix = format!("{name}: ");
    let line = FIXTURE.lines().find_map(|line| line.strip_prefix(&prefix));
    let line = line.unwrap_or_else(|| panic!("no {name}"));
    let bytes: Vec<u8> = line
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
        .collect();
    let (words, rest) = bytes.as_chunks::<8>();
    assert!(
        words.len() == N && rest.is_empty(),
        "{name}: {}",
        bytes.len()
    );
    std::array::from_fn(|at| u64::from_ne_bytes(words[at]))
}

#[test]
fn the_header() {
    let found = header(words("header"));
    assert_eq!(found.abi_version, ABI_VERSION, "it is this version's now");
    assert_eq!((found.max_aliases, found.records_end), (1 << 22, 7));
    assert_eq!(
        (found.last_created, found.free_from, found.slots_from),
        (7, 7, 6)
    );
    assert_eq!(found.flags, header::Header::PROMOTES);
    assert_eq!(&found.name[..5], b"eth0\0");
    assert_eq!((found.unfinished, found.parent_device), (0, 0));
    assert_ne!((found.secret, found.interface_id), (0, 0));
    // Both multipliers are odd.
    assert!(found.hash_key.multiply.iter().all(|word| word % 2 == 1));
    // Of 21 bits, of IPv4.
    let one = Prefixes::from_words([1 << (64 - 21), 0, 0, 0]);
    assert_eq!(found.prefixes, one);
}

#[test]
fn the_records() {
    use TargetKind::{Device, Drop, Join, Local, To};
    let expected: [(u32, TargetKind, &[u8], u8); 7] = [
        (0, Drop, &[198, 18, 0, 1], 32),
        (1, Device, &[198, 51, 100, 8], 24),
        (2, To, &[203, 0, 113, 9], 24),
        (3, Local, &[198, 51, 100, 30], 24),
        (4, Drop, &[0x20, 1, 0xd, 0xb8, 0, 7], 128),
        (5, Drop, &[198, 18, 8, 0], 21),
        (4_000_000, Join, &[198, 51, 100, 9], 24),
    ];
    for (id, (slot, kind, address, len)) in expected.into_iter().enumerate() {
        let found = record(words(&format!("record {id}")));
        let what = format!("{id}: {found:?}");
        assert_eq!((found.slot, found.kind()), (slot, Some(kind)), "{what}");
        assert_eq!(found.state, State::Live as u32, "{what}");
        assert_eq!(found.created, id as u64 + 1, "{what}");
        assert_eq!(&found.address[..address.len()], address, "{what}");
        assert_eq!(found.prefix_len, len, "{what}");
        let is_ipv6 = id == 4;
        let family = if is_ipv6 { Family::IPV6 } else { Family::IPV4 };
        assert_eq!(found.family(), family, "{what}");
        assert_eq!(
            found.ethertype,
            if is_ipv6 { 0x86dd } else { 0x0800 },
            "{what}"
        );
        assert_eq!(found.address_len, if is_ipv6 { 16 } else { 4 }, "{what}");
        assert_eq!(found.vlan_outer, if is_ipv6 { 7 } else { 0 }, "{what}");
        let usual = record::Record::ADDRESSED | record::Record::ANNOUNCE;
        let flags = match id {
            // It is disabled.
            4 => usual,
            5 => usual | record::Record::ENABLED | record::Record::PREFIX,
            _ => usual | record::Record::ENABLED,
        };
        assert_eq!(found.flags, flags, "{what}");
        assert_eq!(found.hear(), Hear::NOTHING, "{what}");
        let tcp = [TcpOption::TcpNodelay, TcpOption::TcpSendspace].map(|o| found.tcp.get(o));
        let given = if kind == Local {
            [Some(1), Some(70_000)]
        } else {
            [None; 2]
        };
        assert_eq!(tcp, given, "{what}");
        let devices = kind == Device || kind == Join;
        assert_eq!(found.netns_cookie != 0, devices, "{what}");
    }
    let joined = record(words("record 6"));
    assert_eq!(joined.link, 1, "whose device it has");
    assert_eq!(record(words("redo")).state, State::Free as u32);
}

#[test]
fn where_they_stand_and_what_they_lead_to() {
    for (id, expected) in [
        (0, Verdict::Drop),
        (1, Verdict::Device),
        (2, Verdict::To),
        (3, Verdict::Local),
        (4, Verdict::Disabled),
        (5, Verdict::Drop),
        (6, Verdict::Device),
    ] {
        let [word, steer] = words(&format!("entry {id}"));
        assert_eq!(verdict(word), Some(expected), "{id}");
        assert_eq!(steer >> 32 & ID, id, "{id}");
    }
    let found = target(words("target 0"));
    assert_ne!(found.ifindex, 0);
    assert_eq!(&found.name[..3], b"v0\0");
    let owner = port(words("port 1"));
    assert_eq!((owner.key, owner.ethertype), (1, 0x0800));
    assert_ne!(owner.netns_cookie, 0);
    assert_eq!(port(words("port 2")).key, 0, "its devmap key");
    let [head, log @ ..] = words::<15>("log");
    assert_eq!(head, 7);
    let entries = log.iter().step_by(2).map(|entry| (entry >> 24, entry & ID));
    assert!(entries.eq((0..7).map(|id| (id + 1, id))), "{log:?}");
}

#[test]
fn what_was_counted() {
    for (id, packets) in [3, 2, 4, 0, 0, 5, 0].into_iter().enumerate() {
        let found = rx_cell(words(&format!("rx {id}")));
        assert_eq!(
            (found.packets, found.bytes),
            (packets, packets * 60),
            "{id}"
        );
        let found = alias_cell(words(&format!("alias {id}")));
        assert_eq!(
            (found.tx_packets, found.lost, found.spoof),
            (0, 0, 0),
            "{id}"
        );
    }
    let found = parent_cell(words("parent"));
    assert_eq!((found.dropped, found.device, found.to), (8, 2, 4));
}

/// While this version is that of `alias-common`, both mean the same by the same bytes.
#[test]
fn it_is_what_alias_common_says() {
    if ABI_VERSION != VERSION {
        return;
    }
    assert_eq!(size_of::<record::Record>(), RECORD * 8);
    assert_eq!(size_of::<header::Header>(), HEADER * 8);
    assert_eq!(size_of::<record::Target>(), TARGET * 8);
    assert_eq!(size_of::<record::Port>(), PORT * 8);
    assert_eq!(size_of::<RxCell>(), RX * 8);
    assert_eq!(size_of::<AliasCell>(), ALIAS * 8);
    assert_eq!(size_of::<ParentCell>(), PARENT * 8);
    for capacity in [1, 1024, 2049, 1_000_000, MOST_ALIASES] {
        let (own, theirs) = (
            Layout::of(capacity),
            alias_common::layout::Layout::for_capacity(capacity),
        );
        assert_eq!(own.positions, theirs.positions, "{capacity}");
        assert_eq!(own.steers(), theirs.steers(), "{capacity}");
        assert_eq!(own.targets(), theirs.targets(), "{capacity}");
        assert_eq!(own.table(), theirs.table_len(), "{capacity}");
        assert_eq!(own.aliases(), theirs.aliases(), "{capacity}");
        assert_eq!(own.row(), theirs.row_len(), "{capacity}");
    }
}
