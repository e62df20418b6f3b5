//! `daemon`: waits for events, and puts right at once what the next command would
//! find. What an event was about does not matter, so none can be missed: a pass
//! compares everything. One thing only the event tells, that a parent was down
//! and is up again.
//!
//! Killed at any point it is as any other writer; while it is away, commands do
//! its work.

mod carriers;
mod endpoint;
mod health;
mod http;
mod log;
mod notify;
mod wanted;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::dataplane::parent::holds_on;
use crate::dataplane::{Directory, Parent};
use crate::error::{Refusal, Result};
use crate::interrupt;
use crate::lifecycle::reconcile;
use crate::lifecycle::reconcile::events::{Events, Extent};
use crate::model::request::DaemonOptions;
use crate::netlink::{LinkEvents, Watch};
use crate::wiring::host::Host;
use crate::wiring::transaction::Transaction;

use carriers::Carriers;
use endpoint::{Answers, Endpoint, Figures};
use health::Health;
use log::say;
use wanted::Wanted;

/// From the first event to the pass: a change is rarely one message.
const SETTLE: Duration = Duration::from_millis(20);
/// A pass may take this part of the time, and its next begins this much later at
/// the latest, whatever it took.
const REST_FACTOR: u32 = 4;
const LONGEST_REST: Duration = Duration::from_millis(500);
/// How often programs are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After a pass that failed.
const RETRY: Duration = Duration::from_secs(1);
/// What a pass that is under way gets when the daemon shall end.
const PATIENCE: Duration = Duration::from_secs(1);

/// `alias-ctl daemon`. Returns when it is told to end.
///
/// # Errors
///
/// EBUSY when one runs in this namespace, and what keeps it from listening. What
/// a pass meets is said, and tried again.
pub fn daemon(options: &DaemonOptions, figures: Figures) -> Result<()> {
    // Whoever reads its log may be started anew meanwhile: it goes on without.
    // SAFETY: the disposition of a signal, before there is another thread.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    interrupt::leave_alone();
    let host = Host::open()?;
    let lock = host.directory.lock()?;
    let daemon_lock = lock.take_daemon_lock(options.on_down)?;
    drop(lock);
    let failed = |error: &io::Error| Refusal::io("daemon", "start", error);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let endpoint = options.metrics.as_ref().map(Endpoint::bind).transpose()?;
    let answers = Arc::new(Answers {
        figures,
        top: Some(options.metrics_top),
        health: Mutex::new(Health::new()),
        gathering: Mutex::new(()),
    });
    let served = runtime.block_on(async {
        let answering = endpoint.map(|endpoint| tokio::spawn(endpoint.serve(Arc::clone(&answers))));
        let served = serve(host, options.event_buffer, &answers).await;
        if let Some(answering) = answering {
            answering.abort();
            // Until it is gone, and its socket with it.
            let _ = answering.await;
        }
        served
    });
    // A pass that waits for the lock waits for somebody else.
    runtime.shutdown_timeout(PATIENCE);
    drop(daemon_lock);
    log::drain();
    // To be told to end is how it ends.
    interrupt::forget();
    served
}

/// A pass: where it runs, the events before it, and after it what came of it.
struct Pass {
    host: Host,
    wanted: Wanted,
    events: Events,
    outcome: Result<Vec<String>>,
    restored: Vec<String>,
    took: Duration,
}

async fn serve(mut host: Host, event_buffer: usize, answers: &Answers) -> Result<()> {
    let failed = |error: io::Error| Refusal::io("daemon", "run", &error);
    // Before the first look: what happens from now on is heard of.
    let mut watch = Watch::open(event_buffer)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let directory = host.directory.clone();
    // What is up already does not come up when something else of it changes.
    let links = host.netlink.links()?;
    let running = links.iter().filter(|link| link.running);
    let mut carriers = Carriers::new(running.map(|link| link.ifindex));
    let mut known_up: HashSet<u32> = links
        .into_iter()
        .filter(|link| link.up)
        .map(|link| link.ifindex)
        .collect();
    // To what was saved, everything that is up has just come up.
    let mut events = Events {
        up: known_up.clone(),
        ..Events::default()
    };
    let mut idle = Some((host, Wanted::default()));
    let mut pass: Option<JoinHandle<Pass>> = None;
    let mut due = Some(Instant::now());
    let mut not_before = Instant::now();
    let mut last_failure = None;
    let mut ready = false;
    let mut heartbeat = notify::heartbeat().map(tokio::time::interval);
    // As the last pass left them: their pins make no event when somebody removes them.
    let mut parents = Vec::new();
    loop {
        let begin_at = due.map(|due| due.max(not_before));
        tokio::select! {
            news = watch.hear() => {
                let news = news?;
                if news.overrun {
                    say("events were lost: looking at everything anew");
                    answers.note(Health::note_overrun);
                }
                take_in(&mut events, &mut known_up, &directory, &news);
                carriers.take_in(&news);
                due.get_or_insert(Instant::now() + SETTLE);
            }
            () = sleep_until(begin_at), if begin_at.is_some() && idle.is_some() => {
                let events = std::mem::take(&mut events);
                pass = idle.take().map(|(host, wanted)| {
                    tokio::task::spawn_blocking(|| run(host, wanted, events))
                });
                due = None;
            }
            // A program that another tool detaches makes no event, and neither does a
            // namespace that appears.
            () = tokio::time::sleep(LOOK), if due.is_none() && pass.is_none() => {
                let wanted = idle.as_ref().map(|(_, wanted)| wanted);
                let is_less = directory.parents().unwrap_or_default() != parents;
                if is_less
                    || is_left_unfinished(&directory)
                    || programs_detached(&directory)
                    || wanted.is_some_and(Wanted::is_due) {
                    due = Some(Instant::now());
                }
            }
            ended = ended(&mut pass), if pass.is_some() => {
                pass = None;
                let Pass { host, wanted, events: again, outcome, restored, took } =
                    ended.map_err(|error| failed(io::Error::other(error)))?;
                idle = Some((host, wanted));
                let watched = parents.len();
                parents = directory.parents().unwrap_or_default();
                if ready && parents.len() != watched {
                    notify::watching(parents.len());
                }
                let repairs = outcome.as_ref().map_or(0, Vec::len) + restored.len();
                answers.note(|health| health.note_pass(outcome.is_ok(), repairs, took));
                not_before = Instant::now() + (took * REST_FACTOR).min(LONGEST_REST);
                match outcome {
                    Ok(done) => {
                        done.iter().for_each(|line| say(line));
                        last_failure = None;
                    }
                    Err(refusal) => {
                        events = both(again, std::mem::take(&mut events));
                        // What the verifier gave up on, after a second of work, it will
                        // give up on again.
                        if refusal.errno != libc::E2BIG {
                            due.get_or_insert(Instant::now() + RETRY);
                        }
                        let text = refusal.to_string();
                        if last_failure.as_ref() != Some(&text) {
                            say(&text);
                        }
                        last_failure = Some(text);
                    }
                }
                restored.iter().for_each(|line| say(line));
                carriers.begin();
                if !std::mem::replace(&mut ready, true) {
                    say("ready");
                    notify::ready(parents.len());
                }
            }
            ended = carriers.ended(), if carriers.is_busy() => {
                if let Err(refusal) = ended.map_err(|error| failed(io::Error::other(error)))? {
                    say(&refusal.to_string());
                }
                carriers.begin();
            }
            () = beaten(&mut heartbeat), if heartbeat.is_some() => notify::alive(),
            _ = terminate.recv() => return told_to_end(libc::SIGTERM),
            _ = interrupted.recv() => return told_to_end(libc::SIGINT),
        }
    }
}

