//! Names of network namespaces.

use std::collections::HashMap;

use crate::netlink::{Netns, namespace};

/// The named namespaces by their cookies.
#[must_use]
pub fn names_by_cookie() -> HashMap<u64, String> {
    let named = namespace::names().into_values();
    named
        .filter_map(|name| Some((Netns::open(&name).ok()?.cookie().ok()?, name)))
        .collect()
}
