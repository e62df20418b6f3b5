//! A pinned hash map with keys and values of the ABI.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use alias_common::Plain;

use super::sys;

const BPF_MAP_LOOKUP_ELEM: u32 = 1;
const BPF_MAP_UPDATE_ELEM: u32 = 2;
const BPF_MAP_DELETE_ELEM: u32 = 3;
const BPF_MAP_GET_NEXT_KEY: u32 = 4;

/// A hash map whose shape was checked when it was opened.
pub(super) struct Hash<K, V> {
    map: OwnedFd,
    element: PhantomData<(K, V)>,
}

impl<K: Plain + Default, V: Plain + Default> Hash<K, V> {
    /// `enum bpf_map_type` of `linux/bpf.h`.
    const KIND: u32 = 1;

    /// Takes a map, if it is one with such keys and values.
    ///
    /// # Errors
    ///
    /// EINVAL when it is another.
    pub(super) fn new(map: OwnedFd) -> io::Result<Hash<K, V>> {
        let info = sys::map_info(map.as_fd())?;
        let expected = (Self::KIND, size_of::<K>() as u32, size_of::<V>() as u32);
        if (info.kind, info.key_size, info.value_size) != expected {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(Hash {
            map,
            element: PhantomData,
        })
    }

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// That of `BPF_MAP_LOOKUP_ELEM`, but for ENOENT.
    pub(super) fn get(&self, key: &K) -> io::Result<Option<V>> {
        let mut value = V::default();
        let found = self.run(BPF_MAP_LOOKUP_ELEM, Some(key), (&raw mut value) as u64)?;
        Ok(found.then_some(value))
    }

    /// Sets the value of a key, in one step for the programs that read it.
    ///
    /// # Errors
    ///
    /// That of `BPF_MAP_UPDATE_ELEM`.
    pub(super) fn put(&self, key: &K, value: &V) -> io::Result<()> {
        let value = std::ptr::from_ref(value) as u64;
        self.run(BPF_MAP_UPDATE_ELEM, Some(key), value).map(drop)
    }

    /// Removes a key; one that is not there is as good.
    ///
    /// # Errors
    ///
    /// That of `BPF_MAP_DELETE_ELEM`, but for ENOENT.
    pub(super) fn remove(&self, key: &K) -> io::Result<()> {
        self.run(BPF_MAP_DELETE_ELEM, Some(key), 0).map(drop)
    }

    /// The key after this one; after none, the first.
    ///
    /// # Errors
    ///
    /// That of `BPF_MAP_GET_NEXT_KEY`, but for ENOENT.
    pub(super) fn next(&self, key: Option<&K>) -> io::Result<Option<K>> {
        let mut next = K::default();
        let found = self.run(BPF_MAP_GET_NEXT_KEY, key, (&raw mut next) as u64)?;
        Ok(found.then_some(next))
    }

    /// All keys, as long as nobody else changes the map.
    ///
    /// # Errors
    ///
    /// As for [`Self::next`].
    pub(super) fn keys(&self) -> io::Result<Vec<K>> {
        let mut keys = Vec::new();
        while let Some(next) = self.next(keys.last())? {
            keys.push(next);
        }
        Ok(keys)
    }

    /// One command; `false`: there is no such element. `value` is the address of a
    /// live value, or of a key for the next one, or 0 where the command has none.
    fn run(&self, command: u32, key: Option<&K>, value: u64) -> io::Result<bool> {
        // Sizes were compared in `new`, and the kernel copies no more than these.
        let mut attribute = sys::ElementAttribute {
            map_fd: self.map.as_raw_fd() as u32,
            padding: 0,
            key: key.map_or(0, |key| std::ptr::from_ref(key) as u64),
            value,
            flags: 0,
        };
        match sys::bpf(command, &mut attribute) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
