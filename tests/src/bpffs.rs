//! A bpffs of one's own, so that no two tests see each other's pins.

use std::{
    ffi::CString,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
};

/// A private bpffs mount; unmounted, with all its pins, on drop.
#[derive(Debug)]
pub struct PrivateBpffs {
    directory: PathBuf,
}

impl PrivateBpffs {
    /// Mounts a new bpffs on a new directory of that name below the system's
    /// directory for temporary files.
    #[track_caller]
    pub fn mount(name: &str) -> Self {
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let target = c_path(&directory);
        // SAFETY: all four pointers are NUL-terminated strings that outlive
        // the call; bpf takes no data.
        let result = unsafe {
            libc::mount(
                c"bpf".as_ptr(),
                target.as_ptr(),
                c"bpf".as_ptr(),
                libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
                ptr::null(),
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            let _ = fs::remove_dir(&directory);
            panic!("no bpffs on {}: {error}", directory.display());
        }
        Self { directory }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.directory
    }
}

impl Drop for PrivateBpffs {
    fn drop(&mut self) {
        unmount_and_remove(&self.directory);
    }
}

/// Detached lazily: somebody who still holds an open pin must not keep the
/// mount in the tree.
pub(crate) fn unmount_and_remove(directory: &Path) {
    let target = c_path(directory);
    // SAFETY: a NUL-terminated string that outlives the call.
    unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    if let Err(error) = fs::remove_dir(directory) {
        eprintln!("{} is left behind: {error}", directory.display());
    }
}

pub(crate) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path without NUL")
}
