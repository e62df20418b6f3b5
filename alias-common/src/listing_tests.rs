//! Lines against what `printf` and std would print.

extern crate std;

use std::format;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::string::{String, ToString};

use super::*;
use crate::key::Family;

fn printed(format: AddressFormat, address: &[u8]) -> String {
    let mut padded = [0; 16];
    padded[..address.len()].copy_from_slice(address);
    let mut text = Text::default();
    text.clear();
    text.address(format as u8, &padded, address.len() as u8);
    String::from_utf8(text.as_bytes().to_vec()).expect("ASCII")
}

/// xorshift64: the same addresses in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn ipv4_as_std_prints_it() {
    let mut state = 0x243f_6a88_85a3_08d3;
    let special = [
        0,
        u32::MAX,
        0x0102_0304,
        0x0a00_0001,
        0xc000_0209,
        0x6464_6464,
    ];
    let some = (0..100_000).map(|_| random(&mut state) as u32);
    for bits in some.chain(special) {
        let address = Ipv4Addr::from_bits(bits);
        assert_eq!(
            printed(AddressFormat::Ipv4, &address.octets()),
            address.to_string()
        );
    }
}

#[test]
fn ipv6_as_std_prints_it() {
    let check = |address: Ipv6Addr| {
        assert_eq!(
            printed(AddressFormat::Ipv6, &address.octets()),
            address.to_string()
        );
    };
    let mut state = 0x1319_8a2e_0370_7344;
    for _ in 0..20_000 {
        check(Ipv6Addr::from_bits(
            u128::from(random(&mut state)) << 64 | u128::from(random(&mut state)),
        ));
    }
    // Every pattern of zero groups, among digits of every length.
    for zeros in 0u32..256 {
        for _ in 0..100 {
            let groups: [u16; 8] = std::array::from_fn(|at| {
                let word = random(&mut state);
                let group = (word as u16) >> (word >> 16 & 0xf);
                if zeros >> at & 1 == 1 {
                    0
                } else {
                    group.max(1)
                }
            });
            check(Ipv6Addr::from(groups));
        }
    }
    for text in [
        "::ffff:192.0.2.1",
        "::ffff:0.0.0.0",
        "::192.0.2.1",
        "::fffe:1:2",
        "::1",
        "::",
    ] {
        check(text.parse().expect("an address"));
    }
}

#[test]
fn numbers_colons_and_hex() {
    let cases: &[(AddressFormat, &[u8], &str)] = &[
        (AddressFormat::Decimal, &[0], "0"),
        (AddressFormat::Decimal, &[0, 0, 0], "0"),
        (AddressFormat::Decimal, &[0, 0x3e, 0x80], "16000"),
        (AddressFormat::Decimal, &[0x3b, 0x9a, 0xca, 0], "1000000000"),
        (
            AddressFormat::Decimal,
            &[0xff; 16],
            "340282366920938463463374607431768211455",
        ),
        (
            AddressFormat::Colons,
            &[2, 0, 0x5e, 0, 0x53, 1],
            "02:00:5e:00:53:01",
        ),
        (AddressFormat::Colons, &[0xab], "ab"),
        (AddressFormat::Hex, &[0, 0xab, 0xcd], "00abcd"),
    ];
    for (format, address, expected) in cases {
        assert_eq!(printed(*format, address), *expected);
    }
    let mut state = 0xa409_3822_299f_31d0;
    for _ in 0..20_000 {
        let shift = random(&mut state) % 128;
        let number =
            (u128::from(random(&mut state)) << 64 | u128::from(random(&mut state))) >> shift;
        assert_eq!(
            printed(AddressFormat::Decimal, &number.to_be_bytes()),
            number.to_string()
        );
    }
}

fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

fn record(address: &str) -> Record {
    let mut record = Record::default();
    if let Ok(v4) = address.parse::<Ipv4Addr>() {
        record.family = Family::IPV4.0;
        record.address[..4].copy_from_slice(&v4.octets());
        (record.format, record.address_len) = (AddressFormat::Ipv4 as u8, 4);
    } else {
        let v6: Ipv6Addr = address.parse().expect("an address");
        record.family = Family::IPV6.0;
        record.address = v6.octets();
        (record.format, record.address_len) = (AddressFormat::Ipv6 as u8, 16);
    }
    record
}

#[test]
fn a_line_of_aliases_is_64_bytes() {
    let long = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
    let cases = [
        (
            "eth0",
            0,
            "198.51.100.8",
            "eth0:0           2      198.51.100.8",
        ),
        (
            "eth0",
            16_255,
            "2001:db8::1",
            "eth0:16255       10     2001:db8::1",
        ),
        (
            "enp129s0f0np0",
            7,
            "192.0.2.1",
            "enp129s0f0np0:7  2      192.0.2.1",
        ),
        // A name may be longer than its column, as in printf.
        (
            "enp129s0f0np0",
            16_777_215,
            "192.0.2.255",
            "enp129s0f0np0:16777215 2      192.0.2.255",
        ),
        (
            "enp129s0f0np0",
            4_321,
            "2001:db8::2",
            "enp129s0f0np0:4321 10     2001:db8::2",
        ),
        // It gives way when both are too long.
        (
            "abcdefghijklmno",
            16_777_215,
            long,
            "abcdefgh:16777215 10     2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        ),
    ];
    for (parent, slot, address, expected) in cases {
        let mut line = Line::default();
        line.alias(&name(parent), slot, &record(address));
        assert_eq!(
            String::from_utf8_lossy(line.as_bytes()),
            format!("{expected:<63}\n")
        );
        assert_eq!(line.len(), 64);
    }
    assert_eq!(
        String::from_utf8_lossy(ALIASES_HEAD),
        format!("{:<63}\n", "device           family address")
    );
}

#[test]
fn a_line_of_types_is_printf_s() {
    let cases = [
        (TypeRow::BUILT_IN[0], 1, "2       ip              1      \n"),
        (TypeRow::BUILT_IN[1], 0, "10      ipv6            0      \n"),
        (
            TypeRow {
                family: 65_535,
                name: name("fifteen-letters"),
                ..TypeRow::default()
            },
            1_234_567,
            "65535   fifteen-letters 1234567\n",
        ),
        (
            TypeRow::BUILT_IN[0],
            16_777_216,
            "2       ip              16777216\n",
        ),
    ];
    for (row, attached, expected) in cases {
        let mut line = Line::default();
        line.alias_type(&row, attached);
        assert_eq!(String::from_utf8_lossy(line.as_bytes()), expected);
    }
}
