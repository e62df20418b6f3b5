//! Figures for Prometheus: OpenMetrics 1.0, and the text format 0.0.4 before it, which
//! node_exporter's textfile collector reads. They differ in what a counter is called in the
//! line that says its type, in units, and in the end.

use std::fmt::{Display, Write};

/// Which of the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format 0.0.4.
    Prometheus,
}

/// Whether a figure only rises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It only rises; its samples' names end with `_total`.
    Counter,
    /// What it is now.
    Gauge,
}

/// Samples of one name, which stand together.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Without `_total`; with its unit at the end, if it has one.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// `bytes`, or nothing: packets and aliases are counted.
    pub unit: Option<&'static str>,
}

/// A label and its value.
pub type Label<'a> = (&'a str, &'a str);

/// The lines before a family's samples.
pub fn head(text: &mut String, dialect: Dialect, family: &Family) {
    let Family {
        name,
        help,
        kind,
        unit,
    } = family;
    let (kind, suffix) = match (kind, dialect) {
        (Kind::Counter, Dialect::OpenMetrics) => ("counter", ""),
        (Kind::Counter, Dialect::Prometheus) => ("counter", "_total"),
        (Kind::Gauge, _) => ("gauge", ""),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name}{suffix} {help}");
    let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
    if let (Some(unit), Dialect::OpenMetrics) = (unit, dialect) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
}

/// A sample of a family.
pub fn sample(text: &mut String, family: &Family, labels: &[Label<'_>], value: impl Display) {
    text.push_str(family.name);
    if family.kind == Kind::Counter {
        text.push_str("_total");
    }
    for (n, (label, value)) in labels.iter().enumerate() {
        text.push(if n == 0 { '{' } else { ',' });
        text.push_str(label);
        text.push_str("=\"");
        escaped(text, value);
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

/// What ends it all.
#[must_use]
pub const fn end(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenMetrics => "# EOF\n",
        Dialect::Prometheus => "",
    }
}

fn escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: Family = Family {
        name: "alias_rx_bytes",
        help: "Bytes received.",
        kind: Kind::Counter,
        unit: Some("bytes"),
    };

    #[test]
    fn a_counter_in_both() {
        let written = |dialect| {
            let mut text = String::new();
            head(&mut text, dialect, &BYTES);
            sample(&mut text, &BYTES, &[("alias", "eth0:0")], u64::MAX);
            text + end(dialect)
        };
        assert_eq!(
            written(Dialect::OpenMetrics),
            "# HELP alias_rx_bytes Bytes received.\n# TYPE alias_rx_bytes counter\n\
             # UNIT alias_rx_bytes bytes\n\
             alias_rx_bytes_total{alias=\"eth0:0\"} 18446744073709551615\n# EOF\n"
        );
        assert_eq!(
            written(Dialect::Prometheus),
            "# HELP alias_rx_bytes_total Bytes received.\n# TYPE alias_rx_bytes_total counter\n\
             alias_rx_bytes_total{alias=\"eth0:0\"} 18446744073709551615\n"
        );
    }

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let mut text = String::new();
        let family = Family {
            kind: Kind::Gauge,
            ..BYTES
        };
        sample(&mut text, &family, &[("a", "q\"b\\n\nl"), ("b", "")], 1);
        assert_eq!(text, "alias_rx_bytes{a=\"q\\\"b\\\\n\\nl\",b=\"\"} 1\n");
    }
}
