//! Aliases of which nothing is missing, and about which their stacks keep silent.

use alias_common::record::Record;

use crate::error::Result;
use crate::lifecycle::asked;
use crate::model::finding::Findings;
use crate::model::name::alias_name;
use crate::netlink::{Link, namespace};
use crate::wiring::asked::silent;
use crate::wiring::host::Host;

pub(super) fn examine<'a>(
    host: &mut Host,
    link: &Link,
    aliases: impl Iterator<Item = &'a (u32, Record)>,
    findings: &mut Findings,
) -> Result<()> {
    let names = namespace::names();
    let silent = silent(host, link, aliases)?;
    findings.problems_of(silent.iter().map(|silent| {
        let name = alias_name(&link.name, silent.slot);
        (name, asked::what(silent), asked::hint(&names, silent))
    }));
    Ok(())
}
