//! What was done so far, so that it can be undone in the opposite order; and the
//! one way in which a configuration takes aliases down, which notes what they were.

use crate::dataplane::parent::address_of;
use crate::dataplane::tcp_options::clear_idle;
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::lifecycle::attachment;
use crate::lifecycle::{create, grow, hearing, resolve, retire, settle, tcp_options};
use crate::model::lifecycle::OnDown;
use crate::netlink::Link;
use crate::wiring::batch::{Item, Past};
use crate::wiring::transaction::{On, Transaction};
use crate::wiring::veth::is_beside_parent;
use std::collections::HashMap;
use std::hash::Hash;

use alias_common::hearer::Hear;
use alias_common::record::{Record, TargetKind};
use alias_common::tcp_options::TcpOptions;

/// One thing that was done.
#[derive(Debug)]
pub enum Done {
    /// The device was attached.
    Attached,
    /// It had room for fewer.
    Grown(u32),
    /// Its limit was another.
    Limited(u32),
    /// What becomes of its aliases when it goes down was another.
    Chosen(Option<OnDown>),
    /// These aliases were taken down.
    TakenDown(Vec<(u32, Record)>),
    /// This one heard something else.
    Heard(u32, Hear),
    /// This one's TCP options were others.
    Tuned(u32, TcpOptions),
    /// These were made; whether in the place of one that was taken down.
    Made(Vec<(u32, bool)>),
}

/// Everything that was done.
#[derive(Default)]
pub struct Undo {
    done: Vec<(Link, Done)>,
}

impl Undo {
    /// Notes what was done with a device.
    pub fn push(&mut self, link: &Link, done: Done) {
        self.done.push((link.clone(), done));
    }

    /// Undoes all of it, and hands the refusal on that was the reason.
    pub fn all(self, tx: &mut Transaction<'_>, mut reason: Refusal) -> Refusal {
        let mut pasts: HashMap<(u32, u32), Past> = HashMap::new();
        for (link, done) in self.done.into_iter().rev() {
            if let Err(refusal) = interrupt::finish(|| undo(tx, &link, done, &mut pasts)) {
                // The rest is undone all the same.
                let and = if reason.hint.is_empty() { "" } else { "; " };
                reason.hint += &format!("{and}not undone: {refusal}");
            }
        }
        reason
    }
}

/// `pasts` are those of aliases that counted before they were taken down again.
fn undo(
    tx: &mut Transaction<'_>,
    link: &Link,
    done: Done,
    pasts: &mut HashMap<(u32, u32), Past>,
) -> Result<()> {
    match done {
        Done::Attached => {
            let parent = tx.host.attached(link, "undo")?;
            if parent.header().unfinished != 0 {
                let reason = "it stays attached until its aliases can be taken back";
                return Err(Refusal::new(&link.name, "detach", reason, libc::EBUSY));
            }
            attachment::detach(tx, &link.name, false)
        }
        Done::Grown(before) => {
            let parent = tx.host.attached(link, "undo")?;
            grow::shrink_to(&mut tx.on(link, &parent)?, before)
        }
        Done::Limited(before) => {
            let parent = tx.host.attached(link, "undo")?;
            parent.edit(tx.lock())?.set_limit(before);
            Ok(())
        }
        Done::Chosen(before) => {
            let parent = tx.host.attached(link, "undo")?;
            parent.edit(tx.lock())?.set_on_down(before);
            Ok(())
        }
        Done::Heard(slot, before) => {
            let parent = tx.host.attached(link, "undo")?;
            hearing::change(&mut tx.on(link, &parent)?, slot, before)
        }
        Done::Tuned(slot, before) => {
            let parent = tx.host.attached(link, "undo")?;
            tcp_options::change(&tx.on(link, &parent)?, slot, before)
        }
        Done::Made(slots) => {
            let parent = tx.host.attached(link, "undo")?;
            let taken = take_down(&mut tx.on(link, &parent)?, &slots, &mut Undo::default())?;
            pasts.extend(
                taken
                    .into_iter()
                    .map(|(slot, past)| ((link.ifindex, slot), past)),
            );
            Ok(())
        }
        Done::TakenDown(mut records) => {
            let parent = tx.host.attached(link, "undo")?;
            for (slot, record) in &mut records {
                if let Some(past) = pasts.get(&(link.ifindex, *slot)) {
                    past.note(record);
                }
            }
            make_again(&mut tx.on(link, &parent)?, &records)
        }
    }
}

