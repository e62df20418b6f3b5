//! What has to be done so that a device has the aliases that are declared for it.
//! Pure: what is there goes in, what shall happen comes out, and whatever can be
//! refused is refused here, before anything is touched.
//!
//! Only what a configuration made is changed or deleted. An alias that was made by
//! hand stays; when it stands in the way it is the declared one, to the letter, or
//! the whole declaration is refused.

use std::collections::HashSet;

use alias_common::hearer::Hear;
use alias_common::limits::MAX_SLOTS;
use alias_common::tcp_options::TcpOptions;

use super::address::Address;
use super::alias_request::Target;
use super::declaration::{Addresses, Parent, Properties, Run, joined_slot};
use super::name::alias_name;
use crate::error::{Refusal, Result};

/// An alias that is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// Its slot.
    pub slot: u32,
    /// Its address.
    pub address: Address,
    /// The rest, with the names that things have now.
    pub properties: Properties,
    /// A configuration made it, so that a configuration may change it.
    pub declared: bool,
    /// What it needs in the kernel is there: its device, its address.
    pub whole: bool,
}

/// What shall happen to the aliases of one device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Made by hand and declared just so: the configuration's from now on.
    pub adopt: Vec<u32>,
    /// Become something else, or again what they were; the counters go on. Runs
    /// of one.
    pub replace: Vec<Run>,
    /// Made, in the file's order.
    pub make: Vec<Run>,
    /// Deleted before anything is made, because something else needs their place.
    pub remove_first: Vec<u32>,
    /// Deleted when everything else is done.
    pub remove: Vec<u32>,
    /// Matched, or not any more.
    pub enable: Vec<(u32, bool)>,
    /// Announced from now on, or not.
    pub announce: Vec<(u32, bool)>,
    /// Hear something else.
    pub hear: Vec<(u32, Hear)>,
    /// Get other TCP options.
    pub tune: Vec<(u32, TcpOptions)>,
    /// Made by hand and not declared; they stay.
    pub strays: Vec<u32>,
}

/// Plans for one device, whose aliases `live` come by slot. There can be `limit` of them.
///
/// # Errors
///
/// EEXIST for an alias made by hand that stands in the way, EBUSY when one has
/// joined a device that has to go, EINVAL and ENODEV for a `join` that leads
/// nowhere, ENOSPC and EINVAL for what does not fit.
pub fn plan(declared: &Parent, live: &[Live], limit: u32) -> Result<Plan> {
    let planner = Planner {
        declared,
        by_slot: by_slot(&declared.runs),
        addresses: Addresses::of(&declared.runs),
        live,
    };
    planner.refuse_no_slots()?;
    let mut plan = planner.compare()?;
    planner.refuse_taken_addresses(&mut plan)?;
    planner.follow_joins(&mut plan)?;
    planner.check_joins()?;
    planner.add_missing(&mut plan);
    planner.refuse_overflow(&plan, limit)?;
    Ok(plan)
}

struct Planner<'a> {
    declared: &'a Parent,
    by_slot: Vec<&'a Run>,
    addresses: Addresses<'a>,
    live: &'a [Live],
}

fn by_slot(runs: &[Run]) -> Vec<&Run> {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_unstable_by_key(|run| run.start);
    sorted
}

