//! `show --proc`: what the kernel's file `aliases` says.

use std::fs::File;
use std::io;

use alias_common::listing::ALIASES_HEAD;
use alias_common::names;

use crate::error::{Refusal, Result};
use crate::wiring::host::Host;

/// `alias-ctl show --proc`. Without a parent there is no file, and no alias either.
///
/// # Errors
///
/// That of reading the file or writing it out.
pub fn listing() -> Result<()> {
    let path = Host::open()?.directory.shared().join(names::ALIASES);
    let mut out = io::stdout().lock();
    let copied = match File::open(&path) {
        Ok(mut file) => io::copy(&mut file, &mut out),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            io::copy(&mut &ALIASES_HEAD[..], &mut out)
        }
        Err(error) => Err(error),
    };
    copied
        .map(drop)
        .map_err(|error| Refusal::io(path.display().to_string(), "copy", &error))
}
