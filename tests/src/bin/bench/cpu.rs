//! One CPU for everything that is compared.

use std::io;
use std::mem;
use std::thread;

use crate::Result;

/// Does `work` in a thread that stays on one CPU and goes before other threads
/// there; no row may have the better CPU. Those it starts are like it.
pub(crate) fn on_one_cpu<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let result = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            // SAFETY: sched_getcpu takes nothing.
            let cpu = usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0);
            stay_on(cpu).map_err(|error| format!("CPU {cpu}: affinity: {error}"))?;
            go_first().map_err(|error| format!("CPU {cpu}: priority: {error}"))?;
            work()
        });
        worker.join()
    });
    result.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
}

/// Binds the calling thread, and what it will start.
pub(crate) fn stay_on(cpu: usize) -> io::Result<()> {
    // SAFETY: the set is a plain bit mask, which is valid zeroed and outlives the
    // call that reads it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    succeeded(result)
}

fn go_first() -> io::Result<()> {
    // SAFETY: takes integers; in Linux 0 is the calling thread.
    succeeded(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) })
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