impl Planner<'_> {
    fn declared_at(&self, slot: u32) -> Option<&Run> {
        let behind = self.by_slot.partition_point(|run| run.start <= slot);
        let run = self.by_slot.get(behind.checked_sub(1)?)?;
        run.contains(slot).then_some(run)
    }

    fn live_at(&self, slot: u32) -> Option<&Live> {
        let at = self.live.binary_search_by_key(&slot, |alias| alias.slot);
        at.ok().map(|at| &self.live[at])
    }

    fn name(&self, slot: u32) -> String {
        alias_name(&self.declared.name, slot)
    }

    /// A run may be longer than there are slots.
    fn refuse_no_slots(&self) -> Result<()> {
        let is_beyond =
            |run: &&&Run| u64::from(run.start).saturating_add(run.count) > u64::from(MAX_SLOTS);
        let Some(run) = self.by_slot.iter().find(is_beyond) else {
            return Ok(());
        };
        let below = format!("slots are below {MAX_SLOTS}");
        Err(match run.start < MAX_SLOTS {
            true => {
                let reason = format!("{} aliases from {} on, and {below}", run.count, run.start);
                Refusal::new(&self.declared.name, "apply", reason, libc::ENOSPC)
            }
            false => Refusal::new(self.name(run.start), "apply", below, libc::EINVAL),
        }
        .hint(place(run)))
    }

    /// What is there already is no matter, over the limit or not.
    fn refuse_overflow(&self, plan: &Plan, limit: u32) -> Result<()> {
        let made: u64 = plan.make.iter().map(|run| run.count).sum();
        let gone = plan.remove.len() + plan.remove_first.len();
        let all = self.live.len().saturating_sub(gone) as u64 + made;
        let Some(run) = plan.make.first().filter(|_| all > u64::from(limit)) else {
            return Ok(());
        };
        let reason = format!("there would be {all} aliases, over the limit {limit}");
        Err(
            Refusal::new(&self.declared.name, "apply", reason, libc::ENOSPC)
                .hint(format!("raise max_aliases in [[parent]]; {}", place(run))),
        )
    }

    /// Compares slot by slot.
    fn compare(&self) -> Result<Plan> {
        let mut plan = Plan::default();
        for alias in self.live {
            let Some(run) = self.declared_at(alias.slot) else {
                if alias.declared {
                    plan.remove.push(alias.slot);
                } else {
                    plan.strays.push(alias.slot);
                }
                continue;
            };
            let (slot, wanted) = (alias.slot, &run.properties);
            let same = alias.address == run.address(slot) && is_same(&alias.properties, wanted);
            let enabled = alias.properties.enabled == wanted.enabled;
            let tuned = alias.properties.tcp == wanted.tcp;
            let hears = alias.properties.hear == wanted.hear;
            if !alias.declared {
                if !(same && enabled && tuned && hears) {
                    return Err(self.in_the_way(alias, self.name(slot), run));
                }
                plan.adopt.push(slot);
            }
            if !same || !alias.whole {
                plan.replace.push(run.part(slot, slot + 1));
                continue;
            }
            if !enabled {
                plan.enable.push((slot, wanted.enabled));
            }
            if alias.properties.announce != wanted.announce {
                plan.announce.push((slot, wanted.announce));
            }
            if !hears {
                plan.hear.push((slot, wanted.hear));
            }
            if !tuned {
                plan.tune.push((slot, wanted.tcp));
            }
        }
        Ok(plan)
    }

    fn in_the_way(&self, alias: &Live, object: String, run: &Run) -> Refusal {
        let name = self.name(alias.slot);
        Refusal::new(
            object,
            "apply",
            format!(
                "{name} with address {} was made by hand and is not what is declared",
                alias.address
            ),
            libc::EEXIST,
        )
        .hint(format!(
            "nothing was changed; delete it: alias-ctl del {name}; or change the file, {}",
            place(run)
        ))
    }

    /// A declared address may be that of an alias in another slot: one that goes
    /// goes first, one that stays stands in the way.
    fn refuse_taken_addresses(&self, plan: &mut Plan) -> Result<()> {
        for list in [&plan.strays, &plan.remove] {
            for slot in list {
                let Some(alias) = self.live_at(*slot) else {
                    continue;
                };
                let vlan = alias.properties.vlan;
                let Some(wanted) = self.addresses.slot_of(alias.address, vlan) else {
                    continue;
                };
                if !alias.declared {
                    let run = self.declared_at(wanted).unwrap_or(self.by_slot[0]);
                    return Err(self.in_the_way(alias, alias.address.to_string(), run));
                }
                plan.remove_first.push(*slot);
            }
        }
        Ok(())
    }

    /// An alias whose device is replaced takes those that have joined it along.
    fn follow_joins(&self, plan: &mut Plan) -> Result<()> {
        let set = |slots: &mut dyn Iterator<Item = u32>| slots.collect::<HashSet<u32>>();
        let replaced = set(&mut plan.replace.iter().map(|run| run.start));
        let removed = set(&mut plan.remove.iter().copied());
        let mut first = set(&mut plan.remove_first.iter().copied());
        if !replaced.is_empty() || !removed.is_empty() {
            for alias in self.live {
                let Some(owner) = joined_slot(&alias.properties.target) else {
                    continue;
                };
                if !(replaced.contains(&owner) || removed.contains(&owner)) {
                    continue;
                }
                let slot = alias.slot;
                if removed.contains(&slot) {
                    if replaced.contains(&owner) || first.contains(&owner) {
                        first.insert(slot);
                    }
                } else if let Some(run) = self.declared_at(slot) {
                    if !replaced.contains(&slot) {
                        plan.replace.push(run.part(slot, slot + 1));
                        plan.enable.retain(|(other, _)| *other != slot);
                        plan.announce.retain(|(other, _)| *other != slot);
                        plan.hear.retain(|(other, _)| *other != slot);
                        plan.tune.retain(|(other, _)| *other != slot);
                    }
                } else {
                    return Err(Refusal::new(
                        self.name(owner),
                        "apply",
                        format!(
                            "{}, which was made by hand, has joined its device",
                            self.name(slot)
                        ),
                        libc::EBUSY,
                    )
                    .hint(format!(
                        "nothing was changed; delete that one first: alias-ctl del {}",
                        self.name(slot)
                    )));
                }
            }
        }
        plan.remove_first = first.iter().copied().collect();
        plan.remove_first.sort_unstable();
        plan.remove.retain(|slot| !first.contains(slot));
        plan.replace.sort_unstable_by_key(|run| run.start);
        Ok(())
    }

    /// A join leads to an alias that has a device once everything is done.
    fn check_joins(&self) -> Result<()> {
        for run in &self.by_slot {
            let Target::Join { alias } = &run.properties.target else {
                continue;
            };
            let refused = |reason: &str, errno| {
                let object = self.name(run.start);
                Err(
                    Refusal::new(object, "apply", format!("{alias}: {reason}"), errno).hint(
                        format!(
                            "join an alias of the same device that has a device of its own, {}",
                            place(run)
                        ),
                    ),
                )
            };
            let owner = joined_slot(&run.properties.target).and_then(|slot| {
                let stays = self.live_at(slot).filter(|alias| !alias.declared);
                let declared = self.declared_at(slot).map(|run| &run.properties);
                declared.or(stays.map(|alias| &alias.properties))
            });
            match owner {
                None => return refused("there is no such alias to join", libc::ENODEV),
                Some(owner) if !matches!(owner.target, Target::Device { .. }) => {
                    return refused("it has no device of its own", libc::EINVAL);
                }
                Some(owner) if owner.vlan != run.properties.vlan => {
                    return refused("it is scoped to another VLAN", libc::EINVAL);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What is declared and not there, in the file's order.
    fn add_missing(&self, plan: &mut Plan) {
        for run in &self.declared.runs {
            let from = self.live.partition_point(|alias| alias.slot < run.start);
            let mut next = run.start;
            for alias in self.live[from..]
                .iter()
                .take_while(|alias| alias.slot < run.end())
            {
                if next < alias.slot {
                    plan.make.push(run.part(next, alias.slot));
                }
                next = alias.slot + 1;
            }
            if next < run.end() {
                plan.make.push(run.part(next, run.end()));
            }
        }
    }
}

/// Where in the file something stands.
fn place(run: &Run) -> String {
    format!("line {}", run.line)
}

/// Whether an alias is what is declared, but for what can be switched in place. A
/// MAC that is not declared is found out, and so is any.
fn is_same(live: &Properties, declared: &Properties) -> bool {
    let target = match (&live.target, &declared.target) {
        (
            Target::To { device, .. },
            Target::To {
                device: other,
                mac: None,
            },
        ) => device == other,
        (live, declared) => live == declared,
    };
    target
        && live.prefix_len == declared.prefix_len
        && live.vlan == declared.vlan
        && live.deprecated == declared.deprecated
}

#[cfg(test)]
mod tests;
