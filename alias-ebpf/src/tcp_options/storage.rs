//! Storage that belongs to a socket and that an accepted socket inherits. aya-ebpf
//! has the map only without `BPF_F_CLONE`, and only for programs on addresses.

use core::ptr;

use aya_ebpf::bindings::bpf_map_type::BPF_MAP_TYPE_SK_STORAGE;
use aya_ebpf::bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE, bpf_sock};
use aya_ebpf::helpers::generated::bpf_sk_storage_get;

const FLAGS: usize = (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize;

/// A map definition in the form in which loaders read it from BTF: the types of
/// the fields carry the values.
#[repr(C)]
pub struct SocketStorage<T> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; FLAGS],
}

// SAFETY: the pointers are placeholders and never dereferenced.
unsafe impl<T> Sync for SocketStorage<T> {}

impl<T> SocketStorage<T> {
    pub const fn new() -> Self {
        Self {
            r#type: ptr::null(),
            key: ptr::null(),
            value: ptr::null(),
            max_entries: ptr::null(),
            map_flags: ptr::null(),
        }
    }

    /// What is stored with a socket; null when nothing is.
    ///
    /// # Safety
    ///
    /// `socket` is the one of the program's context, and not null.
    #[inline(always)]
    pub unsafe fn get(&self, socket: *mut bpf_sock) -> *mut T {
        // SAFETY: by the caller; no initial value is passed.
        unsafe { self.call(socket, 0) }
    }

    /// The same, all zero when nothing was stored before.
    ///
    /// # Safety
    ///
    /// As for [`Self::get`].
    #[inline(always)]
    pub unsafe fn get_or_create(&self, socket: *mut bpf_sock) -> *mut T {
        // SAFETY: by the caller; no initial value is passed.
        unsafe { self.call(socket, BPF_SK_STORAGE_GET_F_CREATE.into()) }
    }

    #[inline(always)]
    unsafe fn call(&self, socket: *mut bpf_sock, flags: u64) -> *mut T {
        let map = ptr::from_ref(self).cast_mut();
        // SAFETY: the map is this one, and the socket the context's.
        unsafe { bpf_sk_storage_get(map.cast(), socket.cast(), ptr::null_mut(), flags).cast() }
    }
}
