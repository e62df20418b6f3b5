//! Alias names: `eth0:0`, as NET_ALIAS read them. An exact device name wins, so
//! the caller asks for the device first; then the name is split at its first
//! colon and what follows must be a decimal slot number.

use std::ops::RangeInclusive;

use crate::error::{Refusal, Result};

/// Which slot of a parent a user means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AliasName {
    /// The main device.
    pub parent: String,
    /// The slot; `None` when the name is the device's.
    pub slot: Option<u32>,
}

impl AliasName {
    /// Reads a name. Slot numbers may have leading zeros: `eth0:007` is slot 7.
    ///
    /// # Errors
    ///
    /// ENODEV for a suffix that is no number, as the historic systems answered;
    /// EINVAL for a number that fits no slot.
    pub fn parse(name: &str) -> Result<AliasName> {
        let Some((parent, suffix)) = name.split_once(':') else {
            return Ok(AliasName {
                parent: name.to_owned(),
                slot: None,
            });
        };
        if parent.is_empty() || suffix.is_empty() || !suffix.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::new(
                name,
                "read alias name",
                "the part after the colon is not a slot number",
                libc::ENODEV,
            )
            .hint("name an alias DEVICE:NUMBER, for example eth0:0"));
        }
        let slot = suffix.parse().map_err(|_| {
            Refusal::new(
                name,
                "read alias name",
                "the slot number is too large",
                libc::EINVAL,
            )
            .hint("slots are below 4194304")
        })?;
        Ok(AliasName {
            parent: parent.to_owned(),
            slot: Some(slot),
        })
    }
}

/// Slots in a row, as `del` takes them: `eth0:10-50`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotRange {
    /// The main device.
    pub parent: String,
    /// The slots.
    pub slots: RangeInclusive<u32>,
}

impl SlotRange {
    /// Reads one; `None` for what is a name of another kind.
    ///
    /// # Errors
    ///
    /// EINVAL for a range that runs backwards, and for a number that fits no slot.
    pub fn parse(name: &str) -> Result<Option<SlotRange>> {
        let split = name.split_once(':').and_then(|(parent, slots)| {
            let (first, last) = slots.split_once('-')?;
            let is_number =
                |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let is_range = !parent.is_empty() && is_number(first) && is_number(last);
            is_range.then_some((parent, first, last))
        });
        let Some((parent, first, last)) = split else {
            return Ok(None);
        };
        let end = |text: &str| AliasName::parse(&format!("{parent}:{text}"));
        let (Some(first), Some(last)) = (end(first)?.slot, end(last)?.slot) else {
            return Ok(None);
        };
        if first > last {
            return Err(Refusal::new(
                name,
                "read alias names",
                "the range runs backwards",
                libc::EINVAL,
            )
            .hint(format!(
                "name them DEVICE:FIRST-LAST: {parent}:{last}-{first}"
            )));
        }
        Ok(Some(SlotRange {
            parent: parent.to_owned(),
            slots: first..=last,
        }))
    }
}

/// The name of a slot.
#[must_use]
pub fn alias_name(parent: &str, slot: u32) -> String {
    format!("{parent}:{slot}")
}

/// Bytes of the longest name that a device or a label can have (IFNAMSIZ of `linux/if.h`,
/// which counts a zero byte).
pub const LONGEST: usize = 15;

/// Name of an alias device: legal (no colon, at most [`LONGEST`] bytes), and the same for
/// the same slot of the same parent.
#[must_use]
pub fn device_name(parent_ifindex: u32, slot: u32) -> String {
    numbered("al", parent_ifindex, '_', slot)
}

/// Name of its port.
#[must_use]
pub fn port_name(parent_ifindex: u32, slot: u32) -> String {
    numbered("ap", parent_ifindex, '_', slot)
}

/// A name of both numbers: in decimal where it fits, and else with an `x`, which no number
/// begins with, in base 36. So names of different numbers are different.
fn numbered(prefix: &str, parent_ifindex: u32, between: char, slot: u32) -> String {
    let decimal = format!("{prefix}{parent_ifindex}{between}{slot}");
    if decimal.len() <= LONGEST {
        return decimal;
    }
    format!(
        "{prefix}x{}{between}{}",
        base36(parent_ifindex),
        base36(slot)
    )
}

