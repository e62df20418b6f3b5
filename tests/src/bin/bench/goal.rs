//! What is to be reached, and whether it is.

use serde_json::{Value, json};

use crate::samples::{Samples, shown};

/// What stands in the way of a goal, by how its work begins; said where it is missed.
/// The rows that each names are the evidence, in the same report.
const REASONS: &[(&str, &str)] = &[
    (
        "IPv4 drop, hot",
        "within what the rows of one run differ by on a shared machine: the minima are the quiet moments",
    ),
    (
        "IPv4 --to, redirect",
        "row \"bare redirect\" is the kernel's own call and nothing else; what is above it is parsing, lookup, counting and the MAC",
    ),
    (
        "miss, random",
        "the miss itself is row \"miss, one address\"; the rest is a line of the index for each packet, which the first cache does not hold, and that the branches of the probe cannot be foretold",
    ),
    (
        "IPv4 drop, random of 16,384",
        "two lines for each packet, index and counter, which the first cache does not hold, and a second step of the probe for every third; row \"IPv4 drop, hot\" is the same without both",
    ),
    (
        "IPv6 drop, random of 16,384",
        "as for IPv4, and the line of the key, and its page: three pages for each packet",
    ),
    (
        "IPv4 drop, random of 1,000,000",
        "two cache misses at once, to memory that other guests of the machine use as well: the minima are the quiet moments",
    ),
    (
        "IPv6 drop, random of 1,000,000",
        "three cache misses, of which the key's begins when the word is there",
    ),
    (
        "live drop, 16,384: to bare XDP_DROP",
        "row \"1 of 16,384 addresses\" is the same program and table without the cache misses of so many addresses, which a program that drops everything does not have",
    ),
    (
        "live drop, 8,192: than xdp-filter",
        "the generator and the veth are in both, and most of either: above the floor, ours is the difference of the rows",
    ),
    (
        "live drop, 16,384: than tc",
        "the generator and the veth are in both, and most of ours: above the floor, ours is the difference of the rows",
    ),
    (
        "stats -j, 1,000,000",
        "a cell of each CPU's row for each alias, at random places of some 100 MB, and a row of text for each",
    ),
    (
        "live redirect, 16,384: than kernel forwarding",
        "the generator and the second veth are in both, and most of ours",
    ),
    (
        "live redirect, 16,384: to a bare redirect",
        "parsing, lookup and counting, whose lines so many addresses keep out of the first cache: rows \"IPv4 --to, redirect\" and \"IPv4 drop, random of 16,384\"",
    ),
    (
        "delivery to",
        "rows \"behind an XDP_PASS\": native XDP on a veth makes the skb anew, whatever the program does; the rest is a tc program and the way into the namespace, which macvlan has in its receive handler",
    ),
    (
        "local delivery",
        "row \"16,256 addresses behind an XDP_PASS\": what native XDP on a veth costs before any program of ours",
    ),
    (
        "request-response to a device alias, p99",
        "99 of 100 are within the goal (p50); what is above is the scheduler of this machine, where the rows of one run differ among themselves",
    ),
    (
        "one TCP stream to a device alias: to macvlan behind",
        "the same work but for one tc program and the way into the namespace: the rows' spread is larger than their difference",
    ),
    (
        "one TCP stream to a device alias: to macvlan",
        "Linux takes TSO from the sender of a veth whose other end has native XDP, whosever program that is: row \"macvlan behind an XDP_PASS\" is macvlan in the same place, row \"generic XDP\" is ours where the sender keeps it; a NIC's sender is another host",
    ),
    (
        "one TCP stream to a device alias: TSO off",
        "GRO is macvlan's on the veth itself; with native XDP a veth's frames are copied into pages first (row \"macvlan behind an XDP_PASS\")",
    ),
];

/// On which side of it a figure shall be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }
}

/// What the figure is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// How many times another figure of the same run.
    Times,
    /// Nanoseconds above another figure of the same run.
    NsAbove,
    /// Seconds by the clock.
    Seconds,
}

/// A goal and what was measured for it.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    work: String,
    unit: Unit,
    bound: Bound,
    /// The median over the turns, then from the minima.
    measured: Option<[f64; 2]>,
}

