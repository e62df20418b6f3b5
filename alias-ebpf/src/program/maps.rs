//! The maps and constants of one parent. The loader creates the maps, in the sizes
//! that the parent needs; arrays are mmapable, so that the controller reads and
//! writes them in place.
//!
//! Every packet needs two of them: `table`, one value, and `counters`, one value for each
//! CPU. `alias_common::layout` describes what is in them.

use alias_common::counters::Handed;
use alias_common::header::Header;
use alias_common::key::HashKey;
use alias_common::record::Port;
use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, DevMap, HashMap, PerCpuArray};

/// `BPF_F_MMAPABLE` of `linux/bpf.h`.
const MMAPABLE: u32 = 1 << 10;

#[map(name = "header")]
pub static HEADER: Array<Header> = Array::with_max_entries(1, MMAPABLE);
#[map(name = "table")]
pub static TABLE: Array<u64> = Array::with_max_entries(1, MMAPABLE);
#[map(name = "counters")]
pub static COUNTERS: Array<u64> = Array::with_max_entries(1, MMAPABLE);
#[map(name = "devmap")]
pub static DEVMAP: DevMap = DevMap::with_max_entries(1, 0);
#[map(name = "port")]
pub static PORT: HashMap<u32, Port> = HashMap::with_max_entries(1, 0);
#[map(name = "hearers")]
pub static HEARERS: Array<u64> = Array::with_max_entries(1, MMAPABLE);

#[map(name = "handed")]
pub static HANDED: PerCpuArray<Handed> = PerCpuArray::with_max_entries(1, 0);

#[unsafe(no_mangle)]
pub static INTERFACE_ID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static SECRET: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub static HASH_KEY: Global<HashKey> = Global::new(HashKey {
    whiten: 0,
    multiply: [0; 2],
});
#[unsafe(no_mangle)]
pub static HOME_SHIFT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static POSITIONS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static CAPACITY: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static DEVMAP_ID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FRAGMENTS_STAY: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static PARENT_IFINDEX: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static REDIRECT_SITE: Global<[u64; 2]> = Global::new([0; 2]);
