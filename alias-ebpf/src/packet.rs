//! A frame in memory and the only access to its bytes.
//!
//! [`Packet::window`] holds the datapath's one comparison against the end of the
//! packet. No other module does pointer arithmetic.
//!
//! Fields are in a frame at any alignment. The kernel allows misaligned loads from a packet
//! and nowhere else; a compiler that was told that loads may be misaligned would also emit
//! them for the stack, where the verifier refuses them. So the compiler is not told, and
//! [`u16_of`], [`u32_of`] and [`u64_of`] state the one load as an instruction.

use core::marker::PhantomData;

/// A frame, from its first byte up to where directly readable memory ends.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    start: usize,
    end: usize,
    bytes: PhantomData<&'a [u8]>,
}

/// The frame ends before what its headers announce.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Truncated;

impl<'a> Packet<'a> {
    /// A frame held in a slice.
    #[must_use]
    pub fn of(frame: &'a [u8]) -> Packet<'a> {
        let start = frame.as_ptr() as usize;
        Packet {
            start,
            end: start + frame.len(),
            bytes: PhantomData,
        }
    }

    /// A frame between two addresses.
    ///
    /// # Safety
    ///
    /// `start..end` is readable for `'a` and not written meanwhile. In a
    /// program they are `data` and `data_end` of its context, and `'a` ends with
    /// the next call that moves or rewrites the packet.
    #[inline(always)]
    #[must_use]
    pub const unsafe fn between(start: usize, end: usize) -> Packet<'a> {
        Packet {
            start,
            end,
            bytes: PhantomData,
        }
    }

    /// `N` bytes at `offset`, if they are all there.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when the packet ends first.
    #[inline(always)]
    pub fn window<const N: usize>(&self, offset: usize) -> Result<&'a [u8; N], Truncated> {
        let at = self.start + offset;
        if at + N > self.end {
            return Err(Truncated);
        }
        // SAFETY: `at..at + N` lies within `start..end`, which is readable for
        // 'a by construction; a byte array has alignment 1.
        Ok(unsafe { &*(at as *const [u8; N]) })
    }

    /// Number of directly readable bytes. A frame of several fragments, or a
    /// paged skb, is longer.
    #[inline(always)]
    #[must_use]
    pub const fn linear_len(&self) -> usize {
        self.end - self.start
    }
}

macro_rules! load {
    ($(#[$doc:meta])* $name:ident, $integer:ty, $bytes:literal, $instruction:literal) => {
        $(#[$doc])*
        #[inline(always)]
        #[must_use]
        pub fn $name(bytes: &[u8; $bytes]) -> $integer {
            #[cfg(not(target_arch = "bpf"))]
            return <$integer>::from_ne_bytes(*bytes);
            #[cfg(target_arch = "bpf")]
            {
                let loaded: u64;
                // SAFETY: reads the referenced bytes and nothing else. They are a
                // packet's (see above), or aligned.
                unsafe {
                    core::arch::asm!(
                        $instruction,
                        loaded = out(reg) loaded,
                        at = in(reg) bytes.as_ptr(),
                        options(pure, readonly, nostack),
                    );
                }
                loaded as $integer
            }
        }
    };
}

load!(
    /// Two bytes of a frame, read in this machine's order: one load.
    u16_of, u16, 2, "{loaded} = *(u16 *)({at} + 0)"
);
load!(
    /// Four bytes.
    u32_of, u32, 4, "{loaded} = *(u32 *)({at} + 0)"
);
load!(
    /// Eight bytes.
    u64_of, u64, 8, "{loaded} = *(u64 *)({at} + 0)"
);

/// A MAC address as a number, so that comparing two is one instruction: its bytes as on
/// the wire, in the lower 48 bits of a number in this machine's order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mac(u64);

impl Mac {
    /// From the bytes in a frame.
    #[inline(always)]
    #[must_use]
    pub fn of(bytes: &[u8; 6]) -> Mac {
        let (head, tail) = (part::<0, 4, _>(bytes), part::<4, 2, _>(bytes));
        Mac(u64::from(u32_of(head)) | u64::from(u16_of(tail)) << 32)
    }

    /// The one that eight bytes begin with: one load, where six bytes are two.
    #[inline(always)]
    #[must_use]
    pub fn beginning(bytes: &[u8; 8]) -> Mac {
        Mac(match cfg!(target_endian = "little") {
            true => u64_of(bytes) & (u64::MAX >> 16),
            false => {
                u64::from(u32_of(part::<0, 4, _>(bytes)))
                    | u64::from(u16_of(part::<4, 2, _>(bytes))) << 32
            }
        })
    }

    /// From such a number, as the controller stores it
    /// ([`Front::station`](alias_common::layout::Front::station)).
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u64) -> Mac {
        Mac(number)
    }

    /// Whether it is a group's (IEEE 802, 8.2.2: the first bit on the wire).
    #[inline(always)]
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0.to_le() & 1 != 0
    }
}

/// `M` bytes at `OFFSET` of a window; that they are inside is checked when the
/// datapath is compiled, not for each packet.
#[inline(always)]
#[must_use]
pub const fn part<const OFFSET: usize, const M: usize, const N: usize>(
    window: &[u8; N],
) -> &[u8; M] {
    const { assert!(OFFSET + M <= N) };
    // SAFETY: asserted above; a byte array has alignment 1.
    unsafe { &*window.as_ptr().add(OFFSET).cast() }
}