/// Six digits hold an ifindex, which is positive in 32 bits, and five a slot.
fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    while number != 0 || digits.is_empty() {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
    }
    digits.iter().rev().collect()
}

/// The parent's ifindex that a port's name says.
#[must_use]
pub fn parent_of_port(name: &str) -> Option<u32> {
    let (parent, slot) = name.strip_prefix("ap")?.split_once('_')?;
    let number = |text: &str| match parent.starts_with('x') {
        true => u32::from_str_radix(text, 36).ok(),
        false => text.parse().ok(),
    };
    number(slot)?;
    number(parent.strip_prefix('x').unwrap_or(parent))
}

#[cfg(test)]
mod tests {
    use alias_common::limits::MAX_SLOTS;

    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("eth0", Ok(("eth0", None))),
            ("eth0:0", Ok(("eth0", Some(0)))),
            ("eth0:007", Ok(("eth0", Some(7)))),
            ("eth0:16383", Ok(("eth0", Some(16_383)))),
            ("eth0:", Err(libc::ENODEV)),
            ("eth0:abc", Err(libc::ENODEV)),
            ("eth0:0,2", Err(libc::ENODEV)),
            ("eth0:0:1", Err(libc::ENODEV)),
            ("eth0:-1", Err(libc::ENODEV)),
            ("eth0:-", Err(libc::ENODEV)),
            ("eth0:0-", Err(libc::ENODEV)),
            ("eth0:0x1", Err(libc::ENODEV)),
            ("eth0:+1", Err(libc::ENODEV)),
            ("eth0: 1", Err(libc::ENODEV)),
            (":0", Err(libc::ENODEV)),
            ("eth0:4294967296", Err(libc::EINVAL)),
        ] {
            let found = AliasName::parse(name);
            match (found, expected) {
                (Ok(found), Ok((parent, slot))) => {
                    assert_eq!(
                        (found.parent.as_str(), found.slot),
                        (parent, slot),
                        "{name}"
                    );
                }
                (Err(found), Err(errno)) => assert_eq!(found.errno, errno, "{name}"),
                (found, expected) => panic!("{name}: {found:?}, expected {expected:?}"),
            }
        }
    }

    /// As long as a device's name can be, and no two alike.
    #[test]
    fn names_of_devices_fit() {
        const LARGEST: u32 = i32::MAX as u32;
        let mut all = std::collections::HashSet::new();
        for ifindex in [
            1, 2, 35, 36, 12_345, 123_456, 1_234_567, 99_999_999, LARGEST,
        ] {
            for slot in [0, 7, 35, 36, 99_999, 100_000, 4_000_000, MAX_SLOTS - 1] {
                for (name, pattern) in [
                    (device_name(ifindex, slot), "al"),
                    (port_name(ifindex, slot), "ap"),
                ] {
                    assert!(name.len() <= LONGEST, "{name}");
                    assert!(name.starts_with(pattern) && name.contains('_'), "{name}");
                    assert!(all.insert(name.clone()), "{name} twice");
                }
                let port = port_name(ifindex, slot);
                assert_eq!(parent_of_port(&port), Some(ifindex), "{port}");
            }
        }
        assert_eq!(device_name(2, 4_194_303), "al2_4194303");
        assert_eq!(device_name(1_234_567, 100_000), "alxqglj_255s");
        assert_eq!(port_name(LARGEST, MAX_SLOTS - 1), "apxzik0zj_2hwcf");
    }

    #[test]
    fn ranges_of_slots() {
        let range = |parent: &str, slots| {
            Ok(Some(SlotRange {
                parent: parent.to_owned(),
                slots,
            }))
        };
        for (name, expected) in [
            ("eth0:10-50", range("eth0", 10..=50)),
            ("eth0:7-7", range("eth0", 7..=7)),
            ("br-lan:0-3", range("br-lan", 0..=3)),
            ("eth0:10", Ok(None)),
            ("br-lan", Ok(None)),
            ("br-lan:3", Ok(None)),
            ("eth0:10-", Ok(None)),
            ("eth0:-50", Ok(None)),
            ("eth0:1-2-3", Ok(None)),
            ("eth0:50-10", Err(libc::EINVAL)),
            ("eth0:0-4294967296", Err(libc::EINVAL)),
        ] {
            let found = SlotRange::parse(name).map_err(|refusal| refusal.errno);
            assert_eq!(found, expected, "{name}");
        }
    }
}
