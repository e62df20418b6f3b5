//! As much of HTTP/1.1 as who reads metrics speaks: one GET or HEAD a connection, without a
//! body. What it reads is bounded in bytes here, and in time by its caller.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::render::openmetrics::Dialect;

/// Bytes that a request may have: Prometheus sends some 300.
const LONGEST: usize = 8192;
const END: &[u8] = b"\r\n\r\n";

/// What was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Asked {
    pub(super) page: Page,
    /// Without the body: HEAD.
    pub(super) head_only: bool,
    /// In which format figures are wanted.
    pub(super) dialect: Dialect,
}

/// The pages that there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Page {
    Root,
    Metrics,
}

/// How an answer begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    TooLarge,
    Failed,
    Busy,
    OtherVersion,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::RequestTimeout => "408 Request Timeout",
            Status::TooLarge => "431 Request Header Fields Too Large",
            Status::Failed => "500 Internal Server Error",
            Status::Busy => "503 Service Unavailable",
            Status::OtherVersion => "505 HTTP Version Not Supported",
        }
    }
}

/// The bytes of a request up to the empty line; `None`: the client went away.
///
/// # Errors
///
/// The status that says what is wrong with it.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Result<Option<Vec<u8>>, Status>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let length = stream.read(&mut chunk).await?;
        if length == 0 {
            return Ok(Ok(None));
        }
        // The end may be in two pieces.
        let seen = bytes.len().saturating_sub(END.len() - 1);
        bytes.extend_from_slice(&chunk[..length]);
        if bytes.len() > LONGEST {
            return Ok(Err(Status::TooLarge));
        }
        if let Some(end) = memchr::memmem::find(&bytes[seen..], END) {
            bytes.truncate(seen + end);
            return Ok(Ok(Some(bytes)));
        }
    }
}

/// What a request asks for.
pub(super) fn parse(bytes: &[u8]) -> Result<Asked, Status> {
    let text = std::str::from_utf8(bytes).map_err(|_| Status::BadRequest)?;
    let mut lines = text.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else {
        return Err(Status::BadRequest);
    };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
        let is_http = version.starts_with("HTTP/");
        return Err(if is_http {
            Status::OtherVersion
        } else {
            Status::BadRequest
        });
    }
    let (mut hosts, mut accept) = (0, String::new());
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Status::BadRequest)?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Status::BadRequest);
        }
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "accept" => {
                accept.push(',');
                accept.push_str(value);
            }
            "transfer-encoding" => return Err(Status::BadRequest),
            "content-length" if value.trim() != "0" => return Err(Status::BadRequest),
            _ => {}
        }
    }
    // RFC 9112, 3.2: just one, but for HTTP/1.0.
    if hosts > 1 || (hosts == 0 && version == "HTTP/1.1") {
        return Err(Status::BadRequest);
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let page = match target.split('?').next() {
        Some("/metrics") => Page::Metrics,
        Some("/") => Page::Root,
        _ => return Err(Status::NotFound),
    };
    Ok(Asked {
        page,
        head_only,
        dialect: dialect(&accept),
    })
}

/// What the client likes best; the older format where it does not say.
fn dialect(accept: &str) -> Dialect {
    let weight = |wanted: &str| {
        let ranges = accept.split(',').map(|range| range.split(';'));
        let of_it = ranges.filter_map(|mut parts| {
            let is_it = parts.next()?.trim().eq_ignore_ascii_case(wanted);
            let q = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok());
            is_it.then_some(q.unwrap_or(1.0_f32))
        });
        of_it.fold(0.0, f32::max)
    };
    let newer = weight("application/openmetrics-text");
    if newer > 0.0 && newer >= weight("text/plain") {
        Dialect::OpenMetrics
    } else {
        Dialect::Prometheus
    }
}

/// What `Content-Type` says of figures.
pub(super) const fn content_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        Dialect::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
    }
}

/// An answer's lines before its body, of so many bytes.
pub(super) fn head(status: Status, content_type: &str, length: usize) -> String {
    let allow = match status {
        Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
        _ => "",
    };
    format!(
        "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         {allow}X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        status.line()
    )
}

/// An answer that says nothing but its status.
pub(super) fn refusal(status: Status) -> String {
    let body = format!("{}\n", status.line());
    head(status, "text/plain; charset=utf-8", body.len()) + &body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_what_is_none() {
        let asked = |page, head_only, dialect| {
            Ok(Asked {
                page,
                head_only,
                dialect,
            })
        };
        let old = Dialect::Prometheus;
        for (text, expected) in [
            (
                "GET /metrics HTTP/1.1\r\nHost: a",
                asked(Page::Metrics, false, old),
            ),
            (
                "GET /metrics?x=1 HTTP/1.0",
                asked(Page::Metrics, false, old),
            ),
            ("HEAD / HTTP/1.1\r\nhOST:a", asked(Page::Root, true, old)),
            (
                "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text",
                asked(Page::Metrics, false, Dialect::OpenMetrics),
            ),
            ("GET /metrics HTTP/1.1", Err(Status::BadRequest)),
            (
                "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b",
                Err(Status::BadRequest),
            ),
            ("GET /metrics HTTP/1.1\r\nHost : a", Err(Status::BadRequest)),
            (
                "GET /metrics HTTP/1.1\r\nHost: a\r\n folded",
                Err(Status::BadRequest),
            ),
            (
                "GET /metrics HTTP/2.0\r\nHost: a",
                Err(Status::OtherVersion),
            ),
            ("GET /metrics\r\nHost: a", Err(Status::BadRequest)),
            ("GET  /metrics HTTP/1.1\r\nHost: a", Err(Status::BadRequest)),
            (
                "POST /metrics HTTP/1.1\r\nHost: a",
                Err(Status::MethodNotAllowed),
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked",
                Err(Status::BadRequest),
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5",
                Err(Status::BadRequest),
            ),
            ("GET /metric HTTP/1.1\r\nHost: a", Err(Status::NotFound)),
            ("GET ../metrics HTTP/1.1\r\nHost: a", Err(Status::NotFound)),
            ("", Err(Status::BadRequest)),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(
            parse(b"GET /\xff HTTP/1.1\r\nHost: a"),
            Err(Status::BadRequest)
        );
    }

    #[test]
    fn the_client_says_what_it_likes() {
        let newer = Dialect::OpenMetrics;
        for (accept, expected) in [
            ("", Dialect::Prometheus),
            ("*/*", Dialect::Prometheus),
            ("text/html,text/plain;q=0.5", Dialect::Prometheus),
            ("application/openmetrics-text;q=0", Dialect::Prometheus),
            (
                "application/openmetrics-text;q=0.2,text/plain",
                Dialect::Prometheus,
            ),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                 version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                newer,
            ),
        ] {
            assert_eq!(dialect(accept), expected, "{accept}");
        }
    }
}
