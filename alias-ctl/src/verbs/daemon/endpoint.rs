//! Where Prometheus asks the daemon. The daemon never waits for a client: each is a task
//! with a limit of time, there are few at once, and figures are gathered by one thread at
//! a time, apart from the passes.

use std::fs;
use std::io;
use std::net;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::umask;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{sleep, timeout};

use crate::error::{Refusal, Result};
use crate::model::request::MetricsAt;
use crate::render::openmetrics::{Dialect, end};

use super::health::Health;
use super::http::{self, Asked, Page, Status};

/// Clients at a time; the next one is told to come again.
const CLIENTS: usize = 8;
/// What a client has for its request, and then for taking the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a connection could not be accepted: descriptors may be short.
const PAUSE: Duration = Duration::from_millis(100);

const ROOT: &str = "alias-ctl daemon: figures for Prometheus are at /metrics\n";

/// Writes the figures of aliases and parents, without what ends them.
pub type Figures = fn(Dialect, Option<usize>) -> Result<String>;

/// What is told to who asks.
pub(super) struct Answers {
    /// How figures are gathered.
    pub(super) figures: Figures,
    /// Of so many aliases; `None`: of all.
    pub(super) top: Option<usize>,
    /// What the daemon says of itself.
    pub(super) health: Mutex<Health>,
    /// Held while figures are gathered.
    pub(super) gathering: Mutex<()>,
}

impl Answers {
    /// Changes what the daemon says of itself.
    pub(super) fn note(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes as long as there are aliases: not for the daemon's own thread.
    fn metrics(&self, dialect: Dialect) -> Result<String> {
        let one_at_a_time = self.gathering.lock();
        let mut text = (self.figures)(dialect, self.top)?;
        drop(one_at_a_time);
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let health = health.clone();
        health.write(&mut text, dialect);
        text.push_str(end(dialect));
        Ok(text)
    }
}

/// A socket that listens; a path goes with it.
pub(super) struct Endpoint {
    listener: Listener,
    path: Option<PathBuf>,
}

enum Listener {
    Tcp(net::TcpListener),
    Unix(unix::UnixListener),
}

impl Endpoint {
    /// Listens.
    ///
    /// # Errors
    ///
    /// EADDRINUSE when somebody does so there, and what else the kernel says.
    pub(super) fn bind(at: &MetricsAt) -> Result<Endpoint> {
        let refused = |error: io::Error| {
            Refusal::io(at.to_string(), "listen for Prometheus", &error).hint(match at {
                MetricsAt::Tcp(_) => "name an address of this namespace and a port that nobody has",
                MetricsAt::Unix(_) => {
                    "name a path in a directory that is there, where nobody listens"
                }
            })
        };
        match at {
            MetricsAt::Tcp(address) => {
                let listener = net::TcpListener::bind(address).map_err(refused)?;
                listener.set_nonblocking(true).map_err(refused)?;
                Ok(Endpoint {
                    listener: Listener::Tcp(listener),
                    path: None,
                })
            }
            MetricsAt::Unix(path) => {
                forget_dead(path).map_err(refused)?;
                // 0660 from the first moment on. There is one thread yet.
                let before = umask(Mode::from_raw_mode(0o117));
                let listener = unix::UnixListener::bind(path);
                umask(before);
                let listener = listener.map_err(refused)?;
                listener.set_nonblocking(true).map_err(refused)?;
                Ok(Endpoint {
                    listener: Listener::Unix(listener),
                    path: Some(path.clone()),
                })
            }
        }
    }

    /// Answers, until it is dropped.
    ///
    /// # Errors
    ///
    /// What keeps the runtime from waiting for the socket.
    pub(super) async fn serve(self, answers: Arc<Answers>) -> io::Result<()> {
        let _goes_with_us = Socket(self.path);
        // Each client holds one.
        let clients = Arc::new(());
        match self.listener {
            Listener::Tcp(listener) => {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => admit(stream, &clients, &answers),
                        Err(_) => sleep(PAUSE).await,
                    }
                }
            }
            Listener::Unix(listener) => {
                let listener = UnixListener::from_std(listener)?;
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => admit(stream, &clients, &answers),
                        Err(_) => sleep(PAUSE).await,
                    }
                }
            }
        }
    }
}

/// Removes its path when it goes.
struct Socket(Option<PathBuf>);

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Gone is as good.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes the socket of a daemon that was killed: nobody listens there.
fn forget_dead(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match unix::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Bound already: bind says so.
        _ => Ok(()),
    }
}

fn admit(
    mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    clients: &Arc<()>,
    answers: &Arc<Answers>,
) {
    let is_one_too_many = Arc::strong_count(clients) > CLIENTS;
    let (client, answers) = (Arc::clone(clients), Arc::clone(answers));
    tokio::spawn(async move {
        if is_one_too_many {
            // Not counted among them, and gone at once: what fits into the socket.
            drop(client);
            let _ = timeout(PAUSE, refuse(&mut stream, Status::Busy)).await;
            return;
        }
        // Who went away is told nothing.
        let _ = converse(&mut stream, &answers).await;
        drop(client);
    });
}

/// One request and its answer.
async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    answers: &Arc<Answers>,
) -> io::Result<()> {
    let asked = match timeout(PATIENCE, http::read(stream)).await {
        Ok(read) => match read? {
            Ok(None) => return Ok(()),
            Ok(Some(bytes)) => http::parse(&bytes),
            Err(status) => Err(status),
        },
        Err(_) => Err(Status::RequestTimeout),
    };
    match asked {
        Ok(asked) => {
            let text = answer(asked, answers).await;
            timeout(PATIENCE, send(stream, &text)).await?
        }
        Err(status) => match timeout(PAUSE, refuse(stream, status)).await {
            Ok(result) => result,
            Err(_) => Ok(()),
        },
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Says why not, and takes what the client still sends: closed over it, the socket would
/// take the answer back.
async fn refuse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    status: Status,
) -> io::Result<()> {
    send(stream, &http::refusal(status)).await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? != 0 {}
    Ok(())
}

async fn answer(asked: Asked, answers: &Arc<Answers>) -> String {
    let (status, kind, body) = match asked.page {
        Page::Root => (Status::Ok, "text/plain; charset=utf-8", ROOT.to_owned()),
        Page::Metrics => {
            let (answers, dialect) = (Arc::clone(answers), asked.dialect);
            let gathered = tokio::task::spawn_blocking(move || answers.metrics(dialect)).await;
            match gathered {
                Ok(Ok(text)) => (Status::Ok, http::content_type(dialect), text),
                Ok(Err(refusal)) => {
                    let text = format!("alias-ctl: {refusal}\n");
                    (Status::Failed, "text/plain; charset=utf-8", text)
                }
                Err(_) => return http::refusal(Status::Failed),
            }
        }
    };
    let head = http::head(status, kind, body.len());
    if asked.head_only { head } else { head + &body }
}
