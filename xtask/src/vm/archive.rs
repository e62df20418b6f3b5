//! The guest's root as the kernel takes it: cpio archives in the "newc" format
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Several of them,
//! one after another, are one root; so what never changes is packed once.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const FORMAT: u32 = 0o170_000;

/// Between two archives the kernel skips zeros, and wants the next header at a
/// multiple of four: any larger power of two serves.
const BLOCK: u64 = 512;

/// An archive that is being written.
pub(crate) struct Archive<W: io::Write> {
    out: W,
    written: u64,
    entries: u32,
}

impl Archive<BufWriter<File>> {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| cannot_write(path))?;
        Ok(Self::new(BufWriter::new(file)))
    }
}

impl<W: io::Write> Archive<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            written: 0,
            entries: 0,
        }
    }

    /// A directory of this machine with everything below it, under another name.
    /// `wanted` is asked for each path below it, relative to `from`.
    pub(crate) fn tree(
        &mut self,
        from: &Path,
        name: &str,
        wanted: &dyn Fn(&Path) -> bool,
    ) -> Result<()> {
        self.branch(from, from, name, wanted)
    }

    fn branch(
        &mut self,
        top: &Path,
        from: &Path,
        name: &str,
        wanted: &dyn Fn(&Path) -> bool,
    ) -> Result<()> {
        let entries = fs::read_dir(from).with_context(|| cannot_read(from))?;
        let mut names = entries
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()
            .with_context(|| cannot_read(from))?;
        // The same root gives the same archive.
        names.sort_unstable();
        for below in names {
            let path = from.join(&below);
            if !wanted(path.strip_prefix(top).unwrap_or(&path)) {
                continue;
            }
            let inside = below.to_string_lossy();
            let inside = match name {
                "" => inside.into_owned(),
                above => format!("{above}/{inside}"),
            };
            let metadata = path
                .symlink_metadata()
                .with_context(|| cannot_read(&path))?;
            if metadata.is_dir() {
                self.entry(&inside, &metadata, &[])?;
                self.branch(top, &path, &inside, wanted)?;
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).with_context(|| cannot_read(&path))?;
                self.entry(&inside, &metadata, target.as_os_str().as_bytes())?;
            } else if metadata.is_file() {
                let content = fs::read(&path).with_context(|| cannot_read(&path))?;
                self.entry(&inside, &metadata, &content)?;
            }
            // Devices, sockets and pipes are the guest's own to make.
        }
        Ok(())
    }

    /// A file of this machine, executable, under another name.
    pub(crate) fn program(&mut self, from: &Path, name: &str) -> Result<()> {
        let content = fs::read(from).with_context(|| cannot_read(from))?;
        self.write(name, REGULAR | 0o755, [0, 0], &content)
    }

    /// A file with this content, executable.
    pub(crate) fn script(&mut self, name: &str, content: &str) -> Result<()> {
        self.write(name, REGULAR | 0o755, [0, 0], content.as_bytes())
    }

    pub(crate) fn directory(&mut self, name: &str) -> Result<()> {
        self.write(name, DIRECTORY | 0o755, [0, 0], &[])
    }

    fn entry(&mut self, name: &str, metadata: &Metadata, content: &[u8]) -> Result<()> {
        let kind = match metadata.mode() & FORMAT {
            DIRECTORY => DIRECTORY,
            SYMLINK => SYMLINK,
            _ => REGULAR,
        };
        let owner = [metadata.uid(), metadata.gid()];
        self.write(name, kind | (metadata.mode() & 0o7777), owner, content)
    }

    fn write(&mut self, name: &str, mode: u32, owner: [u32; 2], content: &[u8]) -> Result<()> {
        self.entries += 1;
        // Every file is an inode of its own: with a link count of one the kernel
        // asks for no other name of it.
        let inode = if name == TRAILER { 0 } else { self.entries };
        self.put(name, inode, mode, owner, content)
            .with_context(|| format!("{name}: cannot be packed: check the space on this disk"))
    }

    fn put(
        &mut self,
        name: &str,
        inode: u32,
        mode: u32,
        [user, group]: [u32; 2],
        content: &[u8],
    ) -> io::Result<()> {
        let too_large = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let size = u32::try_from(content.len()).map_err(too_large)?;
        let name_size = u32::try_from(name.len() + 1).map_err(too_large)?;
        // Times and device numbers are 0, and so is the sum, which newc leaves out.
        let fields = [
            inode, mode, user, group, 1, 0, size, 0, 0, 0, 0, name_size, 0,
        ];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08x}"));
        }
        header.push_str(name);
        header.push('\0');
        self.bytes(header.as_bytes())?;
        self.pad(4)?;
        self.bytes(content)?;
        self.pad(4)
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad(&mut self, to: u64) -> io::Result<()> {
        let missing = (to - self.written % to) % to;
        self.bytes(&vec![0; usize::try_from(missing).unwrap_or_default()])
    }

    /// Ends the archive, such that another may follow it.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.write(TRAILER, 0, [0, 0], &[])?;
        self.pad(BLOCK)
            .and_then(|()| self.out.flush())
            .context("archive: its end cannot be written: check the space on this disk")?;
        Ok(self.out)
    }
}

/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";

fn cannot_read(path: &Path) -> String {
    format!(
        "{}: cannot be read to be packed: remove target/vm to have it made again",
        path.display()
    )
}

fn cannot_write(path: &Path) -> String {
    format!(
        "{}: cannot be written: check the directory's rights and space",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_what_the_format_says() {
        let mut archive = Archive::new(Vec::new());
        archive.script("init", "#!/bin/sh\n").unwrap();
        archive.directory("a/b").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 512, 0);
        let text = String::from_utf8(bytes).unwrap();
        let first = concat!(
            "070701",   // magic
            "00000001", // inode
            "000081ed", // mode
            "00000000", // user
            "00000000", // group
            "00000001", // links
            "00000000", // time
            "0000000a", // size
            "00000000", // device
            "00000000",
            "00000000", // device of a device file
            "00000000",
            "00000005", // name with its NUL
            "00000000", // sum
            "init\0\0",
            "#!/bin/sh\n\0\0",
            "07070100000002000041ed",
        );
        assert!(text.starts_with(first), "{text:?}");
        assert!(text.trim_end_matches('\0').ends_with(TRAILER));
    }
}
