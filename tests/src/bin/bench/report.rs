//! The report: tables of text, and the same as JSON.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread::available_parallelism;

use serde_json::{Map, Value, json};

use crate::Result;
use crate::goal::Goal;
use crate::plot::Plot;

/// All tables, and on what machine they were made.
pub(crate) struct Report {
    quick: bool,
    load_before: String,
    load_after: String,
    tables: Vec<Table>,
    goals: Vec<Goal>,
    plots: Vec<(&'static str, Plot)>,
}

/// One table. The first and the last column are words, the others figures.
pub(crate) struct Table {
    key: &'static str,
    title: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    values: Vec<Value>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new(key: &'static str, title: &str, head: &[&'static str]) -> Self {
        Self {
            key,
            title: title.to_owned(),
            head: head.to_vec(),
            rows: Vec::new(),
            values: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>, value: Value) {
        self.rows.push(cells);
        self.values.push(value);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn key(&self) -> &'static str {
        self.key
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn head(&self) -> &[&'static str] {
        &self.head
    }

    pub(crate) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        widths.chain([self.head[column].len()]).max().unwrap_or(0)
    }

    fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len()).map(|c| self.width(c)).collect();
        let head: Vec<String> = self.head.iter().map(|&word| word.to_owned()).collect();
        let mut text = format!("{}\n", self.title);
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ = match column {
                    0 => write!(line, "  {cell:<width$}"),
                    _ if column + 1 == row.len() => write!(line, "  {cell}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        for note in &self.notes {
            text += &format!("  ({note})\n");
        }
        text
    }
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self {
            quick,
            load_before: load(),
            load_after: String::new(),
            tables: Vec::new(),
            goals: Vec::new(),
            plots: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, table: Table) {
        self.tables.push(table);
    }

    pub(crate) fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    /// A file beside the tables; it goes with the table that it is named after.
    pub(crate) fn plot(&mut self, file: &'static str, plot: Plot) {
        self.plots.push((file, plot));
    }

    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub(crate) fn plots(&self) -> &[(&'static str, Plot)] {
        &self.plots
    }

    /// All has been measured.
    pub(crate) fn finish(&mut self) {
        self.load_after = load();
        self.tables.push(self.goals());
    }

    fn goals(&self) -> Table {
        let mut table = Table::new(
            "goals",
            "Goals",
            &["work", "measured", "of minima", "goal", "verdict"],
        );
        for goal in &self.goals {
            table.row(goal.cells(), goal.to_json());
        }
        table.note(
            "measured: what is compared is compared turn by turn, and the median of that decides",
        );
        for excuse in self.goals.iter().filter_map(Goal::excuse) {
            table.note(excuse);
        }
        table
    }

    /// What it ran on, one line.
    pub(crate) fn machine(&self) -> String {
        format!(
            "Linux {}, {} CPUs, {}; load {} before, {} after{}\n",
            release(),
            cpus(),
            model(),
            self.load_before,
            self.load_after,
            if self.quick {
                "; --quick: few repetitions"
            } else {
                ""
            }
        )
    }

    /// A reader that has gone away is no error.
    pub(crate) fn print(&self) {
        let mut text = self.machine();
        for table in &self.tables {
            text.push('\n');
            text += &table.text();
        }
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut report = Map::new();
        report.insert(
            "machine".to_owned(),
            json!({
                "kernel": release(),
                "cpus": cpus(),
                "cpu_model": model(),
                "load_1min_before": self.load_before,
                "load_1min_after": self.load_after,
            }),
        );
        report.insert("quick".to_owned(), json!(self.quick));
        for table in &self.tables {
            report.insert(
                table.key.to_owned(),
                json!({ "title": table.title, "rows": table.values, "notes": table.notes }),
            );
        }
        let text = format!("{:#}\n", Value::Object(report));
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

fn release() -> String {
    first_word("/proc/sys/kernel/osrelease")
}

/// Of the last minute: what else was running.
fn load() -> String {
    first_word("/proc/loadavg")
}

fn cpus() -> usize {
    available_parallelism().map_or(1, Into::into)
}

fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": "))
        .map_or_else(|| "unknown CPU".to_owned(), |(_, name)| name.to_owned())
}
