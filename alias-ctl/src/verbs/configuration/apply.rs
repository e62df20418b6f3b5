//! `apply` and `restore`: makes the live state of the devices that a configuration
//! names what it declares.

use std::io::{self, Write};

use crate::error::{Refusal, Result};
use crate::lifecycle::configuration::prepared::prepare;
use crate::lifecycle::configuration::restore::{apply_with, needed, restore_each};
use crate::lifecycle::configuration::text::{Text, only};
use crate::lifecycle::families::Named;
use crate::lifecycle::{transaction, way_back};
use crate::model::declaration::Declaration;
use crate::model::request::Source;
use crate::render::plan as render;
use crate::wiring::host::Host;

/// `alias-ctl apply FILE`, and `restore [DEV]` with what was saved.
///
/// # Errors
///
/// Those of reading and planning, before which nothing is touched; what the kernel
/// refuses, after which everything is undone.
pub fn apply(source: &Source, device: Option<&str>, dry_run: bool) -> Result<()> {
    let mut host = Host::open()?;
    let text = Text::of(source)?;
    let read = |host: &mut Host| -> Result<(Declaration, Vec<Named>)> {
        let (mut declaration, types) = text.read(host)?;
        if let Some(device) = device {
            let link = host.netlink.link_by_name(device)?;
            let name = link.map_or_else(|| device.to_owned(), |link| link.name);
            only(&mut declaration, &name, &text)?;
        }
        Ok((declaration, types))
    };
    if dry_run {
        let (declaration, _) = read(&mut host)?;
        let text: String = prepare(&mut host, declaration)
            .map_err(|refusal| text.in_file(refusal))?
            .iter()
            .map(|one| {
                render::settings(&one.link.name, one.is.as_ref(), &one.declared.attachment)
                    + &render::plan(&one.link.name, &one.live, &one.plan)
            })
            .collect();
        return io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| Refusal::io("standard output", "write", &error));
    }
    let mut tx = transaction::begin(&mut host)?;
    // Under the lock, as types come and go.
    let (declaration, types) = read(tx.host)?;
    match source {
        Source::File(_) => apply_with(&mut tx, &needed(types, &declaration), declaration)
            .map_err(|refusal| text.in_file(refusal))?,
        Source::Saved => {
            let refused = restore_each(&mut tx, &types, declaration);
            way_back::tell(tx.host);
            return all_but(refused, &text);
        }
    }
    way_back::tell(tx.host);
    Ok(())
}

/// Says what could not be made: all but the last here, and that one by its return.
fn all_but(mut refused: Vec<Refusal>, text: &Text) -> Result<()> {
    let Some(last) = refused.pop() else {
        return Ok(());
    };
    for refusal in refused {
        let _ = writeln!(io::stderr(), "alias-ctl: {}", text.in_file(refusal));
    }
    Err(text.in_file(last).hint("everything else was made; what is missing comes when the daemon runs, or with another restore"))
}
