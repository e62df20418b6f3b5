//! A lab with a directory for configurations of its own.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use alias_tests::{Lab, NAME_PREFIX};

pub(crate) struct Desk {
    // Dropped in this order.
    pub(crate) lab: Lab,
    directory: Directory,
}

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}

impl Desk {
    /// Not attached yet.
    #[track_caller]
    pub(crate) fn plain() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME_PREFIX}{}-desk{number}", std::process::id());
        let directory = Directory(std::env::temp_dir().join(name));
        let mut builder = DirBuilder::new();
        builder
            .mode(0o700)
            .create(&directory.0)
            .expect("a directory of our own");
        let saved = directory.0.join("saved").join("aliases.toml");
        let saved = saved.to_str().expect("a name in UTF-8").to_owned();
        let lab = Lab::builder().env("ALIAS_CONFIG", &saved).build();
        Self { lab, directory }
    }

    #[track_caller]
    pub(crate) fn attached() -> Self {
        let desk = Self::plain();
        desk.lab.ctl_ok(&["attach", "eth0"]);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    /// Where `save` writes when nobody names a file.
    pub(crate) fn saved_path(&self) -> PathBuf {
        self.path("saved/aliases.toml")
    }

    #[track_caller]
    pub(crate) fn saved(&self) -> String {
        fs::read_to_string(self.saved_path()).expect("something is saved")
    }

    /// Writes the configuration that is applied; returns where.
    #[track_caller]
    pub(crate) fn write(&self, text: &str) -> String {
        self.write_bytes(text.as_bytes())
    }

    #[track_caller]
    pub(crate) fn write_bytes(&self, bytes: &[u8]) -> String {
        let path = self.path("mine.toml");
        fs::write(&path, bytes).expect("a file of our own");
        text(&path)
    }

    /// Exit code and output of `diff`.
    #[track_caller]
    pub(crate) fn compare(&self, words: &[&str]) -> (i32, String) {
        let output = self.lab.ctl(&[&["diff"], words].concat());
        (output.code(), output.stdout)
    }
}

#[track_caller]
pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a name in UTF-8").to_owned()
}
