//! `alias_deliver` on frames that are for everybody, by a golden table: how many copies, and
//! the frame as it was.

use alias_common::names;
use alias_tests::{
    Mode,
    bpf::{Context, tc},
    frame::frame,
};

use super::{STRANGER, announcement, v4};
use crate::golden_bench::{Bench, DEVICE, DEVICE_ELSEWHERE, TAGGED, parent, v4 as own};
use crate::scene::FAMILIES;

/// TC_ACT_UNSPEC: on to the parent's stack.
const UNSPEC: u32 = u32::MAX;

/// Devices of the bench without a VLAN, on VLAN 10 and on 10.20, of both families.
const UNTAGGED: u64 = 6;
const TAGGED_DEVICES: u64 = 4;
const TWICE_TAGGED: u64 = 2;

#[test]
fn the_frame_stays_as_it_was_and_there_are_so_many_copies() {
    let mut bench = Bench::new(Mode::Native);
    // With their priorities; a priority tag, and two, are no tag.
    let taggings: [(&[(u16, u16)], u64); 8] = [
        (&[], UNTAGGED),
        (&[(0x8100, 0xe000)], UNTAGGED),
        (&[(0x8100, 0xe000), (0x8100, 0x2000)], UNTAGGED),
        (&[(0x8100, 0xa00a)], TAGGED_DEVICES),
        (&[(0x88a8, 0xa00a)], TAGGED_DEVICES),
        (&[(0x88a8, 0xa00a), (0x8100, 0x7014)], TWICE_TAGGED),
        (&[(0x8100, 0xa00a), (0x8100, 0x0014)], TWICE_TAGGED),
        (&[(0x8100, 11)], 0),
    ];
    let eth0 = bench.ifindex("eth0");
    for (tags, hearers) in taggings {
        for (what, built, copies) in [
            (
                "ARP",
                announcement(FAMILIES[0], "192.0.2.1", STRANGER),
                hearers,
            ),
            (
                "ND",
                announcement(FAMILIES[1], "2001:db8:0:1::1", STRANGER),
                hearers,
            ),
            (
                "multicast",
                frame()
                    .between(STRANGER, [1, 0, 0x5e, 0, 0, 0xfb])
                    .ipv4(v4("192.0.2.1"), v4("224.0.0.251"))
                    .udp(5353, 5353, b"x"),
                0,
            ),
        ] {
            let what = format!("{what} with {tags:x?}");
            let tagged = tags
                .iter()
                .fold(built, |frame, (tpid, tci)| frame.tag(*tpid, *tci));
            let bytes = tagged.padded().build();
            let (run, risen) = bench.run(names::ALIAS_DELIVER, &bytes, Context::tc(eth0));
            assert_eq!(run.retval, UNSPEC, "{what}: verdict");
            // A tag that was taken off and put on again is beside the frame, as the kernel has
            // every outer tag when a frame is not of a test run.
            let beside = usize::from(copies != 0 && !tags.is_empty()) * 4;
            let left = [&bytes[..12], &bytes[12 + beside..]].concat();
            assert_eq!(run.data_out, left, "{what}: the frame after it");
            // The bench's devices are down: the kernel refuses some copies.
            let [heard, unheard] = ["heard", "unheard"].map(|name| risen.get(&parent(name)));
            let made = heard.unwrap_or(&0) + unheard.unwrap_or(&0);
            assert_eq!(made, copies, "{what}: copies");
        }
    }
}

/// On a driver without metadata the frame is looked up there: an announcement in the name of
/// an alias goes to that alias, and copies to all others.
#[test]
fn without_metadata_an_announcement_goes_to_its_alias_and_to_the_others() {
    let mut bench = Bench::new(Mode::Native);
    bench.refuse_metadata();
    let eth0 = bench.ifindex("eth0");
    for (what, tags, alias, copies) in [
        ("beside", 0u8, DEVICE, UNTAGGED - 1),
        ("elsewhere", 0, DEVICE_ELSEWHERE, UNTAGGED - 1),
        ("on VLAN 10", 1, TAGGED, TAGGED_DEVICES - 1),
    ] {
        let address = own(alias).to_string();
        let mut built = announcement(FAMILIES[0], &address, STRANGER);
        for _ in 0..tags {
            built = built.vlan(10);
        }
        let bytes = built.padded().build();
        let (run, risen) = bench.run(names::ALIAS_DELIVER, &bytes, Context::tc(eth0));
        assert_eq!(run.retval, tc::REDIRECT, "{what}: verdict");
        let made: u64 = ["heard", "unheard"]
            .map(|name| risen.get(&parent(name)).unwrap_or(&0))
            .into_iter()
            .sum();
        assert_eq!(made, copies, "{what}: copies");
    }
}
