//! `doctor`: looks at everything that aliases need and says what stands in their
//! way. It changes nothing and takes no lock.

mod aliases;
mod asked;
mod device;
mod firewall;
mod hearing;
mod lost;
mod system;

use crate::dataplane::abi;
use crate::error::Result;
use crate::lifecycle::refusals::no_such_alias;
use crate::model::finding::Findings;
use crate::model::name::alias_name;
use crate::model::request::Outcome;
use crate::netlink::Conversation;
use crate::render::finding::{FindingView, findings as table};
use crate::render::output;
use crate::wiring::host::Host;

/// `alias-ctl doctor [DEVICE | ALIAS]`.
///
/// # Errors
///
/// ENODEV when there is no such device or alias; that of asking the kernel.
pub fn doctor(device: Option<&str>, json: bool) -> Result<Outcome> {
    let mut findings = Findings::default();
    system::examine(&mut findings);
    match Host::open() {
        Ok(mut host) => examine_devices(&mut host, device, &mut findings)?,
        // Without rights or bpffs nothing more can be seen, and that is the finding.
        Err(refusal) => findings.problem(refusal.object, refusal.reason, refusal.hint),
    }
    if json {
        output::write_json(findings.all().iter().map(FindingView::from).map(Ok))?;
    } else {
        output::write(&table(findings.all()))?;
    }
    Ok(if findings.problems() == 0 {
        Outcome::Done
    } else {
        Outcome::Found
    })
}

fn examine_devices(host: &mut Host, device: Option<&str>, findings: &mut Findings) -> Result<()> {
    system::examine_state(host, findings)?;
    let mut attached = host.directory.parents()?;
    let others = abi::of_others(&host.directory)?;
    attached.extend(others.into_iter().map(|(_, ifindex)| ifindex));
    if let Some(name) = device.filter(|name| name.contains(':')) {
        return examine_alias(host, name, findings);
    }
    if let Some(name) = device {
        let link = host.link(name, "examine")?;
        lost::examine(host, Some(link.ifindex), findings)?;
        return device::examine(host, &link, findings);
    }
    lost::examine(host, None, findings)?;
    if attached.is_empty() {
        findings.note(
            "alias-ctl",
            "no device is attached in this network namespace",
            "examine one that shall be: alias-ctl doctor DEVICE",
        );
    }
    for ifindex in attached {
        match Conversation::link_by_index(&mut host.netlink, ifindex)? {
            Some(link) => device::examine(host, &link, findings)?,
            None => findings.note(
                format!("device {ifindex}"),
                "it was attached, and is gone",
                "the next command that changes something clears it away",
            ),
        }
    }
    Ok(())
}

/// One alias, and the device that it is on.
fn examine_alias(host: &mut Host, name: &str, findings: &mut Findings) -> Result<()> {
    let (link, slot) = host.alias(name, "examine")?;
    let Some(slot) = slot else {
        return device::examine(host, &link, findings);
    };
    if !host.attached(&link, "examine")?.is_live(slot) {
        return Err(no_such_alias(&link, slot, "examine"));
    }
    let name = alias_name(&link.name, slot);
    findings.leave_out_others(&name);
    let of_device = findings.all().len();
    device::examine(host, &link, findings)?;
    let found = &findings.all()[of_device..];
    if !found.iter().any(|finding| finding.object == name) {
        findings.fine(name, "nothing of its own stands in its way");
    }
    Ok(())
}
