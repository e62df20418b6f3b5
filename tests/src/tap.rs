//! A tap device, as a virtual machine has one: frames by a file descriptor.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    time::Duration,
};

use crate::{namespace::Namespace, process::poll_until, wait::deadline};

/// Larger than any frame.
const LARGEST_FRAME: usize = 64 * 1024;

/// A tap device; it is gone when this value is dropped.
#[derive(Debug)]
pub struct Tap {
    queue: File,
}

impl Tap {
    /// Makes the device in the namespace and brings it up.
    #[track_caller]
    pub fn open(namespace: &Namespace, name: &str) -> Self {
        let queue = namespace
            .enter(|| make(name))
            .unwrap_or_else(|error| panic!("tap {name} in {}: {error}", namespace.name()));
        namespace.ip(&format!("link set {name} up"));
        Self { queue }
    }

    /// What the machine behind the tap sends.
    #[track_caller]
    pub fn send(&self, frame: &[u8]) {
        let sent = (&self.queue)
            .write(frame)
            .expect("a tap that is up takes frames");
        assert_eq!(sent, frame.len());
    }

    /// The first frame for the machine behind the tap that `wanted` accepts.
    pub fn receive(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let deadline = deadline(limit);
        let mut frame = vec![0; LARGEST_FRAME];
        loop {
            let mut fds = [libc::pollfd {
                fd: self.queue.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            }];
            if !poll_until(&mut fds, deadline).expect("a tap can be polled") {
                return None;
            }
            let length = (&self.queue)
                .read(&mut frame)
                .expect("a tap that is up can be read");
            if wanted(&frame[..length]) {
                frame.truncate(length);
                return Some(frame);
            }
        }
    }
}

fn make(name: &str) -> io::Result<File> {
    let queue = OpenOptions::new()
        .read(true)
        .write(true)
        // As a machine's emulator has it: only then does the driver run XDP itself, and
        // not the stack behind it (`tun_can_build_skb`).
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: all zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call.
    if unsafe { libc::ioctl(queue.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(queue)
}
