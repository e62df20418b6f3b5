//! A parent grows when an alias needs a record that it has not: `dataplane::growth` makes
//! a second generation of its maps and programs and lets it run; here the other hooks
//! follow, and the first one goes. No packet is lost, and none counted twice. Where the
//! alias could not be made after all, the parent gets as small again, in the same way.

use alias_common::ABI_VERSION;
use alias_common::limits::MAX_ALIASES;
use alias_common::table::Geometry;

use crate::dataplane::growth::{self, Growth, Old};
use crate::dataplane::table::grace_period;
use crate::dataplane::{Parent, WriteLock, tcp_renewal};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::netlink::Link;
use crate::wiring::host::Host;
use crate::wiring::transaction::On;
use crate::wiring::{hooks, port};

/// Makes room for so many aliases more; `None`: there is room. Afterwards `on` is what
/// was before.
///
/// # Errors
///
/// ENOMEM, or what else the kernel refused; then the parent is as it was.
pub fn make_room(on: &mut On<'_>, more: u32) -> Result<Option<Parent>> {
    let parent = on.parent;
    let (was, room) = (parent.capacity(), parent.room(more));
    if more <= room {
        return Ok(None);
    }
    let end = was.saturating_add(more - room);
    // At least twice as much, so that an alias costs the same however many there are; but
    // no room for one that can not be created.
    let capacity = was.saturating_mul(2).min(parent.limit()).max(end);
    match grow_to(on, capacity) {
        Err(refusal)
            if refusal.errno == libc::ENOMEM
                && end < capacity
                && is_as_before(on.host, &parent)? =>
        {
            grow_to(on, end)
        }
        grown => grown,
    }
    .map(Some)
}

