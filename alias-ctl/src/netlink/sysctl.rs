//! Sysctls of the calling thread's network namespace.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use super::error::{NetlinkError, Result};

/// Which namespace its entries belong to is decided by the thread that opens them.
const ROOT: &str = "/proc/sys/net";

/// Writes `value` to the sysctl at `path` below /proc/sys/net, for example
/// "ipv6/conf/eth0/disable_ipv6". A link's name may contain dots: a path is no
/// sysctl key.
///
/// Errors: ENOENT when there is none (IPv6 off, no such link), EINVAL for a path
/// that leaves /proc/sys/net and for a value that is refused, EACCES, EROFS.
pub fn write(path: &str, value: &str) -> Result<()> {
    let failed = |error: io::Error| NetlinkError::from_io(object(path), "write", &error);
    // The value must arrive in one write(2).
    OpenOptions::new()
        .write(true)
        .open(resolve(path)?)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(failed)
}

/// Reads the sysctl at `path` below /proc/sys/net, without the final newline.
///
/// Errors: as for [`write()`].
pub fn read(path: &str) -> Result<String> {
    let failed = |error: io::Error| NetlinkError::from_io(object(path), "read", &error);
    let value = fs::read_to_string(resolve(path)?).map_err(failed)?;
    Ok(value.trim_end().to_owned())
}

/// Whether the sysctl at `path` can be written: /proc/sys is read-only in many containers.
pub fn is_writable(path: &str) -> bool {
    let file = resolve(path).ok();
    file.is_some_and(|file| OpenOptions::new().write(true).open(file).is_ok())
}

fn resolve(path: &str) -> Result<PathBuf> {
    let plain = |component| matches!(component, Component::Normal(_));
    if path.is_empty() || !Path::new(path).components().all(plain) {
        return Err(NetlinkError::new(object(path), "open", libc::EINVAL));
    }
    Ok(Path::new(ROOT).join(path))
}

fn object(path: &str) -> String {
    format!("sysctl net/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for (path, ok) in [
            ("ipv4/conf/eth0.100/arp_ignore", true),
            ("ipv6/conf/eth0:0/disable_ipv6", true),
            ("", false),
            ("../kernel/panic", false),
            ("ipv4/../../kernel/panic", false),
            ("/etc/hostname", false),
        ] {
            assert_eq!(resolve(path).is_ok(), ok, "{path}");
        }
        assert_eq!(
            read("no/such/entry").map_err(|e| e.errno()),
            Err(libc::ENOENT)
        );
    }
}
