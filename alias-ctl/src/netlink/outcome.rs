//! What became of a batch of requests.

use super::error::Result;

/// The first refusal.
///
/// # Errors
///
/// That refusal.
pub fn all_done(results: Vec<Result<()>>) -> Result<()> {
    results.into_iter().collect::<Result<Vec<()>>>().map(drop)
}

/// The first refusal but for those that say a thing is gone already, where the
/// requests were to take things away.
///
/// # Errors
///
/// That refusal.
pub fn all_gone(results: Vec<Result<()>>) -> Result<()> {
    all_done(
        results
            .into_iter()
            .filter(|result| !result.as_ref().is_err_and(|error| is_gone(error.errno())))
            .collect(),
    )
}

fn is_gone(errno: i32) -> bool {
    matches!(
        errno,
        // ENXIO: IPv6 is off on the device, and its addresses went with it.
        libc::ENODEV | libc::ENXIO | libc::EADDRNOTAVAIL | libc::ESRCH | libc::ENOENT
    )
}
