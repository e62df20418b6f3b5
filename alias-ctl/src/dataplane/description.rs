//! What the file of an alias type says of itself. Everything in it is a stranger's
//! word: each field is checked before anything of it reaches the kernel.

use alias_common::alias_type::{AddressFormat, TypeRow};
use alias_common::type_abi::{
    Description, ENGINE, FOUND, MAGIC, PROGRAM, PROGRAM_GENERIC, SECTION, VERSION,
};
use object::{Architecture, File, Object, ObjectSection, ObjectSymbol, SymbolKind};

use crate::error::{Refusal, Result};

/// Largest object that is read. The one that is shipped has 90 KB, most of them
/// debug information.
pub const MAX_OBJECT: usize = 1 << 20;

/// Least number that is an ethertype and no length (IEEE 802.3, 3.2.6).
const MIN_ETHERTYPE: u16 = 0x0600;
/// Ethertypes that the engine reads itself: IPv4, ARP, IPv6 and VLAN tags.
const BUILT_IN: [u16; 5] = [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8];

/// Sections in which an object may declare maps.
const MAP_SECTIONS: [&str; 2] = ["maps", ".maps"];

/// Reads an object's description; `object` is what the user calls it.
///
/// # Errors
///
/// EINVAL for a file that is no alias type, or one of another version of the ABI.
pub fn describe(object: &str, bytes: &[u8]) -> Result<TypeRow> {
    let invalid = |reason: String| Refusal::new(object, "read alias type", reason, libc::EINVAL);
    let no_type = |reason: String| {
        invalid(reason).hint("an alias type is a BPF object: see docs/ALIAS-TYPES.md")
    };
    if bytes.len() > MAX_OBJECT {
        return Err(no_type(format!("it is larger than {MAX_OBJECT} bytes")));
    }
    let file =
        File::parse(bytes).map_err(|error| no_type(format!("not an ELF object: {error}")))?;
    if file.architecture() != Architecture::Bpf || !file.is_little_endian() {
        return Err(no_type("not a little-endian BPF object".into()));
    }
    let section = file
        .section_by_name(SECTION)
        .ok_or_else(|| no_type(format!("it has no section {SECTION}")))?;
    let data = section
        .data()
        .map_err(|error| no_type(format!("section {SECTION}: {error}")))?;
    let row = check(&parse(data).map_err(&no_type)?).map_err(&no_type)?;
    check_programs(&file).map_err(&no_type)?;
    check_maps(&file).map_err(&no_type)?;
    Ok(row)
}

type Checked<T> = std::result::Result<T, String>;

/// Where each field of a [`Description`] stands (asserted below).
fn parse(data: &[u8]) -> Checked<Description> {
    let Some((magic, rest)) = data.split_first_chunk::<8>() else {
        return Err(format!("section {SECTION} is too short"));
    };
    if *magic != MAGIC {
        return Err(format!("section {SECTION} is something else's"));
    }
    let version = rest.first_chunk::<4>().map(|v| u32::from_le_bytes(*v));
    if version != Some(VERSION) {
        return Err(format!(
            "it is made for version {} of the types' ABI, not {VERSION}",
            version.unwrap_or_default()
        ));
    }
    let Ok(bytes) = <[u8; size_of::<Description>()]>::try_from(data) else {
        return Err(format!("section {SECTION} has {} bytes", data.len()));
    };
    let mut name = [0; 16];
    name.copy_from_slice(&bytes[20..36]);
    Ok(Description {
        magic: *magic,
        version: VERSION,
        family: u16::from_le_bytes([bytes[12], bytes[13]]),
        ethertype: u16::from_le_bytes([bytes[14], bytes[15]]),
        address_bits: bytes[16],
        format: bytes[17],
        reserved: [bytes[18], bytes[19]],
        name,
    })
}

const _: () = assert!(std::mem::offset_of!(Description, family) == 12);
const _: () = assert!(std::mem::offset_of!(Description, address_bits) == 16);
const _: () = assert!(std::mem::offset_of!(Description, name) == 20);

fn check(described: &Description) -> Checked<TypeRow> {
    let Description {
        family,
        ethertype,
        address_bits,
        format,
        name,
        ..
    } = *described;
    let end = name.iter().position(|byte| *byte == 0);
    let word = &name[..end.unwrap_or(name.len())];
    let is_word = word.first().is_some_and(u8::is_ascii_lowercase)
        && word
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && word.len() < name.len()
        && name[word.len()..].iter().all(|byte| *byte == 0);
    if !is_word {
        return Err("its name is not 1 to 15 lower case letters, digits and dashes".into());
    }
    if family == 0 {
        return Err("its family has no number".into());
    }
    if ethertype < MIN_ETHERTYPE {
        return Err(format!("{ethertype:#06x} is no ethertype"));
    }
    let address_len = address_bits.div_ceil(8);
    let fits = AddressFormat::from_number(format).is_some_and(|format| format.fits(address_len));
    if !(1..=128).contains(&address_bits) || !fits {
        return Err(format!(
            "an address of {address_bits} bits cannot be printed in format {format}"
        ));
    }
    if described.reserved != [0; 2] {
        return Err("it says what this version does not understand".into());
    }
    Ok(TypeRow {
        family,
        ethertype,
        address_len,
        format,
        address_bits,
        reserved: 0,
        name,
    })
}

