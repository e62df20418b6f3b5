//! Findings as users see them.

use serde::Serialize;

use super::table::{Align, layout};
use crate::model::finding::Finding;

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct FindingView<'a> {
    /// `ok`, `note` or `problem`.
    pub level: &'static str,
    /// What was looked at.
    pub object: &'a str,
    /// What was found.
    pub finding: &'a str,
    /// What to do, or null.
    #[serde(rename = "way_out")]
    pub hint: Option<&'a str>,
}

impl<'a> From<&'a Finding> for FindingView<'a> {
    fn from(finding: &'a Finding) -> FindingView<'a> {
        FindingView {
            level: finding.level.word(),
            object: &finding.object,
            finding: &finding.what,
            hint: (!finding.hint.is_empty()).then_some(finding.hint.as_str()),
        }
    }
}

/// The table of `doctor`; a way out stands in a line of its own.
#[must_use]
pub fn findings(findings: &[Finding]) -> String {
    const COLUMNS: [(&str, Align); 3] = [
        ("", Align::Left),
        ("OBJECT", Align::Left),
        ("FINDING", Align::Left),
    ];
    let mut rows = Vec::new();
    for finding in findings {
        rows.push(vec![
            finding.level.word().to_owned(),
            finding.object.clone(),
            finding.what.clone(),
        ]);
        if !finding.hint.is_empty() {
            rows.push(vec![
                String::new(),
                String::new(),
                format!("-> {}", finding.hint),
            ]);
        }
    }
    layout(&COLUMNS, &rows)
}
