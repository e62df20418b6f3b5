//! Aliases of which nothing is missing, and about which their stacks keep silent.

use alias_common::record::Record;

use crate::error::Result;
use crate::lifecycle::asked;
use crate::model::finding::{Findings, Level};
use crate::model::name::alias_name;
use crate::netlink::{Link, namespace};
use crate::wiring::asked::silent;
use crate::wiring::host::Host;

/// An alias's name and what to do about it.
type Found = (String, String);

pub(super) fn examine<'a>(
    host: &mut Host,
    link: &Link,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
    findings: &mut Findings,
) -> Result<()> {
    let names = namespace::names();
    let mut kinds: Vec<(String, Vec<Found>)> = Vec::new();
    for silent in silent(host, link, aliases)? {
        let what = asked::what(&silent);
        let hint = asked::way_out(&names, &silent);
        let found = (alias_name(&link.name, silent.slot), hint);
        match kinds.iter_mut().find(|(known, _)| *known == what) {
            Some((_, of_kind)) => of_kind.push(found),
            None => kinds.push((what, vec![found])),
        }
    }
    for (what, found) in kinds {
        findings.each(Level::Problem, &found, &what);
    }
    Ok(())
}
