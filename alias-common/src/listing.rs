//! The two listings of NET_ALIAS, `aliases` and `alias_types`, line by line. The
//! kernel's iterators print with this code and so does the controller, so that
//! both print the same.
//!
//! A line is built in the caller's memory. In the kernel that is a map's value, which the
//! verifier treats as unknown whenever it is read: otherwise it would walk every length
//! that a text can have.

use crate::Plain;
use crate::alias_type::{AddressFormat, TypeRow};
use crate::record::Record;

/// Bytes of every line of `aliases`, its newline among them.
pub const ALIAS_LINE: usize = 64;

/// The first line of `aliases`.
pub const ALIASES_HEAD: &[u8; ALIAS_LINE] =
    b"device           family address                                \n";

/// The first line of `alias_types`.
pub const TYPES_HEAD: &[u8; 33] = b"type    name            n_attach\n";

/// Least width of an alias's name, and of its family's number.
const NAME_WIDTH: u32 = 16;
const FAMILY_WIDTH: u32 = 6;

/// A text of at most 63 bytes; the rest is cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Text {
    bytes: [u8; ALIAS_LINE],
    len: u32,
    scratch: u32,
}

// SAFETY: 64 bytes and two u32: 72 bytes without padding (asserted below).
unsafe impl Plain for Text {}
const _: () = assert!(size_of::<Text>() == 72);

impl Default for Text {
    fn default() -> Text {
        Text {
            bytes: [0; ALIAS_LINE],
            len: 0,
            scratch: 0,
        }
    }
}

impl Text {
    /// What it holds.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len() as usize).unwrap_or(&self.bytes)
    }

    /// Its length.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> u32 {
        // SAFETY: a live field. Volatile so that the kernel reads it from the map's
        // value each time (module documentation).
        unsafe { (&raw const self.len).read_volatile() }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline(always)]
    fn set_len(&mut self, len: u32) {
        // SAFETY: as for `len`.
        unsafe { (&raw mut self.len).write_volatile(len) };
    }

    /// Empties it.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.bytes = [b' '; ALIAS_LINE];
        self.set_len(0);
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        let len = self.len();
        // The last byte is the newline's.
        if len < ALIAS_LINE as u32 - 1 {
            self.bytes[len as usize % ALIAS_LINE] = byte;
            self.set_len(len + 1);
        }
    }

    /// Continues in this column, or after the text if that is longer.
    #[inline(always)]
    fn pad_to(&mut self, column: u32) {
        if self.len() < column {
            self.set_len(column);
        }
    }

    #[inline(always)]
    fn end_line(&mut self) {
        let len = self.len();
        self.bytes[len as usize % ALIAS_LINE] = b'\n';
        self.set_len(len + 1);
    }

    /// The bytes before the first zero, at most `limit`.
    #[inline(always)]
    fn name(&mut self, name: &[u8; 16], limit: u32) {
        for (_, byte) in (0..limit).zip(name) {
            if *byte == 0 {
                break;
            }
            self.push(*byte);
        }
    }

    /// A number without leading zeros.
    #[inline(always)]
    fn decimal(&mut self, number: u32) {
        push_decimal(self, number);
    }

    /// One to four hexadecimal digits, without leading zeros.
    fn hex_group(&mut self, group: u16) {
        for shift in [12, 8, 4, 0] {
            let group = self.forget(u32::from(group) >> shift);
            if group != 0 || shift == 0 {
                self.push(digit(group as u8));
            }
        }
    }

    fn hex_byte(&mut self, byte: u8) {
        self.push(digit(byte >> 4));
        self.push(digit(byte));
    }

    /// An address of `len` bytes.
    pub fn address(&mut self, format: u8, address: &[u8; 16], len: u8) {
        match AddressFormat::from_number(format) {
            Some(AddressFormat::Ipv4) => self.ipv4(address, 0),
            Some(AddressFormat::Ipv6) => self.ipv6(address),
            Some(AddressFormat::Decimal) => self.big_decimal(address, len),
            Some(AddressFormat::Colons) => {
                for (at, byte) in (0..len).zip(address) {
                    if at != 0 {
                        self.push(b':');
                    }
                    self.hex_byte(*byte);
                }
            }
            Some(AddressFormat::Hex) | None => {
                for (_, byte) in (0..len).zip(address) {
                    self.hex_byte(*byte);
                }
            }
        }
    }

    fn ipv4(&mut self, address: &[u8; 16], from: usize) {
        for at in 0..4 {
            if at != 0 {
                self.push(b'.');
            }
            self.decimal(u32::from(address[from + at]));
        }
    }

    /// RFC 5952, section 4: the first of the longest runs of two or more zero
    /// groups becomes `::`. Section 5: an IPv4-mapped address ends dotted.
    fn ipv6(&mut self, address: &[u8; 16]) {
        let group = |at: usize| u16::from_be_bytes([address[2 * at], address[2 * at + 1]]);
        let mut zeros = 0u32;
        for at in 0..8 {
            zeros |= u32::from(group(at) == 0) << at;
        }
        let zeros = self.forget(zeros);
        let mapped = zeros & 0x1f == 0x1f && group(5) == 0xffff;
        let run = self.forget(longest_run(zeros));
        for at in 0..8 {
            // Anew for each group: what the last one told of it would count as another state.
            let run = self.forget(run);
            let (start, end) = (run & 0xf, run >> 4);
            if at == start {
                self.push(b':');
                self.push(b':');
            }
            if (mapped && at >= 6) || (at >= start && at < end) {
                continue;
            }
            if at != 0 && at != end {
                self.push(b':');
            }
            self.hex_group(group(at as usize));
        }
        if mapped {
            self.push(b':');
            self.ipv4(address, 12);
        }
    }

    /// A number of up to 128 bits, in five groups of nine digits.
    fn big_decimal(&mut self, address: &[u8; 16], len: u8) {
        const GROUP: u64 = 1_000_000_000;
        let mut groups = [0u32; 5];
        for (_, byte) in (0..len).zip(address) {
            let mut carry = u64::from(*byte);
            for group in &mut groups {
                carry += u64::from(*group) << 8;
                *group = (carry % GROUP) as u32;
                carry /= GROUP;
            }
        }
        let mut begun = false;
        for group in groups.into_iter().rev() {
            let group = self.forget(group);
            let mut power = GROUP as u32 / 10;
            while power > 0 {
                let digit = group / power % 10;
                begun |= digit != 0;
                if begun {
                    self.push(b'0' + digit as u8);
                }
                power /= 10;
            }
        }
        if !begun {
            self.push(b'0');
        }
    }

    /// The same number, but unknown to the verifier.
    #[inline(always)]
    fn forget(&mut self, number: u32) -> u32 {
        let place = &raw mut self.scratch;
        // SAFETY: a live field, borrowed exclusively.
        unsafe {
            place.write_volatile(number);
            place.read_volatile()
        }
    }
}

