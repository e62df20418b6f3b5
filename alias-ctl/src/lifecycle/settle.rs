//! What header and engine must know of a parent's aliases that are prefixes.

use alias_common::bits::Prefixes;
use alias_common::record::{Record, State};

use crate::dataplane::engine::Place;
use crate::dataplane::registry::Registered;
use crate::dataplane::{Parent, ParentMut};
use crate::error::Result;
use crate::netlink::Link;

/// Makes header and engine what the parent's records need. Called with those that are
/// to be published still pending, and with those that were taken out free: so no search
/// misses a length that is in use, and a kill leaves at most one too many.
///
/// # Errors
///
/// What the kernel said of the full engine. Frames go on as before.
pub fn settle(link: &Link, parent: ParentMut<'_>) -> Result<()> {
    let (header, lock) = (parent.header(), parent.lock());
    let wanted = in_use(&parent);
    if wanted == header.prefixes && wanted.is_empty() {
        return Ok(());
    }
    let follow = |prefixes: Prefixes| {
        let mut header = header;
        header.prefixes = prefixes;
        let place = Place {
            path: parent.path(),
            name: &link.name,
            header: &header,
            extent: parent.extent(),
        };
        place.follow(&Registered::all(lock)?, lock)
    };
    if wanted.is_empty() {
        // The header last: while it names a length, this is done again.
        follow(wanted)?;
        parent.set_prefixes(wanted);
        return Ok(());
    }
    parent.set_prefixes(wanted);
    follow(wanted)
}

/// The lengths of all records that are an alias or about to be.
fn in_use(parent: &Parent) -> Prefixes {
    [State::Live, State::Pending]
        .into_iter()
        .flat_map(|state| parent.in_state(state))
        .filter(|(_, record)| record.flags & Record::PREFIX != 0)
        .fold(Prefixes::default(), |all, (_, record)| {
            all.and(Prefixes::of(record.family(), record.prefix_len))
        })
}
