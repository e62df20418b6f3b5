//! `add`.

use crate::error::{Refusal, Result};
use crate::model::wish::{Addresses, Wish};

use super::attach::open_or_attach;
use super::host::Host;
use super::{batch, create};

/// `alias-ctl add NAME …`; attaches the parent when it is not.
///
/// # Errors
///
/// Those of [`batch::resolve`] and [`create::create`].
pub fn add(name: &str, wish: &Wish) -> Result<()> {
    let mut host = Host::open()?;
    let (link, slot) = host.alias(name, "add")?;
    let mut wish = wish.clone();
    match (&mut wish.addresses, slot) {
        (Addresses::One { slot: wanted, .. }, slot) => *wanted = slot,
        (Addresses::Range { .. }, None) => {}
        (Addresses::Range { .. }, Some(_)) => {
            return Err(Refusal::new(
                name,
                "add",
                "a range needs a device, not a slot",
                libc::EINVAL,
            )
            .way_out(format!(
                "alias-ctl add {} --range … --start NUMBER",
                link.name
            )));
        }
    }
    let lock = host.write()?;
    if !link.up {
        return Err(batch::parent_down(&link));
    }
    let parent = open_or_attach(&mut host, &link, &lock)?;
    match batch::resolve(&mut host, &link, &parent, &wish)? {
        Some(batch) => create::create(&mut host, &link, &parent, &batch, &lock),
        None => Ok(()),
    }
}
