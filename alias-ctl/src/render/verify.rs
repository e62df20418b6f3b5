//! What the verifier said, as users see it.

use serde::Serialize;

use super::table::{Align, layout};

/// One program.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramView {
    /// The object it is in: `alias`.
    pub object: String,
    /// Its name: `alias_rx`.
    pub program: String,
    /// Whether the kernel took it.
    pub loaded: bool,
    /// Instructions that the verifier walked; `null` where the kernel does not tell.
    pub walked_instructions: Option<u32>,
    /// Time from `BPF_PROG_LOAD` to its answer, in microseconds.
    pub load_time_us: u64,
}

/// The table of `verify`.
#[must_use]
pub fn programs(views: &[ProgramView]) -> String {
    const COLUMNS: [(&str, Align); 5] = [
        ("OBJECT", Align::Left),
        ("PROGRAM", Align::Left),
        ("LOADED", Align::Left),
        ("WALKED", Align::Right),
        ("TIME(MS)", Align::Right),
    ];
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            let walked = view.walked_instructions;
            vec![
                view.object.clone(),
                view.program.clone(),
                if view.loaded { "yes" } else { "REFUSED" }.to_owned(),
                walked.map_or_else(|| "-".to_owned(), |walked| walked.to_string()),
                format!("{:.1}", view.load_time_us as f64 / 1000.0),
            ]
        })
        .collect();
    layout(&COLUMNS, &rows)
}
