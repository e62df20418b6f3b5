//! What the kernel hands to an iterator over a map's elements, and how that prints.

use core::ffi::c_void;

use alias_common::listing::Line;
use aya_ebpf::bindings::seq_file;
use aya_ebpf::helpers::generated::{bpf_loop, bpf_seq_write};

/// `struct bpf_iter__bpf_map_elem` of `linux/bpf.h`'s BTF: four pointers.
#[repr(C)]
pub struct Element {
    meta: *const Meta,
    map: *const c_void,
    key: *const u32,
    value: *const c_void,
}

/// `struct bpf_iter_meta`.
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
    session: u64,
}

impl Element {
    /// The element's key; `None` after the last one.
    #[inline(always)]
    pub fn key(&self) -> Option<u32> {
        // SAFETY: null or the key, which the kernel keeps for the call.
        unsafe { self.key.as_ref() }.copied()
    }

    /// The element's value; `None` after the last one.
    ///
    /// # Safety
    ///
    /// `T` is what the map's values are.
    #[inline(always)]
    pub unsafe fn value<T>(&self) -> Option<&T> {
        // SAFETY: null or the value, which the kernel keeps for the call.
        unsafe { self.value.cast::<T>().as_ref() }
    }

    /// The kernel's number of this reading.
    #[inline(always)]
    pub fn session(&self) -> u64 {
        // SAFETY: the kernel's pointer, never null.
        unsafe { (*self.meta).session }
    }

    /// Where it prints to.
    #[inline(always)]
    pub fn output(&self) -> *mut seq_file {
        // SAFETY: as for `session`.
        unsafe { (*self.meta).seq }
    }
}

/// What an iterator returns: the step is done.
pub const DONE: i32 = 0;
/// The reading ends in EAGAIN.
pub const FAILED: i32 = 1;

/// What a callback of [`each`] returns.
pub const GO_ON: i64 = 0;
/// See [`GO_ON`].
pub const STOP: i64 = 1;

/// Calls `callback` with 0, 1, … and `context`, at most `count` times (at most
/// 2^23, `BPF_MAX_LOOPS`).
#[inline(always)]
pub fn each<C>(count: u32, callback: extern "C" fn(u64, &mut C) -> i64, context: &mut C) {
    // SAFETY: a function of this object with the signature that the kernel calls,
    // and a context on the stack of the caller, who waits.
    unsafe {
        bpf_loop(
            count,
            callback as *mut c_void,
            (&raw mut *context).cast(),
            0,
        );
    }
}

/// Prints. `false`: the kernel's buffer is full, and it will call for the whole step
/// again.
#[inline(always)]
pub fn print(output: *mut seq_file, text: &[u8]) -> bool {
    // SAFETY: the kernel's own pointer, and bytes that live.
    (unsafe { bpf_seq_write(output, text.as_ptr().cast(), text.len() as u32) }) == 0
}

/// Prints a line.
#[inline(always)]
pub fn print_line(output: *mut seq_file, line: &Line) -> bool {
    let len = line.len() & 0x3f;
    let len = if len == 0 { 64 } else { len };
    // SAFETY: as for `print`; at most the line's memory.
    (unsafe { bpf_seq_write(output, line.bytes().as_ptr().cast(), len) }) == 0
}
