//! `alias_tx` by golden tables: what an alias device may say, and what it may
//! not. The outermost tag of a VLAN alias goes beside the frame, where a test
//! run does not show it; traffic does, in `vlan`.

use std::net::{Ipv4Addr, Ipv6Addr};

use alias_common::names;
use alias_tests::{
    Mode,
    bpf::{Context, SkBuff, tc},
    frame::{Echo, Frame, ethertype},
};

use crate::{
    golden_bench::*,
    golden_receive::Kind,
    scene::{FAMILIES, Family},
};

/// What becomes of a frame at the port of the alias in slot `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// Counted for this slot.
    Sent(u32, Kind),
    /// Dropped, and counted for the owner of the port.
    Spoof,
}

use Fate::{Sent, Spoof};
use Kind::{Data, Neighbor};

/// Runs the frame at the port; `inner` is the tag that is to be seen in it then.
#[track_caller]
pub(crate) fn check(
    bench: &mut Bench,
    what: &str,
    at: u32,
    built: &Frame,
    inner: Option<u16>,
    fate: Fate,
) {
    let context = Context::tc(bench.port(at));
    check_in(bench, what, at, built, context, inner, fate);
}

#[track_caller]
fn check_in(
    bench: &mut Bench,
    what: &str,
    at: u32,
    built: &Frame,
    context: Context,
    inner: Option<u16>,
    fate: Fate,
) {
    let bytes = built.clone().build();
    let (run, risen) = bench.run(names::ALIAS_TX, &bytes, context);
    let segments = match context {
        Context::Tc(skb) => u64::from(skb.gso_segs.max(1)),
        Context::Xdp(_) => panic!("alias_tx is no XDP program"),
    };
    let (verdict, expected, out) = match fate {
        Sent(slot, Data) => (
            tc::REDIRECT,
            rise([
                (parent("tx"), 1),
                (of(slot, "tx_packets"), segments),
                (of(slot, "tx_bytes"), bytes.len() as u64),
            ]),
            with_tag(&bytes, inner),
        ),
        Sent(slot, _) => (
            tc::REDIRECT,
            rise([(parent("tx"), 1), (of(slot, "neighbor_tx_packets"), 1)]),
            with_tag(&bytes, inner),
        ),
        Spoof => (
            tc::SHOT,
            rise([(parent("spoof"), 1), (of(at, "dropped.spoof"), 1)]),
            bytes,
        ),
    };
    assert_eq!(run.retval, verdict, "{what}: verdict, to be {fate:?}");
    assert_eq!(risen, expected, "{what}: counters, to be {fate:?}");
    assert_eq!(run.data_out, out, "{what}: the frame after it");
}

fn with_tag(bytes: &[u8], id: Option<u16>) -> Vec<u8> {
    let tag = id.map(|id| {
        let ([a, b], [c, d]) = (ethertype::VLAN.to_be_bytes(), id.to_be_bytes());
        [a, b, c, d]
    });
    [
        &bytes[..12],
        tag.as_ref().map_or(&[], |tag| &tag[..]),
        &bytes[12..],
    ]
    .concat()
}

/// Aliases with a device: whose port, whose address, and the inner tag.
pub(crate) const SENDERS: [(u32, u32, Option<u16>); 7] = [
    (DEVICE, DEVICE, None),
    (DEVICE_ELSEWHERE, DEVICE_ELSEWHERE, None),
    (DEVICE, JOIN, None),
    (TAGGED, TAGGED, None),
    (TAGGED, TAGGED_JOIN, None),
    (TWICE_TAGGED, TWICE_TAGGED, Some(20)),
    (TWIN, TWIN, None),
];

/// Extension headers that lead on (RFC 8200, 4.1): hop-by-hop options, routing,
/// fragment, destination options.
pub(crate) const EXTENSIONS: [u8; 4] = [0, 43, 44, 60];

/// A chain of them around what they lead to; its first number and its bytes.
pub(crate) fn behind(chain: &[u8], last: u8, payload: &[u8]) -> (u8, Vec<u8>) {
    let lead = |(next, bytes): (u8, Vec<u8>), kind: &u8| {
        // A first fragment with more to come; options that are padding.
        let header = match kind {
            44 => [next, 0, 0, 1, 0, 0, 0, 9],
            _ => [next, 0, 1, 4, 0, 0, 0, 0],
        };
        (*kind, [&header[..], &bytes].concat())
    };
    chain.iter().rev().fold((last, payload.to_vec()), lead)
}