/// A pass that is under way hears of it too.
fn told_to_end(signal: i32) -> Result<()> {
    notify::stopping();
    interrupt::note(signal);
    Ok(())
}

/// Whether a writer is at work, or was killed at it, which makes no event either. A pass
/// waits for the one that is at work.
fn is_left_unfinished(directory: &Directory) -> bool {
    let is_unfinished = |ifindex: &u32| {
        let header = Parent::peek(directory, *ifindex).ok().flatten();
        header.is_some_and(|header| header.unfinished != 0)
    };
    directory.has_drafts().unwrap_or(false)
        || directory.growing().is_ok_and(|growing| !growing.is_empty())
        || directory
            .parents()
            .is_ok_and(|parents| parents.iter().any(is_unfinished))
}

/// Whether some parent's XDP program is not attached any more.
fn programs_detached(directory: &Directory) -> bool {
    let parents = directory.parents().unwrap_or_default();
    parents
        .into_iter()
        // What cannot be read, as that of another version, no pass can change.
        .filter(|ifindex| matches!(Parent::peek(directory, *ifindex), Ok(Some(_))))
        .any(|ifindex| !holds_on(&directory.parent(ifindex), ifindex))
}

/// Looks, and takes the lock only if there is something to put right.
fn run(mut host: Host, mut wanted: Wanted, mut events: Events) -> Pass {
    let began = Instant::now();
    let outcome = reconcile::is_due(&mut host, &events).and_then(|due| {
        if !due {
            return Ok(Vec::new());
        }
        let mut tx = Transaction::wait(&mut host)?;
        let pass = reconcile::reconcile(&mut tx, &events, Extent::Whole)?;
        // What was saved of them is wanted as when they come up.
        events.up.extend(pass.lost);
        match pass.failed.into_iter().next() {
            Some(refusal) => {
                pass.done.iter().for_each(|line| say(line));
                Err(refusal)
            }
            None => Ok(pass.done),
        }
    });
    // Whatever is in the way of one parent keeps nothing from another.
    let noted = wanted.note(&mut host, &events);
    let restored = noted.and_then(|()| wanted.restore(&mut host));
    let restored = restored.unwrap_or_else(|refusal| vec![refusal.to_string()]);
    Pass {
        host,
        wanted,
        events,
        outcome,
        restored,
        took: began.elapsed(),
    }
}

/// Remembers what the kernel's state will not tell: who went down, and which
/// aliases there were by then. It is asked for at once, because what is added
/// after the parent is up again has nothing to do with it.
fn take_in(
    events: &mut Events,
    known_up: &mut HashSet<u32>,
    directory: &Directory,
    news: &LinkEvents,
) {
    for (ifindex, up) in &news.links {
        if !up {
            known_up.remove(ifindex);
        } else if known_up.insert(*ifindex) {
            events.up.insert(*ifindex);
        }
        if !up && let Ok(Some(header)) = Parent::peek(directory, *ifindex) {
            events.down.insert(*ifindex, header.last_created);
        }
    }
}

/// The events of two passes; the later one knows more aliases.
fn both(earlier: Events, later: Events) -> Events {
    let Events { mut down, mut up } = earlier;
    down.extend(later.down);
    up.extend(later.up);
    Events { down, up }
}

async fn sleep_until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}

async fn beaten(heartbeat: &mut Option<tokio::time::Interval>) {
    match heartbeat {
        Some(heartbeat) => drop(heartbeat.tick().await),
        None => std::future::pending().await,
    }
}

async fn ended(
    pass: &mut Option<JoinHandle<Pass>>,
) -> std::result::Result<Pass, tokio::task::JoinError> {
    match pass {
        Some(pass) => pass.await,
        None => std::future::pending().await,
    }
}
