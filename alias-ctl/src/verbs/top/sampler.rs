//! Reads the counters: of what is on the screen at every interval, of all aliases at a pace
//! that their number allows ([`crate::model::top::pace`]).

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use alias_common::record::Record;

use crate::error::Result;
use crate::lifecycle::views::{Names, Uses, counters, mode, port_drops};
use crate::model::rates::Rates;
use crate::model::top::filter::Filter;
use crate::model::top::frame::{Detail, Frame, Reading};
use crate::model::top::order::{At, ordered};
use crate::model::top::pace::{Need, Pace, Plan};
use crate::model::top::table::{Device, Entry, Identity, Moment};
use crate::model::top::view::Asked;
use crate::wiring::host::Host;

use super::describe;
use super::parents::Parents;

/// Counters that are read before they are added up, at a time: they stand everywhere in
/// memory, and reads that follow each other at once overlap.
const AT_A_TIME: u32 = 256;

/// So many aliases have histories whether they are visible or not.
const WITH_HISTORY: usize = 20_000;

/// So many that were visible keep theirs where there are more.
const REMEMBERED: usize = 1_000;

/// Namespaces and devices may get other names: they are looked up again after so many
/// seconds, and when an alias comes that needs them.
const NAMES_LAST: f64 = 5.0;

pub(super) struct Sampler {
    pub(super) host: Host,
    /// Only these devices; empty: all.
    wanted: Vec<String>,
    pub(super) parents: Parents,
    /// Of the parents, in their order.
    devices: Vec<Device>,
    names: Names,
    names_at: f64,
    uses: Uses,
    port_drops: HashMap<u32, u64>,
    began: Instant,
    pace: Pace,
    asked: Asked,
    filter: Filter,
    /// The sum of each device's rates, when all were read.
    sums: Vec<Rates>,
    /// Those that the filter admits.
    order: Vec<At>,
    /// Which there are has changed: all are to be read.
    is_stale: bool,
    /// Those that have a history because they were visible, the oldest first.
    remembered: VecDeque<Identity>,
}

impl Sampler {
    /// Looks which parents there are; nothing is read yet.
    pub(super) fn open(wanted: Vec<String>, asked: Asked) -> Result<Sampler> {
        let mut host = Host::open()?;
        for name in &wanted {
            let link = host.link(name, "top")?;
            host.attached(&link, "top")?;
        }
        // What is used is known once all were read; until then, everything.
        let uses = Uses {
            target: true,
            namespace: true,
            port: true,
        };
        Ok(Sampler {
            names: Names::look_up(&mut host, uses)?,
            names_at: 0.0,
            uses,
            wanted,
            parents: Parents::default(),
            devices: Vec::new(),
            port_drops: HashMap::new(),
            began: Instant::now(),
            pace: Pace::default(),
            filter: Filter::new(&asked.filter),
            asked,
            sums: Vec::new(),
            order: Vec::new(),
            is_stale: true,
            remembered: VecDeque::new(),
            host,
        })
    }

    /// Something else is wanted.
    pub(super) fn ask(&mut self, asked: Asked) {
        let (sort, filter) = (self.asked.sort, Filter::new(&asked.filter));
        self.asked = asked;
        if filter != self.filter {
            self.filter = filter;
            self.admit();
        } else if sort == self.asked.sort {
            return;
        }
        self.order = ordered(&mut self.devices, self.asked.sort);
    }

    /// Time between samples; `None` while nothing is to be read.
    pub(super) fn interval(&self) -> Option<Duration> {
        (!self.asked.is_paused).then_some(self.asked.interval)
    }

    fn plan(&self) -> Plan {
        let need = match self.asked.sort.column.is_rate() {
            true => Need::Figures,
            false => Need::Names,
        };
        self.pace.plan(need, self.asked.interval)
    }

    /// One sample.
    pub(super) fn sample(&mut self) -> Result<()> {
        if self.parents.find(&mut self.host, &self.wanted)? {
            self.is_stale = true;
            self.match_devices();
        }
        let begun = self.began.elapsed();
        for open in &mut self.parents.open {
            open.count(self.began.elapsed().as_secs_f64())?;
        }
        let plan = self.plan();
        if !self.is_stale && !self.pace.is_due(plan, begun) {
            return self.read_visible();
        }
        self.is_stale = false;
        if plan.what == Need::Figures {
            self.port_drops = port_drops(&mut self.host, self.uses)?;
        }
        self.read_all(plan.what)?;
        if !self.filter.is_empty() {
            self.admit();
        }
        self.order = ordered(&mut self.devices, self.asked.sort);
        let done = self.began.elapsed();
        self.pace.was_read(plan.what, begun, done);
        match plan.what {
            Need::Names => self.read_visible()?,
            Need::Figures => {
                let sums = self.devices.iter().map(Device::sum);
                self.sums = sums.collect();
            }
        }
        Ok(())
    }

