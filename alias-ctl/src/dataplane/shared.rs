//! A map's array, mapped into this process: the controller and the datapath
//! work on the same memory.

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use alias_common::Plain;
use memmap2::{MmapOptions, MmapRaw};
use rustix::mm::{self, MapFlags, ProtFlags};

use crate::error::Refusal;

/// Bytes from which an array is mapped in parts: the kernel makes the page table
/// entry of every page when an array is mapped (`remap_vmalloc_range`), and whoever
/// changes one alias of many looks at a few.
const LARGE: usize = 256 << 10;
/// Bytes of the smallest part: a multiple of every page size.
const LEAST_PART: usize = 64 << 10;
/// At most so many parts: the kernel bounds the mappings of a process.
const MOST_PARTS: usize = 1024;

/// Elements of an mmapable array map.
pub struct Shared<T> {
    memory: Arc<Memory>,
    /// Byte of the first.
    begin: usize,
    len: u32,
    element: PhantomData<T>,
}

/// Elements that stand in every row of such a map.
pub struct Rows<T> {
    memory: Arc<Memory>,
    /// Bytes from one row to the next.
    row_len: usize,
    rows: u32,
    /// Byte of the first in its row.
    begin: usize,
    len: u32,
    element: PhantomData<T>,
}

/// An mmapable array map as this process sees it.
pub enum Memory {
    Whole(MmapRaw),
    /// Each part is mapped when it is first looked at.
    Parts {
        map: OwnedFd,
        /// Its name, for an error.
        name: &'static str,
        /// The addresses of all of it. They are taken at once, so that a process that may
        /// not have so many (RLIMIT_AS) hears of it before it has changed anything.
        addresses: Addresses,
        parts: Box<[OnceLock<()>]>,
        /// Each but the last has `1 << shift` bytes.
        shift: u32,
    },
}

/// Addresses of this process that are its own until this is dropped.
pub struct Addresses {
    first: *mut c_void,
    len: usize,
}

// SAFETY: it is plain numbers; what is mapped there is accessed as `Shared` says.
unsafe impl Send for Addresses {}
// SAFETY: as above.
unsafe impl Sync for Addresses {}

impl Addresses {
    fn take(len: usize) -> io::Result<Addresses> {
        // SAFETY: a mapping at an address that the kernel chooses, of nothing.
        let first = unsafe {
            mm::mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        Ok(Addresses { first, len })
    }

    /// Maps `len` bytes of a map from `begin` on, where they belong.
    fn map(&self, map: &OwnedFd, begin: usize, len: usize) -> io::Result<()> {
        assert!(begin + len <= self.len, "{begin} and {len} of {}", self.len);
        // SAFETY: in place of a mapping of our own, within it (asserted); nobody has looked
        // there before, because it was not accessible.
        unsafe {
            mm::mmap(
                self.first.wrapping_byte_add(begin),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                map,
                begin as u64,
            )
        }?;
        Ok(())
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nobody has a reference into it any more.
        let _ = unsafe { mm::munmap(self.first, self.len) };
    }
}

impl Memory {
    /// Maps `total` bytes, which the caller has checked are there; their elements stand
    /// at multiples of `stride`. `name` is the map's.
    ///
    /// # Errors
    ///
    /// That of `mmap(2)`.
    pub fn map(
        map: BorrowedFd<'_>,
        total: usize,
        stride: usize,
        name: &'static str,
    ) -> io::Result<Memory> {
        // No element lies across two parts.
        if total < LARGE || !LEAST_PART.is_multiple_of(stride) {
            let whole = MmapOptions::new().len(total).map_raw(map.as_raw_fd())?;
            return Ok(Memory::Whole(whole));
        }
        let size = total.div_ceil(MOST_PARTS).max(LEAST_PART);
        let shift = size.next_power_of_two().trailing_zeros();
        let parts = (0..total.div_ceil(1 << shift)).map(|_| OnceLock::new());
        Ok(Memory::Parts {
            map: map.try_clone_to_owned()?,
            name,
            addresses: Addresses::take(total)?,
            parts: parts.collect(),
            shift,
        })
    }

    /// Where the byte at `offset`, which is inside, is mapped.
    fn at(&self, offset: usize) -> *mut u8 {
        match self {
            Memory::Whole(whole) => whole.as_mut_ptr().wrapping_add(offset),
            Memory::Parts {
                map,
                name,
                addresses,
                parts,
                shift,
            } => {
                let number = offset >> shift;
                let begin = number << shift;
                parts[number].get_or_init(|| {
                    let len = (addresses.len - begin).min(1 << shift);
                    // The addresses are ours: what can be missing is the kernel's memory.
                    // Nobody here can go on without the part, and what a writer leaves is
                    // put right by the next: so this ends the command.
                    if let Err(error) = addresses.map(map, begin, len) {
                        Refusal::io(*name, "map", &error).unwind();
                    }
                });
                addresses.first.cast::<u8>().wrapping_add(offset)
            }
        }
    }
}

impl<T: Plain> Shared<T> {
    /// Bytes from one element to the next: the kernel rounds values up to 8.
    const STRIDE: usize = size_of::<T>().next_multiple_of(8);

    /// Maps the first `len` elements of a map of this name, which the caller has checked
    /// are there.
    ///
    /// # Errors
    ///
    /// That of `mmap(2)`.
    pub fn map(map: BorrowedFd<'_>, len: u32, name: &'static str) -> io::Result<Shared<T>> {
        let bytes = (len as usize * Self::STRIDE).max(1);
        let memory = Memory::map(map, bytes, Self::STRIDE, name)?;
        Ok(Shared::within(&Arc::new(memory), 0, len))
    }

    /// The `len` elements that begin at byte `begin` of what is mapped.
    #[must_use]
    pub fn within(memory: &Arc<Memory>, begin: usize, len: u32) -> Shared<T> {
        Shared {
            memory: Arc::clone(memory),
            begin,
            len,
            element: PhantomData,
        }
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
        // Inside the mapping by the assertion; mappings are page aligned, `begin` and
        // the stride are multiples of 8, so the element is aligned.
        let offset = self.begin + index as usize * Self::STRIDE;
        self.memory.at(offset).cast()
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

impl<T: Plain> Rows<T> {
    /// The `len` elements that begin at byte `begin` of each row of `row_len` bytes.
    #[must_use]
    pub fn within(
        memory: &Arc<Memory>,
        (row_len, rows): (usize, u32),
        begin: usize,
        len: u32,
    ) -> Rows<T> {
        Rows {
            memory: Arc::clone(memory),
            row_len,
            rows,
            begin,
            len,
            element: PhantomData,
        }
    }

    fn at(&self, row: u32, index: u32) -> *mut T {
        let inside = row < self.rows && index < self.len;
        assert!(inside, "cell {index} of row {row}");
        // Inside the mapping, and aligned, as in `Shared::at`.
        let offset = self.begin + index as usize * Shared::<T>::STRIDE;
        self.memory.at(row as usize * self.row_len + offset).cast()
    }

    /// A copy of one element of a row.
    ///
    /// # Panics
    ///
    /// Past the end.
    #[must_use]
    pub fn read(&self, row: u32, index: u32) -> T {
        // SAFETY: as for `Shared::read`.
        unsafe { self.at(row, index).read_volatile() }
    }

    /// Replaces one element of a row.
    ///
    /// # Panics
    ///
    /// Past the end.
    pub fn write(&self, row: u32, index: u32, value: T) {
        // SAFETY: as for `Shared::write`.
        unsafe { self.at(row, index).write_volatile(value) }
    }
}
