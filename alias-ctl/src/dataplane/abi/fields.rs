//! Fields of a value of another version, by their offsets in bytes.

/// The bytes of a value of so many words. Numbers are in this machine's order, as in the maps.
#[derive(Clone, Copy)]
pub(super) struct Fields<const N: usize>([[u8; 8]; N]);

impl<const N: usize> Fields<N> {
    pub(super) fn of(words: [u64; N]) -> Fields<N> {
        Fields(words.map(u64::to_ne_bytes))
    }

    /// So many bytes.
    ///
    /// # Panics
    ///
    /// Past the end: an offset is a constant of the reader.
    #[inline]
    pub(super) fn bytes<const M: usize>(&self, at: usize) -> [u8; M] {
        let mut bytes = [0; M];
        bytes.copy_from_slice(&self.0.as_flattened()[at..at + M]);
        bytes
    }

    #[inline]
    pub(super) fn u8(&self, at: usize) -> u8 {
        self.bytes::<1>(at)[0]
    }

    #[inline]
    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_ne_bytes(self.bytes(at))
    }

    #[inline]
    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.bytes(at))
    }

    #[inline]
    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.bytes(at))
    }
}
