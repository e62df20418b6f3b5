//! `alias_return` by golden tables: of what a `--to` device sends, an alias's
//! goes on with the parent's station in it, and the rest stays with the host.

use std::net::Ipv6Addr;

use alias_common::names;
use alias_tests::{
    Mode,
    bpf::{Context, tc},
    frame::{BROADCAST, Frame, Mac, checksum, ethertype},
};

use crate::{
    golden_bench::*,
    golden_receive::Kind,
    scene::{FAMILIES, Family},
};

/// TC_ACT_UNSPEC: what the host does without the program.
const UNSPEC: u32 = u32::MAX;

/// `Some`: what goes out, counted for this slot. `None`: not ours.
#[track_caller]
fn check(
    bench: &mut Bench,
    what: &str,
    device: &str,
    bytes: &[u8],
    out: Option<(u32, Kind, Vec<u8>)>,
) {
    let context = Context::tc(bench.ifindex(device));
    let (run, risen) = bench.run(names::ALIAS_RETURN, bytes, context);
    let (verdict, expected, out) = match out {
        None => (UNSPEC, Counters::new(), bytes.to_vec()),
        Some((slot, Kind::Data, out)) => (
            tc::REDIRECT,
            rise([
                (parent("tx"), 1),
                (of(slot, "tx_packets"), 1),
                (of(slot, "tx_bytes"), bytes.len() as u64),
            ]),
            out,
        ),
        Some((slot, _, out)) => (
            tc::REDIRECT,
            rise([(parent("tx"), 1), (of(slot, "neighbor_tx_packets"), 1)]),
            out,
        ),
    };
    assert_eq!(run.retval, verdict, "{what} at {device}: verdict");
    assert_eq!(risen, expected, "{what} at {device}: counters");
    assert_eq!(run.data_out, out, "{what} at {device}: the frame after it");
}

/// Frames of an alias, from this station.
fn own_frames(family: Family, number: u32, s: &Frame) -> Vec<(&'static str, Kind, Frame)> {
    use Kind::{Data, Neighbor};
    let s = || s.clone();
    match family {
        Family::V4 => vec![
            ("UDP", Data, s().ipv4(v4(number), B_V4).udp(1, 2, b"x")),
            (
                "an ARP request",
                Neighbor,
                s().arp_request(v4(number), B_V4),
            ),
            (
                "an ARP reply",
                Neighbor,
                s().arp_reply(v4(number), B_V4).padded(),
            ),
        ],
        Family::V6 => {
            let own = v6(number);
            vec![
                ("UDP", Data, s().ipv6(own, B_V6).udp(1, 2, b"x")),
                ("a solicitation", Neighbor, s().solicitation(own, B_V6)),
                (
                    "DAD",
                    Neighbor,
                    s().solicitation(Ipv6Addr::UNSPECIFIED, own),
                ),
                (
                    "an advertisement",
                    Neighbor,
                    s().advertisement(own, B_V6, own, 0x60),
                ),
                (
                    "an advertisement without MAC",
                    Neighbor,
                    s().ipv6(own, B_V6).icmp(136, 0, [0; 4], &own.octets()),
                ),
            ]
        }
    }
}

/// Devices with their far end and the alias that leads there.
const TARGETS: [(&str, Option<&str>, u32, Option<u16>); 4] = [
    ("v0", Some("v1"), TO_VETH, None),
    ("tap0", None, TO_TAP, None),
    ("v2", Some("v3"), TAGGED_TO, None),
    ("v4", Some("v5"), TWICE_TAGGED_TO, Some(20)),
];

/// What the far station says is to look as if the parent's station had said it:
/// the frame built anew, with its checksum. Where the device has no station of
/// its own, as it was.
#[test]
fn what_comes_back_leaves_as_the_parent_s() {
    let mut bench = Bench::new(Mode::Native);
    for family in FAMILIES {
        for (device, end, number, inner) in TARGETS {
            let far: Mac = end.map_or([2, 0, 0, 0, 0, 0x77], |end| bench.far(end));
            let station = if end.is_some() { bench.own } else { far };
            let said = own_frames(family, number, &bench.to_b().between(far, bench.b));
            let meant = own_frames(family, number, &bench.to_b().between(station, bench.b));
            for ((what, kind, said), (_, _, meant)) in said.into_iter().zip(meant) {
                let mut out = meant.build();
                if let Some(id) = inner {
                    let ([a, b], [c, d]) = (ethertype::VLAN.to_be_bytes(), id.to_be_bytes());
                    out.splice(12..12, [a, b, c, d]);
                }
                let out = Some((slot(family, number), kind, out));
                check(&mut bench, what, device, &said.build(), out);
            }
        }
    }
}

#[test]
fn what_is_not_an_alias_s_stays_with_the_host() {
    let mut bench = Bench::new(Mode::Native);
    for (device, _, own, _) in TARGETS {
        let s = bench.to_b();
        let mut rows = vec![
            ("LLDP".to_owned(), s.clone().raw(0x88cc, &[0; 46])),
            (
                "an advertisement of 8 bytes".to_owned(),
                s.clone()
                    .ipv6(v6(own), B_V6)
                    .payload(58, &[136, 0, 0, 0, 0, 0, 0, 0]),
            ),
            (
                "tagged".to_owned(),
                s.clone().vlan(10).ipv4(v4(own), B_V4).udp(1, 2, b"x"),
            ),
            (
                "priority tag".to_owned(),
                s.clone().vlan(0).ipv4(v4(own), B_V4).udp(1, 2, b"x"),
            ),
            (
                "nobody".to_owned(),
                s.clone()
                    .ipv4([198, 51, 100, 99].into(), B_V4)
                    .udp(1, 2, b"x"),
            ),
            (
                "to an alias".to_owned(),
                s.clone().ipv4(B_V4, v4(own)).udp(1, 2, b"x"),
            ),
            (
                "broadcast".to_owned(),
                s.clone().to(BROADCAST).arp_request(B_V4, v4(own)),
            ),
        ];
        for other in (DEVICE..=TWIN).filter(|other| *other != own) {
            rows.push((
                format!("IPv4 alias {other}"),
                s.clone().ipv4(v4(other), B_V4).udp(1, 2, b"x"),
            ));
            rows.push((
                format!("IPv6 alias {other}"),
                s.clone().ipv6(v6(other), B_V6).udp(1, 2, b"x"),
            ));
        }
        for (what, built) in rows {
            check(&mut bench, &what, device, &built.build(), None);
        }
    }
}

/// The comparison above is with a frame whose checksum was computed afresh; this
/// says so of the checksum itself.
#[test]
fn the_frames_compared_with_have_a_right_checksum() {
    let s = alias_tests::frame::frame();
    for (what, _, built) in own_frames(Family::V6, TO_VETH, &s).into_iter().skip(1) {
        let bytes = built.build();
        let (addresses, body) = (&bytes[22..54], &bytes[54..]);
        let length = (body.len() as u32).to_be_bytes();
        assert_eq!(checksum(&[addresses, &length, &[0, 58], body]), 0, "{what}");
    }
}
