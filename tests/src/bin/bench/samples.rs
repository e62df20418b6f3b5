//! Repetitions of one measurement, and what is said of them.

use serde_json::{Value, json};

/// The repetitions, in the order they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, sample: f64) {
        self.0.push(sample);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle one, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        let lower = *sorted.get(sorted.len() / 2 - 1)?;
        Some(f64::midpoint(lower, upper))
    }

    pub(crate) fn minimum(&self) -> Option<f64> {
        self.0.iter().copied().min_by(f64::total_cmp)
    }

    /// Each compared with the other's of the same turn: what the machine does meanwhile
    /// falls on both. `None` where they have not as many.
    pub(crate) fn against(&self, other: &Self, compare: impl Fn(f64, f64) -> f64) -> Option<Self> {
        let pairs = self.0.iter().zip(&other.0);
        (self.count() == other.count())
            .then(|| Self(pairs.map(|(one, other)| compare(*one, *other)).collect()))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "median": self.median(),
            "minimum": self.minimum(),
            "repetitions": self.count(),
            "samples": self.0,
        })
    }
}

/// With three significant digits, or all before the point.
pub(crate) fn shown(figure: Option<f64>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(figure) if figure.abs() >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure.abs() >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
    }
}
