//! One guest: booted, listened to, and gone when its jobs are done or its time is.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

use super::job::{Job, Report};
use super::kernel::Kernel;
use super::wire::{self, Wire};

const EMULATOR: &str = "qemu-system-x86_64";

/// An emulated processor: hardware's own virtualisation is not to be had on every
/// host, and the same everywhere is worth more than fast somewhere. One thread takes
/// turns for both processors: with two, a QEMU of Debian 12 ran an instruction that
/// the other processor had just patched (`Oops: int3` in bpf_dispatcher_xdp_func),
/// and it was no faster.
const MACHINE: &[&str] = &[
    "-machine",
    "q35",
    "-accel",
    "tcg,thread=single",
    "-cpu",
    "max",
    "-smp",
    "2",
    "-m",
    "3072",
    "-display",
    "none",
    "-monitor",
    "none",
    "-no-reboot",
    "-nodefaults",
    "-no-user-config",
];

/// A panic is an end, not a guest that hangs.
const KERNEL_LINE: &str = "console=ttyS0 rdinit=/init panic=-1 net.ifnames=0";

/// How much of the console says why a guest did not reach its end.
const LAST_WORDS: usize = 30;

/// Boots it and returns what it has said. Its words are shown as they come, and
/// kept in `log`; the kernel's own are in a file beside.
pub(crate) fn run(
    kernel: &Kernel,
    root: &Path,
    jobs: Vec<Job>,
    limit: Duration,
    log: &Path,
    workspace: &Workspace,
) -> Result<Report> {
    let console = log.with_extension("console");
    let mut kept = File::create(log).with_context(|| cannot_write(log))?;
    let wire = Wire::lay(workspace)
        .inspect_err(|error| {
            eprintln!("vm: its cards have one queue and no offloads: {error:#}");
        })
        .ok();
    let started = Instant::now();
    let mut guest = Guest(
        command(kernel, root, &console, wire.as_ref(), workspace)
            .spawn()
            .with_context(|| format!("{EMULATOR}: could not be started"))?,
    );
    let lines = guest.lines();
    let mut report = Report::new(jobs, started);
    loop {
        let left = limit.saturating_sub(started.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => {
                let seconds = started.elapsed().as_secs_f64();
                writeln!(kept, "{seconds:8.2} {line}").with_context(|| cannot_write(log))?;
                if report.take(&line, Instant::now()) {
                    println!("{line}");
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                println!(
                    "{}: not at its end after {}: it is killed; a higher --limit gives it longer",
                    kernel.release,
                    process::seconds(limit)
                );
                break;
            }
        }
    }
    drop(guest);
    if !report.is_done() {
        let said = fs::read(&console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        println!("{}: its console ends with", kernel.release);
        for line in &lines[lines.len().saturating_sub(LAST_WORDS)..] {
            println!("    {line}");
        }
    }
    Ok(report)
}

fn command(
    kernel: &Kernel,
    root: &Path,
    console: &Path,
    wire: Option<&Wire<'_>>,
    workspace: &Workspace,
) -> Command {
    // A guest is of no use to anybody once this process has been killed.
    let mut command = process::command("setpriv", workspace);
    command.args(["--pdeathsig", "KILL"]);
    if let Some(wire) = wire {
        command.args(wire.enter());
    }
    command
        .arg(EMULATOR)
        .args(MACHINE)
        .args(wire.map_or_else(wire::plain_cards, Wire::cards))
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(root)
        .args(["-append", KERNEL_LINE])
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .args(["-serial", "stdio"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// A running emulator, which does not outlive this value.
struct Guest(Child);

impl Guest {
    /// What it prints, line by line, from a thread of its own: a guest that says
    /// nothing must not keep us from looking at the clock.
    fn lines(&mut self) -> mpsc::Receiver<String> {
        let (sender, receiver) = mpsc::channel();
        let output = self.0.stdout.take();
        thread::spawn(move || {
            // By bytes: a test may print what is no text.
            for bytes in BufReader::new(output?).split(b'\n') {
                let text = String::from_utf8_lossy(&bytes.ok()?).into_owned();
                sender.send(text.trim_end_matches('\r').to_owned()).ok()?;
            }
            Some(())
        });
        receiver
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // It has ended by itself, or nobody waits for it any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cannot_write(path: &Path) -> String {
    format!(
        "{}: cannot be written: check the directory's rights and space",
        path.display()
    )
}