impl Goal {
    /// `ours` as a multiple of `peer`, at most.
    pub(crate) fn at_most(work: &str, ours: &Samples, peer: &Samples, times: f64) -> Self {
        Self::new(work, Unit::Times, Bound::AtMost(times), ratio(ours, peer))
    }

    /// `ours` as a multiple of `peer`, at least: where more is better.
    pub(crate) fn at_least(work: &str, ours: &Samples, peer: &Samples, times: f64) -> Self {
        Self::new(work, Unit::Times, Bound::AtLeast(times), ratio(ours, peer))
    }

    /// How many times faster than `peer` it is to be.
    pub(crate) fn faster(work: &str, ours: &Samples, peer: &Samples, times: f64) -> Self {
        Self::new(work, Unit::Times, Bound::AtLeast(times), ratio(peer, ours))
    }

    /// By how much it may be above `floor`.
    pub(crate) fn above(work: &str, ours: &Samples, floor: &Samples, ns: f64) -> Self {
        let above = compared(ours, floor, |ours, floor| ours - floor);
        Self::new(work, Unit::NsAbove, Bound::AtMost(ns), above)
    }

    /// How long it may take, with samples in milliseconds.
    pub(crate) fn within(work: &str, ours: &Samples, seconds: f64) -> Self {
        let taken = compared(ours, ours, |ms, _| ms / 1e3);
        Self::new(work, Unit::Seconds, Bound::AtMost(seconds), taken)
    }

    fn new(work: &str, unit: Unit, bound: Bound, measured: Option<[f64; 2]>) -> Self {
        Self {
            work: work.to_owned(),
            unit,
            bound,
            measured,
        }
    }

    /// By the median.
    pub(crate) fn verdict(&self) -> &'static str {
        match self.measured {
            None => "NOT MEASURED",
            Some([median, _]) if self.bound.holds(median) => "met",
            Some(_) => "MISSED",
        }
    }

    /// Why it was missed, where it was.
    pub(crate) fn excuse(&self) -> Option<String> {
        if self.verdict() != "MISSED" {
            return None;
        }
        let known = REASONS.iter().find(|(work, _)| self.work.starts_with(work));
        let reason = known.map_or("not explained yet", |(_, reason)| reason);
        let quiet = match self.measured {
            Some([_, minima]) if self.bound.holds(minima) => {
                "; it is met by the minima, the moments when nobody else used the machine"
            }
            _ => "",
        };
        Some(format!("{}: {reason}{quiet}", self.work))
    }

    /// Work, measured, of minima, goal, verdict.
    pub(crate) fn cells(&self) -> Vec<String> {
        let (sign, limit) = match self.bound {
            Bound::AtMost(limit) => ("<=", limit),
            Bound::AtLeast(limit) => (">=", limit),
        };
        let figure = |n: usize| match self.measured {
            Some(measured) => self.unit.shown(measured[n]),
            None => "-".to_owned(),
        };
        vec![
            self.work.clone(),
            figure(0),
            figure(1),
            format!("{sign} {}", self.unit.shown(limit)),
            self.verdict().to_owned(),
        ]
    }

    pub(crate) fn to_json(&self) -> Value {
        let (at_most, at_least) = match self.bound {
            Bound::AtMost(limit) => (Some(limit), None),
            Bound::AtLeast(limit) => (None, Some(limit)),
        };
        json!({
            "work": self.work,
            "unit": self.unit.name(),
            "measured": self.measured.map(|[median, _]| median),
            "measured_of_minima": self.measured.map(|[_, minimum]| minimum),
            "at_most": at_most,
            "at_least": at_least,
            "verdict": self.verdict(),
        })
    }
}

impl Unit {
    fn shown(self, figure: f64) -> String {
        match self {
            Self::Times => format!("{figure:.2} x"),
            Self::NsAbove => format!("{figure:+.1} ns"),
            Self::Seconds => format!("{} s", shown(Some(figure))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::NsAbove => "ns above the floor",
            Self::Seconds => "s",
        }
    }
}

/// The median of the turns' comparisons, and that of the minima.
fn compared(of: &Samples, to: &Samples, compare: impl Fn(f64, f64) -> f64) -> Option<[f64; 2]> {
    let minima = compare(of.minimum()?, to.minimum()?);
    Some([of.against(to, compare)?.median()?, minima])
}

fn ratio(of: &Samples, to: &Samples) -> Option<[f64; 2]> {
    compared(of, to, |of, to| of / to)
}
