//! What the kernel passes to an iterator, and how it prints.
//!
//! The listing uses an iterator only to be called often enough: what it prints comes from
//! its own maps. So there are two, and the controller takes the first that the kernel
//! allows: over the elements of a map that was created for it (exactly as many as steps are
//! needed), or over the kernel's symbols (Linux 6.0), of which there are always more than a
//! hundred thousand. Some kernels allow no iterator over map elements, because it may write
//! to them.

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

/// `struct bpf_iter__ksym`.
#[repr(C)]
pub struct Symbol {
    meta: *const Meta,
    symbol: *const c_void,
}

/// `struct bpf_iter_meta`.
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
    session: u64,
    number: u64,
}

/// One call of a reading.
pub struct Call {
    /// The kernel's number of the reading.
    pub session: u64,
    /// Number of the step. The kernel repeats a step, under the same number, if its output
    /// did not fit the buffer.
    pub step: u32,
    /// Where it prints to.
    pub output: *mut seq_file,
}

impl Call {
    /// # Safety
    ///
    /// `meta` is what the kernel passed to the program.
    #[inline(always)]
    unsafe fn of(meta: *const Meta) -> Call {
        // SAFETY: the kernel's pointer, never null.
        let meta = unsafe { &*meta };
        Call {
            session: meta.session,
            step: meta.number as u32,
            output: meta.seq,
        }
    }
}

impl Element {
    /// `None` after the last element.
    #[inline(always)]
    pub fn call(&self) -> Option<Call> {
        if self.key.is_null() {
            return None;
        }
        // SAFETY: the kernel's own.
        Some(unsafe { Call::of(self.meta) })
    }
}

impl Symbol {
    /// `None` after the last symbol.
    #[inline(always)]
    pub fn call(&self) -> Option<Call> {
        if self.symbol.is_null() {
            return None;
        }
        // SAFETY: the kernel's own.
        Some(unsafe { Call::of(self.meta) })
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
    // SAFETY: a function of this object with the signature that the kernel calls, and a
    // context that outlives the call.
    unsafe {
        bpf_loop(
            count,
            callback as *mut c_void,
            (&raw mut *context).cast(),
            0,
        );
    }
}

/// Prints. `false`: the kernel's buffer is full, and it will repeat the whole step.
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
