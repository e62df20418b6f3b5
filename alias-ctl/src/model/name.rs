//! Alias names: `eth0:0`, as NET_ALIAS read them. An exact device name wins, so
//! the caller asks for the device first; then the name is split at its first
//! colon and what follows must be a decimal slot number.

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

/// The name of a slot.
#[must_use]
pub fn alias_name(parent: &str, slot: u32) -> String {
    format!("{parent}:{slot}")
}

/// Name of an alias device: legal (no colon, at most 15 bytes), and the same for
/// the same slot of the same parent.
#[must_use]
pub fn device_name(parent_ifindex: u32, slot: u32) -> String {
    format!("al{parent_ifindex}_{slot}")
}

/// Name of its port.
#[must_use]
pub fn port_name(parent_ifindex: u32, slot: u32) -> String {
    format!("ap{parent_ifindex}_{slot}")
}

/// The parent's ifindex that a port's name says.
#[must_use]
pub fn parent_of_port(name: &str) -> Option<u32> {
    let (parent, slot) = name.strip_prefix("ap")?.split_once('_')?;
    slot.parse::<u32>().ok()?;
    parent.parse().ok()
}

#[cfg(test)]
mod tests {
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
}
