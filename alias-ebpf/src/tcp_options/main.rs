//! TCP options for the sockets of aliases: `tcp_note` sees what applications set by
//! themselves, `tcp_apply` sets the rest. Both are attached to the root of the cgroup2
//! hierarchy, and only while an alias of the parent has options. They see sockets, never
//! packets.

#![no_std]
#![no_main]

mod apply;
mod note;
mod storage;

use alias_common::tcp_options::{Grant, LocalAddress};
use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::HashMap;

use storage::SocketStorage;

/// Sized by the loader.
#[map(name = "tcp_options")]
static TCP_OPTIONS: HashMap<LocalAddress, Grant> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Bits of the options that an application set on a socket by itself; an accepted
/// socket begins with its listener's.
#[btf_map(name = "tcp_noted")]
static NOTED: SocketStorage<u32> = SocketStorage::new();

/// Levels and options of `setsockopt`: `asm-generic/socket.h`, `linux/tcp.h`.
mod option {
    pub const SOL_SOCKET: i32 = 1;
    pub const SO_SNDBUF: i32 = 7;
    pub const SO_RCVBUF: i32 = 8;
    pub const SO_SNDBUFFORCE: i32 = 32;
    pub const SO_RCVBUFFORCE: i32 = 33;
    pub const SOL_TCP: i32 = 6;
    pub const TCP_NODELAY: i32 = 1;
    pub const TCP_MAXSEG: i32 = 2;
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
