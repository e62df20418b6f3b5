//! What is left of parents whose pins are gone, or whose pins are elsewhere.

use crate::error::Result;
use crate::lifecycle::lost;
use crate::model::finding::Findings;
use crate::wiring::host::Host;
use crate::wiring::stray;

/// Of one device, or of all.
pub(super) fn examine(host: &mut Host, device: Option<u32>, findings: &mut Findings) -> Result<()> {
    let seen = stray::find(host)?;
    if seen.is_empty() {
        return Ok(());
    }
    // A command that was at work has ended by now, or its records tell of it.
    let again = stray::find(host)?;
    for (ifindex, strays) in again {
        let is_meant = device.is_none_or(|device| device == ifindex);
        if is_meant && seen.contains_key(&ifindex) {
            let [name, what, hint] = lost::describe(host, ifindex, &strays)?;
            findings.problem(name, what, hint);
        }
    }
    Ok(())
}