/// Takes aliases down, each to be made again in its slot (`true`) or deleted.
/// Returns what the former had counted.
///
/// # Errors
///
/// What the kernel refused.
pub fn take_down(
    on: &mut On<'_>,
    going: &[(u32, bool)],
    undo: &mut Undo,
) -> Result<HashMap<u32, Past>> {
    let (link, parent) = (on.link, on.parent);
    let mut pasts = HashMap::new();
    if going.is_empty() {
        return Ok(pasts);
    }
    let mut records: Vec<(u32, Record)> = going
        .iter()
        .map(|(slot, _)| (*slot, parent.record(*slot)))
        .collect();
    let drops = match records.iter().any(|(_, record)| is_beside_parent(record)) {
        true => on.host.netlink.transmit_drops("veth")?,
        false => HashMap::new(),
    };
    let slots: Vec<u32> = going.iter().map(|(slot, _)| *slot).collect();
    parent.set_unfinished(true);
    retire::unwire(on, &slots)?;
    for ((slot, record), (_, again)) in records.iter_mut().zip(going) {
        if is_beside_parent(record) {
            // The port is gone, and its statistics with it.
            let lost = drops.get(&record.port_ifindex);
            parent.add_lost(*slot, lost.copied().unwrap_or(0))?;
        }
        let figures = parent.figures(*slot, record)?;
        let past = Past {
            created: record.created,
            rx: figures.rx,
            policy: figures.policy,
            kept: *again,
        };
        past.note(record);
        if *again {
            pasts.insert(*slot, past);
        }
        parent.free(*slot, *again)?;
    }
    if pasts.is_empty() && records.iter().any(|(_, record)| !record.tcp.is_empty()) {
        clear_idle(parent)?;
    }
    if records
        .iter()
        .any(|(_, record)| record.flags & Record::PREFIX != 0)
    {
        settle::settle(link, parent)?;
    }
    parent.set_unfinished(false);
    undo.push(link, Done::TakenDown(records));
    Ok(pasts)
}

/// Makes aliases again that were taken down: devices first, then what joins them.
fn make_again(on: &mut On<'_>, records: &[(u32, Record)]) -> Result<()> {
    let mut groups: Vec<Vec<&(u32, Record)>> = Vec::new();
    let mut known = HashMap::new();
    for one in records {
        let at = *known.entry(likeness(&one.1)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(one);
    }
    groups.sort_by_key(|group| group[0].1.is(TargetKind::Join));
    let mut first_refusal = Ok(());
    for group in groups {
        let (slot, record) = group[0];
        let made = resolve::of_record(on.host, *slot, record).and_then(|mut batch| {
            batch.items = group
                .iter()
                .map(|(slot, record)| Item {
                    slot: *slot,
                    address: address_of(record),
                    assign: record.flags & Record::ADDRESSED != 0,
                    tcp: record.tcp,
                    past: Past::of(record),
                })
                .collect();
            create::create(on, &batch)
        });
        // What cannot be made again must not keep the rest away.
        first_refusal = first_refusal.and(made);
    }
    first_refusal
}

/// What records have in common that one batch can make.
fn likeness(record: &Record) -> impl Hash + Eq + use<> {
    let to = (record.is(TargetKind::To)).then_some((record.port_ifindex, record.mac));
    let joined = (record.is(TargetKind::Join)).then_some(record.link);
    (
        record.target,
        record.prefix_len,
        record.vlan(),
        record.flags & !Record::ADDRESSED,
        record.netns_cookie,
        record.hear,
        to,
        joined,
    )
}
