//! What the verifier and the JIT made of every program of a parent.

use std::path::PathBuf;

use alias_tests::{Lab, bpf, program_info::program_info};
use serde_json::json;

use crate::Result;
use crate::report::{Report, Table};

const METHOD: &str = "bpf_prog_info of the pinned program";

pub(crate) fn report(lab: &Lab, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        "programs",
        "Programs as loaded: instructions the verifier walked through, sizes in bytes",
        &["program", "verified", "xlated", "jited", "method"],
    );
    for pin in pins_of_parent(lab)? {
        let said = |error| format!("{}: {error}", pin.display());
        let object = bpf::open_pinned(&pin).map_err(said)?;
        let Some(info) = program_info(&object).map_err(said)? else {
            continue;
        };
        let name = pin.file_name().unwrap_or_default().to_string_lossy();
        table.row(
            vec![
                name.to_string(),
                info.verified_instructions.to_string(),
                info.xlated_bytes.to_string(),
                info.jited_bytes.to_string(),
                METHOD.to_owned(),
            ],
            json!({
                "program": name,
                "verified_instructions": info.verified_instructions,
                "xlated_bytes": info.xlated_bytes,
                "jited_bytes": info.jited_bytes,
                "method": METHOD,
            }),
        );
    }
    report.add(table);
    Ok(())
}

/// What stands where `alias_rx` does. A bpffs may hold the kernel's own files too.
pub(crate) fn pins_of_parent(lab: &Lab) -> Result<Vec<PathBuf>> {
    let mut pins = lab.pins();
    let rx = pins.iter().find(|pin| pin.ends_with("alias_rx"));
    let parent = rx.and_then(|pin| Some(pin.parent()?.to_owned()));
    let parent = parent.ok_or("alias_rx: is not pinned")?;
    pins.retain(|pin| pin.parent() == Some(&parent));
    Ok(pins)
}
