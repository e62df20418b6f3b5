//! A frame in memory and the only way to look at it.
//!
//! [`Packet::window`] holds the datapath's one comparison against the end of the
//! packet. No other module does pointer arithmetic.

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
    /// `start..end` is readable for `'a` and nobody writes it meanwhile. In a
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

/// `M` bytes at `OFFSET` of a window; that they are inside is checked when the
/// datapath is compiled, not when a packet comes.
#[inline(always)]
#[must_use]
pub const fn part<const OFFSET: usize, const M: usize, const N: usize>(
    window: &[u8; N],
) -> &[u8; M] {
    const { assert!(OFFSET + M <= N) };
    // SAFETY: asserted above; a byte array has alignment 1.
    unsafe { &*window.as_ptr().add(OFFSET).cast() }
}
