//! `verify`: whether the running kernel takes the programs, and what that costs it.

use std::io;
use std::path::{Path, PathBuf};

use crate::dataplane::verify::{self, Verified};
use crate::error::{Refusal, Result};
use crate::model::request::Outcome;
use crate::render::output;
use crate::render::verify::{ProgramView, programs};

/// `alias-ctl verify`. Programs of which only one of two has to load (the listing's
/// iterators) count as refused when both are.
///
/// # Errors
///
/// What stood in the way of trying.
pub fn verify(objects: Option<&Path>, capacity: u32, json: bool) -> Result<Outcome> {
    let files = objects.map(objects_in).transpose()?.unwrap_or_default();
    let all = verify::verify(&files, capacity)?;
    let views: Vec<ProgramView> = all.iter().map(view).collect();
    if json {
        output::write_json(views.into_iter().map(Ok))?;
    } else {
        output::write(&programs(&views))?;
    }
    let refused: Vec<&Verified> = all
        .iter()
        .filter(|one| one.refusal.is_some() && !has_stand_in(one, &all))
        .collect();
    for refusal in refused.iter().filter_map(|one| one.refusal.as_ref()) {
        eprintln!("alias-ctl: {refusal}");
    }
    Ok(match refused.is_empty() {
        true => Outcome::Done,
        false => Outcome::Found,
    })
}

/// Whether there is another program for the same that the kernel took.
fn has_stand_in(refused: &Verified, all: &[Verified]) -> bool {
    verify::stands_in(&refused.program).is_some_and(|other| {
        all.iter()
            .any(|one| one.program == other && one.refusal.is_none())
    })
}

fn view(one: &Verified) -> ProgramView {
    ProgramView {
        object: one.object.clone(),
        program: one.program.clone(),
        loaded: one.refusal.is_none(),
        walked_instructions: one.walked,
        load_time_us: one.took.as_micros() as u64,
    }
}

fn objects_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let refused = |error: io::Error| Refusal::io(directory.display().to_string(), "read", &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(verify::SUFFIX) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
