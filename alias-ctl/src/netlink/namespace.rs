//! Network namespaces: opening one, telling two apart, working inside one.
//!
//! A thread enters another namespace with setns(2); this module does that only in
//! threads of its own, so the caller's thread never changes its namespace.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{io, mem, panic, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::error::{NetlinkError, Result};

/// Where named namespaces are mounted (ip-netns(8)).
const NAMED: &str = "/run/netns";
/// The namespace of the calling thread; `/proc/self` would be the main thread's.
const OWN: &str = "/proc/thread-self/ns/net";
/// `_IO(0xb7, 3)`: the CLONE_* type of a namespace file. Source: linux/nsfs.h.
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;

/// An open handle on a network namespace; it keeps the namespace alive.
#[derive(Debug)]
pub struct Netns {
    file: File,
    object: String,
    device: u64,
    inode: u64,
    cookie: OnceLock<u64>,
}

impl Netns {
    /// The calling thread's namespace.
    pub fn current() -> Result<Self> {
        Self::open_file(Path::new(OWN), "current network namespace".to_owned())
    }

    /// The namespace that `spec` names: a name under /run/netns, a path when it
    /// contains '/', or a decimal process id. A name wins over a process id.
    ///
    /// Errors: ENOENT when there is no such namespace, EINVAL when the file is
    /// none, else the errno of open(2).
    pub fn open(spec: &str) -> Result<Self> {
        let object = format!("network namespace {spec}");
        if spec.contains('/') {
            return Self::open_file(Path::new(spec), object);
        }
        if spec.is_empty() {
            return Err(NetlinkError::new(object, "open", libc::ENOENT));
        }
        match Self::open_file(&Path::new(NAMED).join(spec), object.clone()) {
            Err(error) if error.errno() == libc::ENOENT && is_pid(spec) => {
                let path: PathBuf = ["/proc", spec, "ns/net"].iter().collect();
                Self::open_file(&path, object)
            }
            result => result,
        }
    }

    fn open_file(path: &Path, object: String) -> Result<Self> {
        let failed = |error: io::Error| NetlinkError::from_io(object.clone(), "open", &error);
        // O_NONBLOCK: a path to a FIFO must not wait for its writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(failed)?;
        // SAFETY: the descriptor is open and this request takes no argument.
        let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
        if kind != libc::CLONE_NEWNET {
            // Also the empty file that a crash between creat and mount leaves.
            return Err(NetlinkError::new(object, "open", libc::EINVAL)
                .with_detail("not a network namespace"));
        }
        let metadata = file.metadata().map_err(failed)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            file,
            object,
            cookie: OnceLock::new(),
        })
    }

    /// The namespaces that can be found from here: the named ones, then those that
    /// only a process holds. Each once.
    pub fn all() -> impl Iterator<Item = Self> {
        let listed = |directory: &str| {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        let processes = listed("/proc").into_iter().filter(|name| is_pid(name));
        let mut seen = HashSet::new();
        listed(NAMED)
            .into_iter()
            .chain(processes)
            .filter_map(|spec| Self::open(&spec).ok())
            .filter(move |netns| seen.insert(netns.inode))
    }

    /// The inode number, unique among the namespaces that exist now. It may be
    /// used again after this one has gone.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The cookie, unique since boot and never used again (SO_NETNS_COOKIE, Linux 5.14).
    ///
    /// Errors: those of [`Self::within`], socket(2) and getsockopt(2).
    pub fn cookie(&self) -> Result<u64> {
        if let Some(cookie) = self.cookie.get() {
            return Ok(*cookie);
        }
        let cookie = self
            .within(socket_cookie)?
            .map_err(|error| NetlinkError::from_io(self.object.clone(), "read cookie", &error))?;
        Ok(*self.cookie.get_or_init(|| cookie))
    }

    /// Whether the calling thread is in this namespace; false when that cannot be told.
    pub fn is_current(&self) -> bool {
        fs::metadata(OWN).is_ok_and(|own| (own.dev(), own.ino()) == (self.device, self.inode))
    }

    /// Runs `f` in this namespace: in a thread of its own, or directly when the
    /// calling thread is there already. A panic of `f` goes on in the caller.
    ///
    /// Errors: EPERM without CAP_SYS_ADMIN, EAGAIN when no thread can be made.
    pub fn within<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        if self.is_current() {
            return Ok(f());
        }
        let failed = |error: io::Error| NetlinkError::from_io(self.object.clone(), "enter", &error);
        let inside = || -> io::Result<T> {
            // Only this new thread changes its namespace.
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(f())
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .name("netns".to_owned())
                .spawn_scoped(scope, inside)
                .map_err(failed)?;
            match thread.join() {
                Ok(result) => result.map_err(failed),
                Err(cause) => panic::resume_unwind(cause),
            }
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// The named namespaces by inode number, from one scan of /run/netns. Empty when
/// the directory is missing; of several names of one namespace, the first in
/// alphabetical order.
pub fn names() -> HashMap<u64, String> {
    let mut names: HashMap<u64, String> = HashMap::new();
    let (Ok(entries), Ok(own)) = (fs::read_dir(NAMED), fs::metadata(OWN)) else {
        return names;
    };
    for entry in entries.flatten() {
        // The entry's own d_ino is that of the file below the mount.
        let Ok(metadata) = fs::metadata(entry.path()) else {
            continue;
        };
        // All namespace files are on one internal file system; what is not on it
        // is a leftover without a mount.
        if metadata.dev() != own.dev() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        names
            .entry(metadata.ino())
            .and_modify(|known| {
                if name < *known {
                    known.clone_from(&name);
                }
            })
            .or_insert(name);
    }
    names
}

fn is_pid(spec: &str) -> bool {
    spec.bytes().all(|byte| byte.is_ascii_digit())
}

fn socket_cookie() -> io::Result<u64> {
    let socket = UnixDatagram::unbound()?;
    let mut cookie = 0_u64;
    let mut length = mem::size_of_val(&cookie) as libc::socklen_t;
    // SAFETY: the value and its length are live, and the length is the value's size.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    match status {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_foreign_files_are_told_apart() {
        for (spec, errno) in [
            ("no-such-namespace", libc::ENOENT),
            ("", libc::ENOENT),
            ("/no/such/path", libc::ENOENT),
            ("4194305", libc::ENOENT), // above the largest process id
            ("/proc/self/status", libc::EINVAL),
            ("/proc/self/ns/uts", libc::EINVAL),
        ] {
            assert_eq!(
                Netns::open(spec).map_err(|e| e.errno()).err(),
                Some(errno),
                "{spec:?}"
            );
        }
    }

    #[test]
    fn own_process_is_current() {
        let current = Netns::current().unwrap();
        let by_pid = Netns::open(&std::process::id().to_string()).unwrap();
        assert!(current.is_current() && by_pid.is_current());
        assert_eq!(current.inode(), by_pid.inode());
        assert_eq!(by_pid.within(|| 7).unwrap(), 7);
        assert_ne!(current.cookie().unwrap(), 0);
    }
}