/// Both programs are there, each in the section that says how it takes fragments.
fn check_programs(file: &File<'_>) -> Checked<()> {
    for (program, section) in [(PROGRAM, "xdp.frags"), (PROGRAM_GENERIC, "xdp")] {
        let there = file.symbols().any(|symbol| {
            symbol.name() == Ok(program)
                && symbol.kind() == SymbolKind::Text
                && symbol
                    .section_index()
                    .and_then(|index| file.section_by_index(index).ok())
                    .is_some_and(|found| found.name() == Ok(section))
        });
        if !there {
            return Err(format!("it has no program {program} in section {section}"));
        }
    }
    Ok(())
}

/// A type has no maps of its own: nobody could read them, and the loader would pin
/// them wherever the file says.
fn check_maps(file: &File<'_>) -> Checked<()> {
    let foreign = file.symbols().find(|symbol| {
        let section = symbol
            .section_index()
            .and_then(|index| file.section_by_index(index).ok());
        let in_maps = section.is_some_and(|section| {
            section
                .name()
                .is_ok_and(|name| MAP_SECTIONS.contains(&name))
        });
        in_maps
            && symbol.kind() != SymbolKind::Section
            && !matches!(symbol.name(), Ok(FOUND | ENGINE))
    });
    match foreign {
        Some(symbol) => Err(format!(
            "it has a map of its own, {}",
            symbol.name().unwrap_or("without a name")
        )),
        None => Ok(()),
    }
}

/// Refuses a type beside those that are there.
///
/// # Errors
///
/// EEXIST for a family, a name or an ethertype that is taken.
pub fn refuse_taken(object: &str, row: &TypeRow, others: &[TypeRow]) -> Result<()> {
    use crate::model::typed::name;
    let taken = |what: String| {
        Refusal::new(object, "register alias type", what, libc::EEXIST)
            .hint("list what is registered: alias-ctl types")
    };
    if BUILT_IN.contains(&row.ethertype) {
        return Err(taken(format!(
            "ethertype {:#06x} is built in",
            row.ethertype
        )));
    }
    for other in others {
        let of = name(other);
        if other.family == row.family {
            return Err(taken(format!("family {} is {of}'s", row.family)));
        }
        if other.name == row.name {
            return Err(taken(format!("the name {of} is taken")));
        }
        if other.ethertype == row.ethertype {
            return Err(taken(format!("ethertype {:#06x} is {of}'s", row.ethertype)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mpls() -> Description {
        Description::new("mpls", 28, 0x8847, 20, AddressFormat::Decimal)
    }

    #[test]
    fn every_field_is_checked() {
        let mut long = mpls();
        long.name = *b"sixteen-letters-";
        let mut gap = mpls();
        gap.name[6] = b'x';
        for (what, described, good) in [
            ("mpls", mpls(), true),
            (
                "no family",
                Description {
                    family: 0,
                    ..mpls()
                },
                false,
            ),
            (
                "a length",
                Description {
                    ethertype: 0x05ff,
                    ..mpls()
                },
                false,
            ),
            (
                "no bits",
                Description {
                    address_bits: 0,
                    ..mpls()
                },
                false,
            ),
            (
                "129 bits",
                Description {
                    address_bits: 129,
                    ..mpls()
                },
                false,
            ),
            (
                "no format",
                Description {
                    format: 0,
                    ..mpls()
                },
                false,
            ),
            (
                "an unknown format",
                Description {
                    format: 6,
                    ..mpls()
                },
                false,
            ),
            (
                "20 bits as IPv4",
                Description {
                    format: 1,
                    ..mpls()
                },
                false,
            ),
            (
                "reserved",
                Description {
                    reserved: [0, 1],
                    ..mpls()
                },
                false,
            ),
            (
                "no name",
                Description {
                    name: [0; 16],
                    ..mpls()
                },
                false,
            ),
            ("no end of the name", long, false),
            ("a name behind the name", gap, false),
            (
                "upper case",
                Description::new("Mpls", 28, 0x8847, 20, AddressFormat::Hex),
                false,
            ),
            (
                "a digit first",
                Description::new("9p", 28, 0x8847, 20, AddressFormat::Hex),
                false,
            ),
            (
                "a slash",
                Description::new("a/b", 28, 0x8847, 20, AddressFormat::Hex),
                false,
            ),
        ] {
            assert_eq!(check(&described).is_ok(), good, "{what}");
        }
    }

    #[test]
    fn what_is_taken_is_refused() {
        let row = |name, family, ethertype| {
            check(&Description::new(
                name,
                family,
                ethertype,
                20,
                AddressFormat::Decimal,
            ))
            .unwrap()
        };
        let mut others = TypeRow::BUILT_IN.to_vec();
        others.push(row("mpls", 28, 0x8847));
        for (new, good) in [
            (row("other", 29, 0x8848), true),
            (row("other", 28, 0x8848), false),
            (row("mpls", 29, 0x8848), false),
            (row("other", 29, 0x8847), false),
            (row("ip", 29, 0x8848), false),
            (row("other", 2, 0x8848), false),
            (row("other", 29, 0x0800), false),
            (row("other", 29, 0x0806), false),
            (row("other", 29, 0x8100), false),
        ] {
            let found = refuse_taken("new.bpf.o", &new, &others);
            let errno = found.err().map_or(0, |refusal| refusal.errno);
            assert_eq!(errno, if good { 0 } else { libc::EEXIST }, "{new:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bytes in [&b""[..], b"\x7fELF", &[0; 64], &[0xff; 4096], b"text"] {
            let found = describe("file", bytes);
            assert_eq!(found.err().map(|refusal| refusal.errno), Some(libc::EINVAL));
        }
    }
}
