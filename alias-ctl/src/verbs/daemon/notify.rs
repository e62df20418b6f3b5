//! sd_notify(3): what the daemon tells the service manager that started it. One datagram
//! each; who has not asked, by NOTIFY_SOCKET, is told nothing.

use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

/// Its first pass is over: what was saved is restored as far as it can be.
pub(super) fn ready(attached: usize) {
    tell(&format!("READY=1\nSTATUS={}", status(attached)));
}

/// How many devices it looks after, for `systemctl status`.
pub(super) fn watching(attached: usize) {
    tell(&format!("STATUS={}", status(attached)));
}

/// Its loop still turns.
pub(super) fn alive() {
    tell("WATCHDOG=1");
}

/// It was told to end, and does.
pub(super) fn stopping() {
    tell("STOPPING=1\nSTATUS=Ending; packets flow on");
}

/// How often [`alive`] is to be said: twice in the time after which a silent daemon is
/// killed. `None`: nobody waits for it.
pub(super) fn heartbeat() -> Option<Duration> {
    let asked = |name: &str| env::var_os(name);
    beat(
        asked("WATCHDOG_USEC").as_deref(),
        asked("WATCHDOG_PID").as_deref(),
        process::id(),
    )
}

fn beat(microseconds: Option<&OsStr>, pid: Option<&OsStr>, own: u32) -> Option<Duration> {
    // Set for another process, which has left us its environment.
    if pid.is_some_and(|pid| pid != own.to_string().as_str()) {
        return None;
    }
    let limit: u64 = microseconds?.to_str()?.parse().ok()?;
    (limit > 0).then(|| Duration::from_micros((limit / 2).max(1)))
}

fn status(attached: usize) -> String {
    match attached {
        0 => "No device is attached".to_owned(),
        1 => "Watching 1 attached device".to_owned(),
        count => format!("Watching {count} attached devices"),
    }
}

fn tell(what: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        _ => SocketAddr::from_pathname(&name),
    };
    // Who asked and does not listen is told nothing, and nobody is waited for.
    let _ = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(format!("{what}\n").as_bytes(), &address)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heart_beats_twice_in_the_time_that_is_given() {
        let check = |microseconds: Option<&str>, pid: Option<&str>, expected: Option<u64>| {
            let found = beat(microseconds.map(OsStr::new), pid.map(OsStr::new), 7);
            let expected = expected.map(Duration::from_micros);
            assert_eq!(found, expected, "{microseconds:?} {pid:?}");
        };
        check(Some("30000000"), Some("7"), Some(15_000_000));
        check(Some("30000000"), None, Some(15_000_000));
        check(Some("1"), None, Some(1));
        check(Some("30000000"), Some("8"), None);
        check(Some("0"), Some("7"), None);
        check(Some("soon"), Some("7"), None);
        check(None, Some("7"), None);
    }

    #[test]
    fn the_status_counts_devices() {
        assert_eq!(status(0), "No device is attached");
        assert_eq!(status(1), "Watching 1 attached device");
        assert_eq!(status(2), "Watching 2 attached devices");
    }
}
