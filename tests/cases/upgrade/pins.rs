//! What this version pins is what the fixture of its ABI says, byte for byte but for what
//! differs from one machine to another. A change of layout or of meaning that leaves
//! `ABI_VERSION` as it was fails here; the reader's own test reads the same fixture.

use std::{fmt::Write as _, fs, path::Path};

use alias_common::{ABI_VERSION, layout::Layout, record::State};
use alias_tests::{Lab, Mode, RawSocket, bpf, map};

use super::directory;
use crate::golden_maps::Mapped;
use crate::growth::traffic::container;
use crate::scene::{Family, from_b_to_a, ip};

/// What of each value differs from one machine to another: kind, and ranges of its bytes.
/// Numbers of devices and namespaces, MACs, what is drawn at random and what that decides.
const DIFFERS: [(&str, &[std::ops::Range<usize>]); 5] = [
    ("header", &[4..8, 20..48, 56..62, 64..76, 128..140]),
    (
        "record",
        &[28..32, 36..40, 48..52, 56..64, 88..94, 100..112],
    ),
    ("target", &[0..4, 8..14]),
    // A number of a namespace, in two halves.
    ("port", &[16..20, 20..24]),
    ("entry", &[1..8, 8..12]),
];

/// The pins, a line for each value: what it is, and its bytes.
#[track_caller]
fn dump(pins: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let words = |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|w| w.to_ne_bytes()).collect() };
    let header: Mapped<[u64; 19]> = Mapped::open(&pins.join("header"));
    all.push(("header".to_owned(), words(&header.read(0))));
    let records: Mapped<[u64; 16]> = Mapped::open(&pins.join("record"));
    let capacity = records.len() - 1;
    let layout = Layout::for_capacity(capacity);
    let table: Mapped<u64> = Mapped::open_rows(&pins.join("table"), layout.table_len());
    let rows: Mapped<u64> = Mapped::open_rows(&pins.join("counters"), layout.row_len());
    let per_row = (layout.row_len() / 8) as u32;
    let sum = |at: usize, len: usize| -> Vec<u64> {
        let cell = |index: usize| {
            let at = (at / 8 + index) as u32;
            let values = (0..rows.len() / per_row).map(|row| rows.read(row * per_row + at));
            values.fold(0u64, u64::wrapping_add)
        };
        (0..len).map(cell).collect()
    };
    let ports = bpf::open_pinned(&pins.join("port")).expect("it is pinned");
    let in_use = (0..capacity).filter(|id| records.read(*id)[0] as u32 != State::Free as u32);
    for id in in_use {
        let record = records.read(id);
        all.push((format!("record {id}"), words(&record)));
        let at = (record[3] >> 32) as u32;
        let word = table.read((Layout::WORDS / 8) as u32 + at);
        let steer = table.read((layout.steers() / 8) as u32 + at);
        all.push((format!("entry {id}"), words(&[word, steer])));
        let rx = sum(Layout::RX + at as usize * 16, 2);
        all.push((format!("rx {id}"), words(&rx)));
        let alias = sum(layout.aliases() + id as usize * 64, 8);
        all.push((format!("alias {id}"), words(&alias)));
        let (target, port) = (record[0] >> 56, record[6] as u32);
        if target == 1 || target == 3 {
            let mut value = [0; 24];
            map::lookup(&ports, &port.to_ne_bytes(), &mut value).expect("it is there");
            all.push((format!("port {id}"), value.to_vec()));
        }
        if target == 3 {
            let key = (record[6] >> 32) as usize;
            let begin = (layout.targets() / 8 + key * 8) as u32;
            let target: Vec<u64> = (begin..begin + 8).map(|at| table.read(at)).collect();
            all.push((format!("target {key}"), words(&target)));
        }
    }
    all.push(("redo".to_owned(), words(&records.read(capacity))));
    let log: Mapped<u64> = Mapped::open(&pins.join("order"));
    let end = 1 + 2 * log.read(0) as u32;
    let entries: Vec<u64> = (0..end).map(|at| log.read(at)).collect();
    all.push(("log".to_owned(), words(&entries)));
    let mut parent = sum(0, 16);
    // Of a CPU, not of all.
    parent[10] = 0;
    all.push(("parent".to_owned(), words(&parent)));
    all
}

fn text(dump: &[(String, Vec<u8>)]) -> String {
    let mut text = String::new();
    for (name, bytes) in dump {
        let _ = write!(text, "{name}:");
        for byte in bytes {
            let _ = write!(text, " {byte:02x}");
        }
        text.push('\n');
    }
    text
}

fn parse(text: &str) -> Vec<(String, Vec<u8>)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, bytes) = line.split_once(':').expect("a line of the fixture");
            let bytes = bytes.split_whitespace();
            let byte = |byte| u8::from_str_radix(byte, 16).expect("a byte");
            (name.to_owned(), bytes.map(byte).collect())
        })
        .collect()
}

/// Without what differs from one machine to another.
fn fixed(dump: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mask = |(name, mut bytes): (String, Vec<u8>)| {
        for (kind, ranges) in DIFFERS {
            if name.split(' ').next() == Some(kind) {
                for range in ranges {
                    bytes[range.clone()].fill(0);
                }
            }
        }
        (name, bytes)
    };
    dump.into_iter().map(mask).collect()
}

#[test]
fn they_are_those_of_the_fixture() {
    let lab = Lab::builder().mode(Mode::Native).silent().build();
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.18.0.1", "--drop"]);
    lab.ctl_ok(&["add", "eth0:1", "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:2", "203.0.113.9/24", "--to", "v0"]);
    let local = ["add", "eth0:3", "198.51.100.30/24", "--local"];
    let tcp = ["--tcp-nodelay", "1", "--tcp-sendspace", "70000"];
    lab.ctl_ok(&[&local[..], &tcp].concat());
    lab.ctl_ok(&["add", "eth0:4", "2001:db8:7::1", "--vlan", "7", "--drop"]);
    lab.ctl_ok(&["disable", "eth0:4"]);
    lab.ctl_ok(&["add", "eth0:5", "198.18.8.0/21", "--prefix", "--drop"]);
    lab.ctl_ok(&["add", "eth0:4000000", "198.51.100.9/24", "--join", "eth0:1"]);
    // Nobody there answers, so that what is counted is what is sent here.
    far.ip("addr flush dev v1");
    let at_b = RawSocket::open(&lab.b, "eth0");
    for (address, count) in [
        ("198.18.0.1", 3),
        ("198.51.100.8", 2),
        ("203.0.113.9", 4),
        ("198.18.9.9", 5),
    ] {
        let built = from_b_to_a(&lab).ip(Family::V4.b_ip(), ip(address));
        for _ in 0..count {
            at_b.send(&built.clone().udp(5, 9, b"counted").padded().build());
        }
    }
    for (alias, count) in [("eth0:0", 3), ("eth0:1", 2), ("eth0:2", 4), ("eth0:5", 5)] {
        lab.wait_for_counter(alias, "rx_packets", count);
    }
    let is = dump(&directory(&lab));
    let fixture = format!(
        "{}/../alias-ctl/src/dataplane/abi/v{ABI_VERSION}.pins",
        env!("CARGO_MANIFEST_DIR")
    );
    let expected = fs::read_to_string(&fixture).unwrap_or_default();
    let (mine, theirs) = (fixed(is.clone()), fixed(parse(&expected)));
    let differ: Vec<_> = mine.iter().filter(|line| !theirs.contains(line)).collect();
    assert!(
        mine == theirs,
        "not what {fixture} says. {differ:?}\nThe pins are\n{}",
        text(&is)
    );
}
