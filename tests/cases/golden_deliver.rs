//! `alias_deliver` by golden tables, on its way without metadata. A test run
//! cannot give an skb metadata, so the way with it is proven by traffic.

use alias_common::names;
use alias_tests::{
    Mode,
    bpf::{Context, tc},
    frame::Frame,
};

use crate::{
    golden_bench::*,
    golden_receive::tagged,
    scene::{FAMILIES, Family},
};

/// TC_ACT_UNSPEC: on to the parent's stack.
const UNSPEC: u32 = u32::MAX;

fn frames_for(family: Family, number: u32, start: &Frame) -> Vec<(&'static str, Frame)> {
    let s = || start.clone();
    match family {
        Family::V4 => vec![
            ("UDP", s().ipv4(B_V4, v4(number)).udp(1, 2, b"x")),
            ("an ARP request", s().arp_request(B_V4, v4(number))),
            ("an ARP reply", s().arp_reply(B_V4, v4(number))),
        ],
        Family::V6 => vec![
            ("UDP", s().ipv6(B_V6, v6(number)).udp(1, 2, b"x")),
            ("a solicitation", s().solicitation(B_V6, v6(number))),
            (
                "an advertisement",
                s().advertisement(B_V6, v6(number), B_V6, 0x60),
            ),
        ],
    }
}

/// The verdict, the frame without its tags, and no counter at all: `alias_rx`
/// has counted. A test run does not deliver what it was told to, but frees the
/// skb, which is not the drop that `alias_undelivered` counts.
#[track_caller]
fn check(bench: &mut Bench, what: &str, bytes: &[u8], verdict: u32, tags_off: u8) {
    let context = Context::tc(bench.ifindex("eth0"));
    let (run, risen) = bench.run(names::ALIAS_DELIVER, bytes, context);
    assert_eq!(run.retval, verdict, "{what}: verdict");
    assert_eq!(risen, Counters::new(), "{what}: counters");
    let out = [&bytes[..12], &bytes[12 + usize::from(tags_off) * 4..]].concat();
    assert_eq!(run.data_out, out, "{what}: the frame after it");
}

/// All frames of all aliases, with each way of tagging.
#[track_caller]
fn check_all(bench: &mut Bench, looks_up: bool) {
    for family in FAMILIES {
        for number in DEVICE..=TWIN {
            let has_device = matches!(
                number,
                DEVICE | DEVICE_ELSEWHERE | JOIN | TAGGED | TWICE_TAGGED | TAGGED_JOIN | TWIN
            );
            let same_host = !matches!(number, DEVICE_ELSEWHERE | TWICE_TAGGED);
            for (tagging, tags, start) in tagged(&bench.to_a(), number) {
                for (what, built) in frames_for(family, number, &start) {
                    let answer = matches!(what, "an ARP reply" | "an advertisement");
                    // An answer is the parent's too, where both share a routing table.
                    let shared = answer && same_host && tags == 0;
                    let what = format!("{family:?} alias {number}, {tagging}, {what}");
                    let (verdict, tags_off) = match (looks_up && has_device, shared) {
                        (true, false) => (tc::REDIRECT, tags),
                        _ => (UNSPEC, 0),
                    };
                    check(bench, &what, &built.build(), verdict, tags_off);
                }
            }
        }
    }
}

#[test]
fn without_an_order_nothing_is_delivered() {
    let mut bench = Bench::new(Mode::Native);
    check_all(&mut bench, false);
}

#[test]
fn on_a_driver_without_metadata_it_looks_up_by_itself() {
    let mut bench = Bench::new(Mode::Native);
    bench.refuse_metadata();
    check_all(&mut bench, true);
    let start = bench.to_a();
    for (what, built) in [
        (
            "nobody",
            start
                .clone()
                .ipv4(B_V4, [198, 51, 100, 99].into())
                .udp(1, 2, b"x"),
        ),
        (
            "other VLAN",
            start
                .clone()
                .vlan(11)
                .ipv4(B_V4, v4(TAGGED))
                .udp(1, 2, b"x"),
        ),
        (
            "untagged",
            start.clone().ipv4(B_V4, v4(TAGGED)).udp(1, 2, b"x"),
        ),
        (
            "a third tag",
            start
                .clone()
                .service_vlan(10)
                .vlan(20)
                .vlan(30)
                .ipv4(B_V4, v4(TWICE_TAGGED))
                .udp(1, 2, b"x"),
        ),
        (
            "a solicitation of 8 bytes",
            start
                .clone()
                .ipv6(B_V6, v6(DEVICE))
                .payload(58, &[135, 0, 0, 0, 0, 0, 0, 0]),
        ),
        ("LLDP", start.raw(0x88cc, &[0; 46])),
    ] {
        check(&mut bench, what, &built.build(), UNSPEC, 0);
    }
}
