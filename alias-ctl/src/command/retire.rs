//! Takes aliases away: on `del`, when making them failed, and when a killed
//! writer left them half made or half deleted. Every step may find its work
//! done, and does not mind.

use alias_common::record::{Record, State};

use crate::dataplane::isno::clear_idle;
use crate::dataplane::table::grace_period;
use crate::dataplane::{Parent, WriteLock};
use crate::error::Result;
use crate::netlink::Link;

use super::host::Host;
use super::{device, isno, join, local, neighbour, redirect};

/// Takes aliases away, in any state. `link` is the parent; `None` when it is
/// gone, and with it what was on it.
///
/// # Errors
///
/// The first thing the kernel refused. The records stay, and the next writer
/// tries again.
pub fn retire(
    host: &mut Host,
    link: Option<&Link>,
    parent: &Parent,
    slots: &[u32],
    lock: &WriteLock,
) -> Result<()> {
    if slots.is_empty() {
        return Ok(());
    }
    let had_options = slots
        .iter()
        .any(|slot| !parent.record(*slot).tcp.is_empty());
    unwire(host, link, parent, slots, lock)?;
    parent.release(slots, lock)?;
    if had_options {
        clear_idle(parent, lock)?;
    }
    Ok(())
}

/// Takes aliases out of use, but keeps their records and what was counted.
/// Afterwards no program run is left that could count more.
///
/// # Errors
///
/// As for [`retire`].
pub fn unwire(
    host: &mut Host,
    link: Option<&Link>,
    parent: &Parent,
    slots: &[u32],
    lock: &WriteLock,
) -> Result<()> {
    let going: Vec<(u32, Record)> = slots
        .iter()
        .map(|slot| (*slot, parent.record(*slot)))
        .collect();
    for &slot in slots {
        parent.set_state(slot, State::Retiring, lock);
        parent.unpublish(slot, lock);
    }
    isno::revoke(host, parent, &going, lock)?;
    if let Some(link) = link {
        local::unassign(host, link, parent, &going)?;
        neighbour::forget(link, parent, &going);
    }
    join::leave(host, &going)?;
    device::remove(host, parent, &going)?;
    redirect::release(host, parent, &going, lock)?;
    grace_period()
}
