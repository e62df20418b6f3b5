//! Whether the devices of aliases hear what they are to hear of what is said to everybody.

use alias_common::hearer::MAX_COPIES;

use crate::dataplane::Parent;
use crate::error::Result;
use crate::model::finding::Findings;
use crate::netlink::Link;
use crate::wiring::hearing;

pub(super) fn examine(link: &Link, parent: &Parent, findings: &mut Findings) -> Result<()> {
    if hearing::is_deaf(link, parent) {
        findings.problem(
            &link.name,
            "a device of its aliases is to hear multicast, and its all-multicast mode was ended: \
             the NIC drops what nobody of the host has joined",
            format!(
                "ip link set dev {} allmulticast on; the next command that changes something does it",
                link.name
            ),
        );
    }
    let unheard = parent.totals()?.unheard;
    if unheard > 0 {
        findings.note(
            &link.name,
            format!(
                "{unheard} copies of frames for everybody were not made: more than {MAX_COPIES} \
                 devices hear one, or a device was down"
            ),
            "the next frame begins with those that were left out; alias-ctl stats --parent counts",
        );
    }
    Ok(())
}