// Global functions in the kernel: the verifier walks each once, by itself, and not for each
// place that calls it and each way that leads there. Hence pointers that may be null, which
// it holds possible, and numbers to return, which nobody needs.

/// Appends a number without leading zeros.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle), inline(never))]
extern "C" fn push_decimal(text: *mut Text, number: u32) -> i32 {
    // SAFETY: null or the caller's.
    let Some(text) = (unsafe { text.as_mut() }) else {
        return 0;
    };
    let number = text.forget(number);
    let mut power: u32 = 1_000_000_000;
    while power > 0 {
        if number >= power || power == 1 {
            text.push(b'0' + (number / power % 10) as u8);
        }
        power /= 10;
    }
    0
}

/// Appends a record's address, and its length if it is a prefix.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle), inline(never))]
extern "C" fn push_address(text: *mut Text, record: *const Record) -> i32 {
    // SAFETY: null or the caller's.
    let (Some(text), Some(record)) = (unsafe { (text.as_mut(), record.as_ref()) }) else {
        return 0;
    };
    text.address(record.format, &record.address, record.address_len);
    if record.flags & Record::PREFIX != 0 {
        text.push(b'/');
        text.decimal(u32::from(record.prefix_len));
    }
    0
}

#[inline(always)]
const fn digit(value: u8) -> u8 {
    let value = value & 0xf;
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}

/// First and last-but-one of the first of the longest runs of two or more ones
/// among eight bits, as `first | end << 4`; 0xff when there is none.
#[inline(always)]
fn longest_run(bits: u32) -> u32 {
    for len in (2..=8).rev() {
        let run = (1u32 << len) - 1;
        for start in 0..=8 - len {
            if bits >> start & run == run {
                return start | (start + len) << 4;
            }
        }
    }
    0xff
}

/// A line of `aliases` or `alias_types`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Line {
    text: Text,
    address: Text,
}

// SAFETY: two texts.
unsafe impl Plain for Line {}
const _: () = assert!(size_of::<Line>() == 144);

impl Line {
    /// The line.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The line's memory, the rest of it padded.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(&self) -> &[u8; ALIAS_LINE] {
        &self.text.bytes
    }

    /// The line's length.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> u32 {
        self.text.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// `"%-16s %-6d "`, then the address, padded to 64 bytes. Where a long name and
    /// a long address do not fit together, the name of the parent is cut, since
    /// slot and address say more.
    pub fn alias(&mut self, parent: &[u8; 16], slot: u32, record: &Record) {
        let Line { text, address } = self;
        address.clear();
        push_address(address, record);
        text.clear();
        // After the name: a colon, the slot, two spaces, the family, a newline.
        let taken = address.len() + digits(slot) + FAMILY_WIDTH + 4;
        text.name(parent, (ALIAS_LINE as u32).saturating_sub(taken));
        text.push(b':');
        text.decimal(slot);
        text.pad_to(NAME_WIDTH);
        text.push(b' ');
        let family = text.len();
        text.decimal(u32::from(record.family));
        text.pad_to(family + FAMILY_WIDTH);
        text.push(b' ');
        for at in 0..ALIAS_LINE {
            if at as u32 >= address.len() {
                break;
            }
            text.push(address.bytes[at]);
        }
        text.pad_to(ALIAS_LINE as u32 - 1);
        text.end_line();
    }

    /// `"%-7d %-15s %-7d\n"`.
    pub fn alias_type(&mut self, row: &TypeRow, attached: u32) {
        let text = &mut self.text;
        text.clear();
        text.decimal(u32::from(row.family));
        text.pad_to(7);
        text.push(b' ');
        text.name(&row.name, 15);
        text.pad_to(23);
        text.push(b' ');
        text.decimal(attached);
        text.pad_to(31);
        text.end_line();
    }
}

#[inline(always)]
const fn digits(number: u32) -> u32 {
    let mut digits = 1;
    let mut power = 10;
    while digits < 10 && number >= power {
        digits += 1;
        power = if digits < 10 { power * 10 } else { power };
    }
    digits
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