/// Makes room for so many aliases more and makes them, with a larger index each time that
/// one of them finds its neighbourhood full: with one of half its homes taken that happens
/// to one parent in some hundreds that hold a million. Returns the parent if it has grown.
///
/// # Errors
///
/// Those of `make`, and of growing; then the parent is as it was, and as large.
pub fn until_all_fit(
    on: &mut On<'_>,
    more: u32,
    make: impl FnMut(&mut On<'_>) -> Result<()>,
) -> Result<Option<Parent>> {
    let before = on.parent;
    let mut grown = make_room(on, more)?;
    match fit(on, &mut grown, make) {
        Ok(()) => Ok(grown),
        Err(refusal) => Err(match &grown {
            Some(grown) => {
                let mut is = on.with(grown)?;
                refused(&mut is, before.capacity(), refusal)
            }
            None => refusal,
        }),
    }
}

/// Gives back what a parent has grown for aliases that were refused. Returns the refusal.
fn refused(on: &mut On<'_>, capacity: u32, refusal: Refusal) -> Refusal {
    // What could not be taken back is the next writer's.
    if on.parent.header().unfinished != 0 {
        return refusal;
    }
    match shrink_to(on, capacity) {
        Ok(()) => refusal,
        Err(kept) => refusal.and_hint(&format!(
            "the device stays as large as it has grown: {kept}"
        )),
    }
}

/// Lets a parent be as small again as it was, once what it had grown for is gone.
///
/// # Errors
///
/// ENOMEM, or what else the kernel refused; then it stays as it is.
pub fn shrink_to(on: &mut On<'_>, capacity: u32) -> Result<()> {
    if on.parent.capacity() <= capacity || on.parent.in_use_end() > capacity {
        return Ok(());
    }
    grow_once(on, capacity).map(drop)
}

fn fit(
    on: &mut On<'_>,
    grown: &mut Option<Parent>,
    mut make: impl FnMut(&mut On<'_>) -> Result<()>,
) -> Result<()> {
    let before = on.parent;
    loop {
        let mut is = on.with(grown.as_ref().unwrap_or(&before))?;
        match make(&mut is) {
            // What could not be taken back must not be overwritten.
            Err(refusal)
                if refusal.errno == Parent::NO_PLACE && is.parent.header().unfinished == 0 =>
            {
                let Some(capacity) = is.parent.extent().geometry().next_capacity() else {
                    return Err(refusal.hint(
                        "nothing was changed; there is no larger index; attached anew, the device has another hash key",
                    ));
                };
                let larger = grow_to(&mut is, capacity)?;
                *grown = Some(larger);
            }
            done => return done,
        }
    }
}

/// Whether a growth that was refused has been taken back: a refusal after its programs
/// have begun to run is nothing that less memory would help.
fn is_as_before(host: &Host, before: &Parent) -> Result<bool> {
    let is = Parent::open(&host.directory, before.ifindex())?;
    Ok(Growth::find(&host.directory, before.ifindex()).is_none()
        && is.is_some_and(|is| is.capacity() == before.capacity()))
}

/// Lets a parent have room for more aliases than it has. Afterwards `on` is what was before.
///
/// # Errors
///
/// As for [`make_room`].
pub fn grow_to(on: &mut On<'_>, capacity: u32) -> Result<Parent> {
    let grown = grow_once(on, capacity);
    // In another order the same addresses may not find places in an index as large.
    let next = Geometry::for_capacity(capacity).next_capacity();
    match (&grown, next) {
        (Err(refusal), Some(next)) if refusal.errno == Parent::NO_PLACE => grow_once(on, next),
        _ => grown,
    }
}

/// Lets a parent have room for as many aliases as a user names.
///
/// # Errors
///
/// EINVAL for fewer than it has, and for what no map can hold; those of [`grow_to`].
pub fn enlarge(on: &mut On<'_>, capacity: u32) -> Result<()> {
    let link = on.link;
    check_capacity(link, capacity, "set")?;
    let is = on.parent.capacity();
    if capacity < is {
        return Err(Refusal::new(
            &link.name,
            "set",
            format!("it has room for {is} aliases, and does not shrink"),
            libc::EINVAL,
        )
        .hint(format!(
            "detach it with its aliases (--cascade), and attach it with --capacity {capacity}"
        )));
    }
    if capacity == is {
        return Ok(());
    }
    grow_to(on, capacity).map(drop)
}

/// Has a parent run programs that write so much for the journal: what they write is a constant
/// of theirs. With room for at least so many aliases, where that is asked for too.
///
/// # Errors
///
/// Those of [`enlarge`]; then the programs are those that ran before.
pub fn set_log_level(on: &mut On<'_>, level: u8, capacity: Option<u32>) -> Result<()> {
    let parent = on.parent;
    let (before, is) = (parent.header().log_level, parent.capacity());
    parent.set_log_level(level);
    let done = match capacity.filter(|capacity| *capacity != is) {
        Some(capacity) => enlarge(on, capacity),
        None => grow_to(on, is).map(drop),
    };
    if done.is_err() && is_as_before(on.host, &parent)? {
        parent.set_log_level(before);
    }
    done
}

/// Refuses what no map can hold.
///
/// # Errors
///
/// EINVAL.
pub fn check_capacity(link: &Link, capacity: u32, operation: &str) -> Result<()> {
    if capacity == 0 || capacity > MAX_ALIASES {
        return Err(Refusal::new(
            &link.name,
            operation,
            format!("capacity {capacity} is not between 1 and {MAX_ALIASES}"),
            libc::EINVAL,
        ));
    }
    Ok(())
}

fn grow_once(on: &mut On<'_>, capacity: u32) -> Result<Parent> {
    let (link, parent) = (on.link, on.parent);
    let was = parent.capacity();
    check_capacity(link, capacity, "grow")?;
    // Once the programs run there is no way back: first it is seen to that all of them
    // will find their places.
    let targets = hooks::targets(on.host, &parent)?;
    for point in hooks::attach_points(&parent, link, &targets) {
        point.prepare()?;
    }
    interrupt::check(&link.name, "grow")?;
    let old = Old::of(&on.host.directory, ABI_VERSION, link.ifindex)?;
    let device = (link.name.as_str(), link.ifindex);
    let built = growth::build(parent.lock(), &old, device, capacity);
    // Whether it was built says what runs: the rest is done, or all of it undone.
    let finished = finish(on.host, parent.lock(), link.ifindex);
    built.map_err(|refusal| match refusal.errno {
        libc::ENOMEM => refusal.hint(format!(
            "nothing was changed; free memory, or delete aliases: there is room for {was}"
        )),
        _ => refusal,
    })?;
    finished?;
    let grown = Parent::open(&on.host.directory, link.ifindex)?;
    grown
        .filter(|grown| grown.capacity() == capacity)
        .ok_or_else(|| Refusal::new(&link.name, "grow", "the device is gone", libc::ENODEV))
}

/// Finishes the growth of a parent, or takes it back if its programs do not run yet.
/// Whether there was one.
///
/// # Errors
///
/// What the kernel refused; the next writer goes on.
pub fn finish(host: &mut Host, lock: &WriteLock, ifindex: u32) -> Result<bool> {
    let Some(growth) = Growth::find(&host.directory, ifindex) else {
        return Ok(false);
    };
    let link = host.netlink.link_by_index(ifindex)?;
    match link {
        Some(link) => {
            if growth.runs()
                && let Some(old) = Old::find(&host.directory, ifindex)?
            {
                follow(host, lock, &link, &old, &growth)?;
            }
        }
        // It may have run, and be hung on other devices already. One that cannot be
        // opened is half made, and never ran.
        None => {
            if let Ok(grown) = growth.open() {
                for target in hooks::targets(host, &grown)? {
                    let point = hooks::on_target(&grown, target.ifindex, &target.name);
                    point.detach(grown.path())?;
                }
            }
        }
    }
    growth.remove(lock)?;
    Ok(true)
}

/// Everything follows the generation that has begun to run. Until it does, the one
/// before finds the same aliases, and counts for them.
fn follow(
    host: &mut Host,
    lock: &WriteLock,
    link: &Link,
    old: &Old,
    growth: &Growth,
) -> Result<()> {
    let grown = growth.open()?;
    let targets = hooks::targets(host, &grown)?;
    for point in hooks::attach_points(&grown, link, &targets) {
        point.replace(old.path(), growth.path())?;
    }
    port::replace(host, link, &grown)?;
    tcp_renewal::follow(growth.path(), &link.name)?;
    // No run of the generation before is left that could count.
    grace_period()?;
    grown.edit(lock)?.harvest(old.pins())?;
    growth.install(old, lock)
}
