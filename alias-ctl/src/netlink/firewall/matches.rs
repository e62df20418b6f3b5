//! What rules compare devices with, and whether a device is among it: no I/O.

/// Bytes of a device's name in a register (IFNAMSIZ).
pub(super) const NAME: usize = libc::IFNAMSIZ;

/// A device, as rules may name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its index.
    pub ifindex: u32,
    /// Its group.
    pub group: u32,
}

/// A chain, and how its rules name devices.
#[derive(Debug, Eq, PartialEq)]
pub struct Chain {
    /// Family, table and chain, as `nft` prints them.
    pub name: String,
    pub(super) matches: Vec<Match>,
}

impl Chain {
    /// Whether one of its rules, or its hook, names a device.
    #[must_use]
    pub fn names(&self, device: &Named<'_>) -> bool {
        self.matches.iter().any(|one| one.is_of(device))
    }
}

/// What of a device is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    Name,
    Index,
    Group,
}

/// A comparison of it.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Match {
    pub(super) key: Key,
    pub(super) values: Values,
}

impl Match {
    fn is_of(&self, device: &Named<'_>) -> bool {
        let mut name = [0; NAME];
        for (to, from) in name.iter_mut().zip(device.name.bytes()) {
            *to = from;
        }
        match self.key {
            Key::Name => self.values.hold(&name),
            Key::Index => self.values.hold(&device.ifindex.to_ne_bytes()),
            Key::Group => self.values.hold(&device.group.to_ne_bytes()),
        }
    }
}

/// What it is compared with.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Values {
    /// All that begin so: a whole value, or the beginning of a name (`eth*`).
    Prefix(Vec<u8>),
    /// The elements of a set, in the order of their keys.
    Set(Vec<Element>),
}

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Element {
    pub(super) key: Vec<u8>,
    /// Last key of a range of concatenated values.
    pub(super) last: Option<Vec<u8>>,
    pub(super) is_end: bool,
}

impl Values {
    /// Whether `value` is among them. Of a concatenation, the first part is looked at.
    pub(super) fn hold(&self, value: &[u8]) -> bool {
        let elements = match self {
            Values::Prefix(prefix) => return value.starts_with(prefix),
            Values::Set(elements) => elements,
        };
        let part = |key: &[u8]| key[..key.len().min(value.len())].to_vec();
        let in_range = |one: &Element| {
            one.last
                .as_ref()
                .is_some_and(|last| part(&one.key)[..] <= *value && *value <= part(last)[..])
        };
        if elements.iter().any(in_range) {
            return true;
        }
        if !elements.iter().any(|one| one.is_end) {
            return elements.iter().any(|one| part(&one.key) == value);
        }
        let mut before = elements.iter().filter(|one| part(&one.key)[..] <= *value);
        before.next_back().is_some_and(|one| !one.is_end)
    }
}
