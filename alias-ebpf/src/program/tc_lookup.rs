//! The index for the tc programs: a whole lookup is one global function, which the verifier
//! walks once, by itself, and not once for each path that leads to it. The call costs about
//! two nanoseconds, which only matters in `alias_rx`.

use alias_common::key::Vlan;
use alias_common::prefix::Search;
use alias_common::table::Hit;

use super::lookup::{Copied, Table, bounded, lengths_of, search_prefix};
use super::maps::{HASH_KEY, HOME_SHIFT};

/// The enabled alias of an address, or else that of the longest prefix that contains it.
#[inline(always)]
pub fn find_any(address: Copied, vlan: Vlan) -> Option<Hit> {
    let mut search = address.search(vlan);
    look_up(&raw mut search);
    bounded(search.hit()?)
}

/// The enabled alias of an address; prefixes are not considered.
#[inline(always)]
pub fn find_exact(address: Copied, vlan: Vlan) -> Option<Hit> {
    let mut search = address.search(vlan);
    look_up_exact(&raw mut search);
    bounded(search.hit()?)
}

/// A lookup of the address itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look_up_exact(search: *mut Search) -> i32 {
    // SAFETY: null, which the verifier holds possible, or the caller's.
    match (unsafe { search.as_mut() }, Table::own()) {
        (Some(search), Some(table)) => {
            i32::from(search.exact(&table, HOME_SHIFT.load(), &HASH_KEY.load()))
        }
        _ => 0,
    }
}

/// The same, and then of the prefixes that contain it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn look_up(search: *mut Search) -> i32 {
    if look_up_exact(search) != 0 {
        return 1;
    }
    // SAFETY: as above.
    let Some(found) = (unsafe { search.as_mut() }) else {
        return 0;
    };
    let lengths = lengths_of(found.family());
    if lengths.is_empty() {
        return 0;
    }
    found.among(lengths);
    search_prefix(search)
}
