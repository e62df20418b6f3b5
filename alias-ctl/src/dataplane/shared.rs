//! A map's array, mapped into this process: the controller and the datapath
//! work on the same memory.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use alias_common::Plain;
use memmap2::{MmapOptions, MmapRaw};

/// The elements of an mmapable array map.
pub struct Shared<T> {
    memory: MmapRaw,
    len: u32,
    element: PhantomData<T>,
}

impl<T: Plain> Shared<T> {
    /// Bytes from one element to the next: the kernel rounds values up to 8.
    const STRIDE: usize = size_of::<T>().next_multiple_of(8);

    /// Maps the first `len` elements, which the caller has checked are there.
    ///
    /// # Errors
    ///
    /// That of `mmap(2)`.
    pub fn map(map: BorrowedFd<'_>, len: u32) -> io::Result<Shared<T>> {
        let bytes = (len as usize * Self::STRIDE).max(1);
        let memory = MmapOptions::new().len(bytes).map_raw(map.as_raw_fd())?;
        Ok(Shared {
            memory,
            len,
            element: PhantomData,
        })
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn at(&self, index: u32) -> *mut T {
        assert!(
            index < self.len,
            "element {index} of an array of {}",
            self.len
        );
        // SAFETY: inside the mapping by the assertion; the mapping is page
        // aligned and the stride a multiple of 8, so the element is aligned.
        unsafe {
            self.memory
                .as_mut_ptr()
                .add(index as usize * Self::STRIDE)
                .cast()
        }
    }

    /// A copy of one element.
    ///
    /// # Panics
    ///
    /// Past the end.
    #[must_use]
    pub fn read(&self, index: u32) -> T {
        // SAFETY: valid and aligned (see `at`); `Plain` allows every content, so
        // one that changes meanwhile is torn at worst, never invalid.
        unsafe { self.at(index).read_volatile() }
    }

    /// Replaces one element.
    ///
    /// # Panics
    ///
    /// Past the end.
    pub fn write(&self, index: u32, value: T) {
        // SAFETY: as for `read`; there is one writer, who holds the lock.
        unsafe { self.at(index).write_volatile(value) }
    }
}

impl Shared<u64> {
    fn atomic(&self, index: u32) -> &AtomicU64 {
        // SAFETY: valid, aligned and never unmapped while `self` lives.
        unsafe { AtomicU64::from_ptr(self.at(index)) }
    }

    /// Reads one word, and what was stored before it.
    #[must_use]
    pub fn load(&self, index: u32) -> u64 {
        self.atomic(index).load(Ordering::Acquire)
    }

    /// Publishes one word, and what was stored before it.
    pub fn store(&self, index: u32, word: u64) {
        self.atomic(index).store(word, Ordering::Release);
    }
}
