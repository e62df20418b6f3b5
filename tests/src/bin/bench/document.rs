//! The report as Markdown, for people who will not run it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Result;
use crate::report::{Report, Table};

const FILE: &str = "BENCHMARKS.md";

const METHOD: &str = "\
Written by `cargo xtask bench --docs`, which measures everything in this file in one run.
What is compared is measured in turns (A B A B ...), in network namespaces, and only
ratios and differences within one run mean anything: each is the median over the turns
of what was compared in the same turn. A figure is a median, with the least of its
repetitions and their number beside it. Peers are what Debian ships, set
up as their manuals say. Ours is the loaded program and the whole command.
";

/// Writes the tables and the plots.
pub(crate) fn save(report: &Report, directory: &Path) -> Result<()> {
    let put = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut text = format!("# Benchmarks\n\n{METHOD}\n{}\n", report.machine());
    // The goals stand last in the report, and first for a reader.
    let (goals, others): (Vec<&Table>, Vec<&Table>) = report
        .tables()
        .iter()
        .partition(|table| table.key() == "goals");
    for table in goals.into_iter().chain(others) {
        markdown(table, &mut text);
        for (name, _) in report
            .plots()
            .iter()
            .filter(|(name, _)| name.strip_suffix(".svg") == Some(table.key()))
        {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n![{}]({name})", table.title());
        }
    }
    for (name, plot) in report.plots() {
        put(name, &plot.svg())?;
    }
    put(FILE, &text)
}

fn markdown(table: &Table, text: &mut String) {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| cell.trim().replace('|', "\\|"))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let head: Vec<String> = table.head().iter().map(|&word| word.to_owned()).collect();
    // Words to the left, figures to the right.
    let rule: Vec<String> = (0..head.len())
        .map(|column| match column {
            0 => "---".to_owned(),
            _ if column + 1 == head.len() => "---".to_owned(),
            _ => "---:".to_owned(),
        })
        .collect();
    let _ = write!(
        text,
        "\n## {}\n\n{}{}",
        table.title(),
        line(&head),
        line(&rule)
    );
    for row in table.rows() {
        *text += &line(row);
    }
    text.push('\n');
    for note in table.notes() {
        let _ = writeln!(text, "- {note}");
    }
}
