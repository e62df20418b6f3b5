//! An alias type as users see it.

use serde::Serialize;

use super::table::{Align, layout};

/// One address family.
#[derive(Clone, Debug, Serialize)]
pub struct TypeView {
    /// `mpls`.
    pub name: String,
    /// Its number: 28.
    pub family: u16,
    /// Ethertype of its frames: 34887.
    pub ethertype: u16,
    /// Number of aliases that are of it.
    pub aliases: u32,
}

/// The table of `types`.
#[must_use]
pub fn types(views: &[TypeView]) -> String {
    const COLUMNS: [(&str, Align); 4] = [
        ("NAME", Align::Left),
        ("FAMILY", Align::Right),
        ("ETHERTYPE", Align::Left),
        ("ALIASES", Align::Right),
    ];
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            vec![
                view.name.clone(),
                view.family.to_string(),
                format!("{:#06x}", view.ethertype),
                view.aliases.to_string(),
            ]
        })
        .collect();
    layout(&COLUMNS, &rows)
}
