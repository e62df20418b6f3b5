//! Mounts that only this process and its children see.
//!
//! The names below /run/netns and the bpffs are such mounts. When the last of
//! those processes is gone, however it ended, the kernel takes the mounts away,
//! with them the namespaces and pins, and with those the devices and programs.
//! So nothing has to be caught or swept.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::ptr;

/// An empty directory for temporary files, on a mount of this process's own too.
pub const SCRATCH: &str = "/dev/shm";

/// Leaves the machine's mounts to the machine. To be called before there is a
/// second thread. The error is for the user.
pub fn retreat() -> Result<(), String> {
    // SAFETY: takes an integer and changes only this thread, the only one, and
    // those it will start.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } < 0 {
        return Err(format!(
            "mount namespace: unshare: {}; run it as root",
            io::Error::last_os_error()
        ));
    }
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    // iproute2 would make the directory, and leave it, in the same way.
    fs::create_dir_all("/run/netns").map_err(|error| format!("/run/netns: {error}"))?;
    mount(c"tmpfs", c"/run/netns", Some(c"tmpfs"), 0)?;
    // What POSIX has there is memory that the distribution always mounts.
    mount(c"tmpfs", c"/dev/shm", Some(c"tmpfs"), 0)?;
    mount(c"bpf", c"/sys/fs/bpf", Some(c"bpf"), 0)
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> Result<(), String> {
    // SAFETY: strings that outlive the call; the kind may be null, and none of
    // these mounts takes data.
    let result = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.map_or(ptr::null(), CStr::as_ptr),
            flags,
            ptr::null(),
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return Err(format!("{}: mount: {error}", target.to_string_lossy()));
    }
    Ok(())
}