    /// A device for each parent, in their order. Of one that has grown the aliases stay.
    fn match_devices(&mut self) {
        let mut before = std::mem::take(&mut self.devices);
        let parents = self.parents.open.iter().map(|open| open.link.ifindex);
        self.devices = parents
            .map(|ifindex| {
                let known = before.iter().position(|device| device.ifindex == ifindex);
                known.map_or_else(|| Device::new(ifindex), |place| before.swap_remove(place))
            })
            .collect();
        self.order.clear();
        self.sums.clear();
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.began.elapsed().as_secs_f64(),
            gap: self.asked.interval.as_secs_f64() * 2.5,
            keeps_history: self.order.len() <= WITH_HISTORY,
        }
    }

    fn read_all(&mut self, what: Need) -> Result<()> {
        let mut uses = Uses::default();
        for (place, open) in self.parents.open.iter().enumerate() {
            let end = open.parent.records_end();
            self.devices[place].limit(end);
            let mut records: Vec<(u32, Record)> = Vec::new();
            for first in (0..end).step_by(AT_A_TIME as usize) {
                let moment = self.moment();
                let device = &mut self.devices[place];
                records.clear();
                for id in first..end.min(first + AT_A_TIME) {
                    match open.parent.live_at(id) {
                        Some(record) => records.push((id, record)),
                        None => device.is_gone(id),
                    }
                }
                if what == Need::Figures {
                    let positions = records.iter().map(|(_, record)| record.position);
                    open.parent.touch(positions)?;
                }
                for (id, record) in &records {
                    uses.note(record);
                    let entry = device.is_there(*id, record);
                    if what == Need::Figures {
                        let figures = open.parent.figures_of(Some(*id), record)?;
                        entry.count(counters(record, &figures, &self.port_drops), moment);
                    }
                }
            }
        }
        let now = self.began.elapsed().as_secs_f64();
        if uses != self.uses || now - self.names_at > NAMES_LAST {
            self.names = Names::look_up(&mut self.host, uses)?;
            self.names_at = now;
        }
        self.uses = uses;
        Ok(())
    }

    /// The aliases whose figures are on the screen.
    fn visible(&self) -> Vec<At> {
        let asked = &self.asked;
        let rows = self.order.iter().skip(asked.first).take(asked.height);
        let place = |identity: &Identity| {
            let mut devices = (0..).zip(&self.devices);
            let (device, _) = devices.find(|(_, device)| device.ifindex == identity.parent)?;
            Some(At {
                device,
                id: identity.id,
            })
        };
        let detail = asked.detail.as_ref().and_then(place);
        rows.copied().chain(detail).collect()
    }

    fn read_visible(&mut self) -> Result<()> {
        for at in self.visible() {
            let moment = self.moment();
            let open = &self.parents.open[at.device as usize];
            let Some(record) = open.parent.live_at(at.id) else {
                self.is_stale = true;
                continue;
            };
            let known = self.devices[at.device as usize].entry(at.id);
            if known.is_none_or(|entry| entry.created != record.created) {
                self.is_stale = true;
                continue;
            }
            // The one that is looked at by itself may be in the list as well.
            if known.is_some_and(|entry| entry.at >= moment.now) {
                continue;
            }
            let figures = open.parent.figures_of(Some(at.id), &record)?;
            let entry = self.devices[at.device as usize].is_there(at.id, &record);
            entry.count(counters(&record, &figures, &self.port_drops), moment);
        }
        Ok(())
    }

    /// Asks the filter about all.
    fn admit(&mut self) {
        let mut text = String::new();
        for (open, device) in self.parents.open.iter().zip(&mut self.devices) {
            let mode = mode(&open.parent);
            for id in device.by_slot().to_vec() {
                let record = open.parent.live_at(id);
                let Some(entry) = device.entry_mut(id) else {
                    continue;
                };
                entry.is_admitted = self.filter.is_empty()
                    || record.is_some_and(|record| {
                        let view = self.names.view(&open.link, mode, record.slot, &record);
                        describe::words(&mut text, &view);
                        self.filter.admits(&mut text)
                    });
            }
        }
    }

    /// What is on the screen.
    pub(super) fn frame(&mut self) -> Result<Frame> {
        let plan = self.plan();
        let reading = match plan.what {
            Need::Figures if plan.period > self.asked.interval => Reading::Slower(plan.period),
            Need::Figures => Reading::Everything,
            Need::Names => Reading::OnlyVisible,
        };
        // As many as there were when they were put in order: counting costs a look at each.
        let all = self
            .devices
            .iter()
            .map(|device| device.known_by_slot().len());
        let all: Vec<usize> = all.collect();
        let first = self
            .asked
            .first
            .min(self.order.len().saturating_sub(self.asked.height));
        let mut frame = Frame {
            first,
            admitted: self.order.len(),
            all: all.iter().sum(),
            reading,
            ..Frame::default()
        };
        for (place, (open, aliases)) in self.parents.open.iter().zip(all).enumerate() {
            let sum = self
                .sums
                .get(place)
                .filter(|_| reading != Reading::OnlyVisible);
            frame
                .parents
                .push(describe::parent(open, aliases, sum.copied()));
        }
        let spoilt = self
            .parents
            .spoilt
            .iter()
            .map(|(name, _)| (name, "unreadable"));
        let opened: Vec<&str> = self
            .parents
            .open
            .iter()
            .flat_map(|open| std::iter::once(&open.link.name).chain(&open.link.altnames))
            .chain(self.parents.spoilt.iter().map(|(name, _)| name))
            .map(String::as_str)
            .collect();
        let gone = self
            .wanted
            .iter()
            .filter(|name| !opened.contains(&name.as_str()));
        let absent = spoilt.chain(gone.map(|name| (name, "gone")));
        frame
            .parents
            .extend(absent.map(|(name, mode)| describe::absent(name, mode)));
        let rows = self.order.iter().skip(first).take(self.asked.height);
        for at in rows {
            let open = &self.parents.open[at.device as usize];
            let entry = self.devices[at.device as usize].entry(at.id);
            let record = open.parent.live_at(at.id);
            let (Some(entry), Some(record)) = (entry, record) else {
                self.is_stale = true;
                continue;
            };
            let view = self
                .names
                .view(&open.link, mode(&open.parent), record.slot, &record);
            frame.rows.push(describe::row(at.id, open, entry, &view));
        }
        frame.detail = self.detail()?;
        self.remember(&frame);
        Ok(frame)
    }

    fn detail(&self) -> Result<Option<Detail>> {
        let Some(identity) = self.asked.detail else {
            return Ok(None);
        };
        let watched = self.parents.open.iter().zip(&self.devices);
        for (open, device) in watched.filter(|(_, device)| device.ifindex == identity.parent) {
            let entry = device.entry(identity.id);
            let record = open.parent.live_at(identity.id);
            let (Some(entry), Some(record)) = (entry, record) else {
                continue;
            };
            if record.created != identity.created {
                continue;
            }
            let figures = open.parent.figures_of(Some(identity.id), &record)?;
            let view = self
                .names
                .view(&open.link, mode(&open.parent), record.slot, &record);
            return Ok(Some(describe::detail(entry, &view, &figures)));
        }
        Ok(None)
    }

    /// Those that are visible get a history, and those that were long ago lose theirs.
    fn remember(&mut self, frame: &Frame) {
        for row in &frame.rows {
            let Some(entry) = entry_of(&mut self.devices, &row.identity) else {
                continue;
            };
            if entry.history.is_none() {
                entry.history = Some(Box::default());
                self.remembered.push_back(row.identity);
            }
        }
        while self.remembered.len() > REMEMBERED {
            let Some(oldest) = self.remembered.pop_front() else {
                return;
            };
            let is_visible = frame.rows.iter().any(|row| row.identity == oldest);
            if is_visible {
                self.remembered.push_back(oldest);
            } else if self.order.len() > WITH_HISTORY
                && let Some(entry) = entry_of(&mut self.devices, &oldest)
            {
                entry.history = None;
            }
        }
    }
}

fn entry_of<'a>(devices: &'a mut [Device], identity: &Identity) -> Option<&'a mut Entry> {
    let mut devices = devices.iter_mut();
    let device = devices.find(|device| device.ifindex == identity.parent)?;
    let entry = device.entry_mut(identity.id);
    entry.filter(|entry| entry.created == identity.created)
}
