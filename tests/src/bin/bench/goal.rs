//! What is to be reached, and whether it is.

use serde_json::{Value, json};

use crate::samples::{Samples, shown};

/// On which side of it a figure shall be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
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
    /// From the medians, then from the minima.
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
        let above = both(ours, floor).map(|pairs| pairs.map(|(ours, floor)| ours - floor));
        Self::new(work, Unit::NsAbove, Bound::AtMost(ns), above)
    }

    /// How long it may take, with samples in milliseconds.
    pub(crate) fn within(work: &str, ours: &Samples, seconds: f64) -> Self {
        let taken = both(ours, ours).map(|pairs| pairs.map(|(ms, _)| ms / 1e3));
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

    /// By the medians.
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.measured, self.bound) {
            (None, _) => "NOT MEASURED",
            (Some([figure, _]), Bound::AtMost(most)) if figure <= most => "met",
            (Some([figure, _]), Bound::AtLeast(least)) if figure >= least => "met",
            _ => "MISSED",
        }
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

fn ratio(of: &Samples, to: &Samples) -> Option<[f64; 2]> {
    both(of, to).map(|pairs| pairs.map(|(of, to)| of / to))
}

fn both(one: &Samples, other: &Samples) -> Option<[(f64, f64); 2]> {
    Some([
        (one.median()?, other.median()?),
        (one.minimum()?, other.minimum()?),
    ])
}
