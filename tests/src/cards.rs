//! Two network cards of the machine in place of a veth pair, where it has two to
//! lend: a virtual machine made for these tests. `ALIAS_TEST_CABLE` names their
//! driver; both have to be in the machine's own namespace, and on one wire.
//!
//! Never set it on a machine that somebody uses. It goes with one test at a time.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use crate::{namespace::Namespace, process::run_to_end, wait::wait_for};

const VARIABLE: &str = "ALIAS_TEST_CABLE";

const DEVICES: &str = "/sys/class/net";

/// What an earlier test's namespace may take to give them back.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether tests are to run over real cards.
pub(crate) fn are_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Moves the first card into A and the second into B, each as eth0. They come back
/// by themselves when the namespaces go. False: none are wanted.
#[track_caller]
pub(crate) fn lend(a: &Namespace, b: &Namespace) -> bool {
    let Ok(driver) = std::env::var(VARIABLE) else {
        return false;
    };
    wait_for(&format!("two cards of {driver} to be free"), LIMIT, || {
        names(&driver).len() == 2
    });
    for (card, host) in names(&driver).iter().zip([a, b]) {
        let mut command = Command::new("ip");
        command.args(["link", "set", card, "netns", host.name(), "name", "eth0"]);
        run_to_end(command, b"", LIMIT).ok();
    }
    true
}

/// The driver's devices in the machine's own namespace, in the order of their
/// slots: names change on the way back.
fn names(driver: &str) -> Vec<String> {
    let mut found: Vec<(PathBuf, String)> = fs::read_dir(DEVICES)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let device = entry.path().join("device");
            let its = fs::read_link(device.join("driver")).ok()?;
            let slot = fs::canonicalize(device).ok()?;
            let name = entry.file_name().into_string().ok()?;
            (its.file_name()? == driver).then_some((slot, name))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}
