//! Addresses that the index wants in one place, more than it has room for there: the
//! parent gets a larger index.

use std::fs;
use std::net::Ipv4Addr;

use alias_common::header::Header;
use alias_common::key::{HashKey, Vlan};
use alias_common::names;
use alias_tests::{Lab, RawSocket, wait_for};

use super::{capacity, small};
use crate::golden_maps::Cells;
use crate::scene::{LIMIT, from_b_to_a};

/// Of the first homes, each with 64 places in a row from itself on.
const HOMES: u64 = 8;
/// One more than they have together.
const CROWD: usize = 64 + HOMES as usize;

/// Addresses that a table of 4,096 homes, the smallest, has in the first of them.
fn crowd(lab: &Lab) -> Vec<Ipv4Addr> {
    const HOME_SHIFT: u32 = 64 - 12;
    let pins = lab.pins();
    let header = pins.iter().find(|pin| pin.ends_with(names::HEADER));
    let directory = header
        .and_then(|pin| pin.parent())
        .expect("eth0 is attached");
    let mut key = HashKey::default();
    Cells::open(directory).amend_header(|header: &mut Header| key = header.hash_key);
    let all = (0..1 << 17).map(|n| Ipv4Addr::from_bits(0xc612_0000 + n));
    let first = |one: &Ipv4Addr| key.narrow(one.octets(), Vlan::NONE).bits >> HOME_SHIFT < HOMES;
    all.filter(first).take(CROWD).collect()
}

#[track_caller]
fn fits(words: &[&str], head: &str, line: impl Fn((usize, &Ipv4Addr)) -> String) {
    let lab = small("100");
    let addresses = crowd(&lab);
    assert_eq!(addresses.len(), CROWD);
    let path = lab.bpffs().with_extension("crowd");
    let lines: String = addresses.iter().enumerate().map(line).collect();
    fs::write(&path, head.to_owned() + &lines).expect("a file of our own");
    let path_text = path.to_str().expect("a path of ASCII");
    let words: Vec<&str> = words
        .iter()
        .map(|word| if *word == "FILE" { path_text } else { word })
        .collect();
    lab.ctl_ok(&words);
    fs::remove_file(&path).expect("a file of our own");
    // The smallest index with more homes, or a larger one.
    assert!(capacity(&lab) > 2048, "{}", capacity(&lab));
    assert_eq!(lab.rows().len(), CROWD);
    let at_b = RawSocket::open(&lab.b, "eth0");
    for address in &addresses {
        let built = from_b_to_a(&lab).ipv4([192, 0, 2, 1].into(), *address);
        at_b.send(&built.udp(5, 9, b"crowd").padded().build());
    }
    wait_for("each to be counted once", LIMIT, || {
        let rows = lab.ctl_json(&["stats"]);
        let mut rows = rows.as_array().expect("an array").iter();
        rows.all(|row| row["rx_packets"] == 1)
    });
}

#[test]
fn a_list_that_crowds_the_index_fits() {
    let add = ["add", "eth0", "--from", "FILE", "--drop"];
    fits(&add, "", |(_, address)| format!("{address}\n"));
}

#[test]
fn a_configuration_that_crowds_the_index_fits() {
    fits(&["apply", "FILE"], "version = 1\n", |(n, address)| {
        format!("[[alias]]\nname = \"eth0:{n}\"\naddress = \"{address}\"\ntarget = \"drop\"\n")
    });
}