/// Frames that the alias with this number may send.
pub(crate) fn own_frames(
    family: Family,
    number: u32,
    s: &Frame,
) -> Vec<(&'static str, Kind, Frame)> {
    let s = || s.clone();
    match family {
        Family::V4 => {
            let own = v4(number);
            let ip = s().ipv4(own, B_V4);
            vec![
                ("UDP", Data, ip.clone().udp(1, 2, b"x")),
                ("TCP, padded", Data, ip.clone().tcp(1, 2, 2).padded()),
                (
                    "an echo",
                    Data,
                    ip.clone().echo(Echo::Reply, 1, 1, &[7; 900]),
                ),
                (
                    "options",
                    Data,
                    ip.clone().options(&[1; 40]).udp(1, 2, b"x"),
                ),
                (
                    "a later fragment",
                    Data,
                    ip.fragment(1, 8, false).payload(17, b"rest"),
                ),
                ("an ARP request", Neighbor, s().arp_request(own, B_V4)),
                ("an ARP reply", Neighbor, s().arp_reply(own, B_V4).padded()),
                (
                    "an ARP probe",
                    Neighbor,
                    s().arp_request(Ipv4Addr::UNSPECIFIED, own),
                ),
                ("an ARP announcement", Neighbor, s().arp_request(own, own)),
            ]
        }
        Family::V6 => {
            let own = v6(number);
            let ip = s().ipv6(own, B_V6);
            let routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
            let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
            let groups = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
            let extended = |chain: &[u8], last, payload: &[u8]| {
                let (first, bytes) = behind(chain, last, payload);
                s().ipv6(own, B_V6).payload(first, &bytes)
            };
            let echo = [128, 0, 0, 0, 0, 1, 0, 1];
            let (_, report) = behind(&[0], 58, &[143, 0, 0, 0, 0, 0, 0, 0]);
            // What looks like discovery, and begins no message.
            let later = [58, 0, 0, 8, 0, 0, 0, 9, 136, 0, 0, 0];
            let mut frames = vec![
                ("UDP", Data, ip.clone().udp(1, 2, b"x")),
                (
                    "an echo",
                    Data,
                    ip.clone().echo(Echo::Reply, 1, 1, &[7; 900]),
                ),
                (
                    "a fragment",
                    Data,
                    ip.payload(44, &[17, 0, 0, 1, 0, 0, 0, 9, 9]),
                ),
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
                    "an advertisement from a link-local address",
                    Neighbor,
                    s().advertisement(link_local, B_V6, own, 0x60),
                ),
                (
                    "a router solicitation",
                    Neighbor,
                    s().ipv6(own, routers).icmp(133, 0, [0; 4], &[]),
                ),
                (
                    "an echo behind three headers",
                    Data,
                    extended(&[0, 43, 60], 58, &echo),
                ),
                (
                    "UDP behind three headers",
                    Data,
                    extended(&[0, 60, 44], 17, &echo),
                ),
                (
                    "a later fragment",
                    Data,
                    s().ipv6(own, B_V6).payload(44, &later),
                ),
                (
                    "a report of its own",
                    Data,
                    s().ipv6(own, groups).payload(0, &report),
                ),
                (
                    "a report of its own to others",
                    Data,
                    s().ipv6(own, B_V6).payload(0, &report),
                ),
            ];
            for kind in EXTENSIONS {
                frames.push((
                    "an echo behind a header",
                    Data,
                    extended(&[kind], 58, &echo),
                ));
                frames.push(("UDP behind a header", Data, extended(&[kind], 17, &echo)));
            }
            frames
        }
    }
}

#[test]
fn an_alias_speaks_for_itself() {
    let mut bench = Bench::new(Mode::Native);
    for family in FAMILIES {
        for (port, number, inner) in SENDERS {
            let at = slot(family, port);
            for (what, kind, built) in own_frames(family, number, &bench.to_b()) {
                let what = format!("{family:?} alias {number}, {what}");
                let fate = Sent(slot(family, number), kind);
                check(&mut bench, &what, at, &built, inner, fate);
            }
            // A super-frame counts as the packets it will become.
            let [built, ..] = [own_frames(family, number, &bench.to_b()).swap_remove(0).2];
            let context = Context::Tc(SkBuff {
                ifindex: bench.port(at),
                gso_segs: 7,
                gso_size: 1,
                ..SkBuff::default()
            });
            let fate = Sent(slot(family, number), Data);
            check_in(
                &mut bench,
                "a super-frame",
                at,
                &built,
                context,
                inner,
                fate,
            );
            // A stack that has no address yet reports its groups from `::`.
            let groups = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
            let hop_by_hop = [58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 0];
            let report = bench
                .to_b()
                .ipv6(Ipv6Addr::UNSPECIFIED, groups)
                .payload(0, &hop_by_hop);
            let fate = Sent(at, Neighbor);
            check(&mut bench, "a listener report", at, &report, inner, fate);
        }
    }
}
