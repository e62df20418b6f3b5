//! Ten upgrades, from one build to another and back, under numbered packets: each arrives
//! once, and no figure that a reader sees meanwhile is less than it was.

use std::{
    net::{IpAddr, UdpSocket},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use alias_tests::{Lab, Mode, Namespace, RawSocket, comes_true};
use serde_json::Value;

use super::Builds;
use crate::growth::traffic::container;
use crate::on_drop::OnDrop;
use crate::scene::{LIMIT, from_b_to_a, has_tcx, ip};

const UPGRADES: usize = 10;
/// Packets a second that are sent at least, over all targets.
const RATE: f64 = 10_000.0;
/// Packets a second to each target that the sender keeps up with.
const PACE: f64 = 4000.0;
/// Packets that each target is sent at a time: fewer than its ring has places.
const BURST: u64 = 32;
const PORT: u16 = 4000;

/// Where numbered packets go, and which of them came.
struct Sink {
    socket: UdpSocket,
    came: AtomicU64,
    twice: AtomicU64,
}

impl Sink {
    #[track_caller]
    fn open(namespace: &Namespace, address: &str) -> Self {
        let bound = namespace.enter(|| UdpSocket::bind((address, PORT)));
        let socket = bound.expect("a socket");
        // What a reader that is held up has yet to read.
        let room: libc::c_int = 64 << 20;
        // SAFETY: an open descriptor, and an integer with its length.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                (&raw const room).cast(),
                size_of_val(&room) as libc::socklen_t,
            )
        };
        assert_eq!(set, 0, "SO_RCVBUFFORCE");
        let limit = Some(Duration::from_millis(200));
        socket.set_read_timeout(limit).expect("a time limit");
        Self {
            socket,
            came: AtomicU64::new(0),
            twice: AtomicU64::new(0),
        }
    }

    /// Reads until it is told to end. Each number counts once.
    fn read(&self, over: &AtomicBool) {
        let (mut seen, mut number) = (Vec::new(), [0; 8]);
        while !over.load(Ordering::Relaxed) {
            let Ok(8) = self.socket.recv(&mut number) else {
                continue;
            };
            let number = u64::from_le_bytes(number) as usize;
            if seen.len() <= number {
                seen.resize(number + 1, false);
            }
            let counter = match std::mem::replace(&mut seen[number], true) {
                false => &self.came,
                true => &self.twice,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A datagram whose payload is a number; its checksum is none (RFC 768).
fn numbered(lab: &Lab, to: IpAddr) -> Vec<u8> {
    const CHECKSUM: usize = 14 + 20 + 6;
    let built = from_b_to_a(lab).ip(ip("192.0.2.1"), to);
    let mut frame = built.udp(5, PORT, &[0; 8]).build();
    frame[CHECKSUM..CHECKSUM + 2].fill(0);
    frame
}

/// Sends numbers from 0 on to each until it is told to end. Returns how many, and how many
/// a second over all.
fn send(lab: &Lab, frames: &mut [Vec<u8>], over: &AtomicBool) -> (u64, f64) {
    const NUMBER: usize = 14 + 20 + 8;
    let at_b = RawSocket::open(&lab.b, "eth0");
    let (started, mut sent) = (Instant::now(), 0u64);
    while !over.load(Ordering::Relaxed) {
        let due = (started.elapsed().as_secs_f64() * PACE) as u64;
        let until = due.min(sent + BURST);
        for number in sent..until {
            for frame in &mut *frames {
                frame[NUMBER..NUMBER + 8].copy_from_slice(&number.to_le_bytes());
                at_b.send(frame);
            }
        }
        sent = until.max(sent);
        // The pace: a ring that is full would lose frames before they are anybody's.
        thread::sleep(Duration::from_millis(1));
    }
    let rate = (sent * frames.len() as u64) as f64 / started.elapsed().as_secs_f64();
    (sent, rate)
}

/// Reads all figures again and again, none of which is ever less than before. Returns how
/// often.
fn watch(lab: &Lab, over: &AtomicBool) -> u32 {
    let (mut last, mut readings) = (Value::Null, 0);
    while !over.load(Ordering::Relaxed) {
        let mut rows = Vec::new();
        for words in [&["stats"][..], &["stats", "--parent"]] {
            let output = lab.ctl_json(words);
            rows.push(output);
        }
        let now = Value::Array(rows);
        assert_no_step_back(&last, &now, "stats");
        last = now;
        readings += 1;
    }
    readings
}

#[track_caller]
fn assert_no_step_back(last: &Value, now: &Value, place: &str) {
    match (last, now) {
        (Value::Number(last), Value::Number(now)) => {
            let (last, now) = (last.as_u64(), now.as_u64());
            assert!(last <= now, "{place}: {last:?}, then {now:?}");
        }
        (Value::Array(last), Value::Array(now)) => {
            assert_eq!(last.len(), now.len(), "{place}");
            for (number, (last, now)) in last.iter().zip(now).enumerate() {
                assert_no_step_back(last, now, &format!("{place}[{number}]"));
            }
        }
        (Value::Object(last), Value::Object(now)) => {
            for (key, last) in last {
                assert_no_step_back(last, &now[key], &format!("{place}.{key}"));
            }
        }
        (Value::Number(last), other) => panic!("{place}: {last}, then {other}"),
        _ => {}
    }
}

fn check(mode: Mode, tc: &str) {
    let builder = Lab::builder().mode(mode).attach_options(&["--tc", tc]);
    let lab = builder.silent().build();
    let builds = Builds::of(&lab);
    let (home, far) = (lab.namespace("home"), lab.namespace("far"));
    container(&lab, &far);
    lab.ctl_ok(&["add", "eth0:0", "198.51.100.8/24", "--netns", home.name()]);
    lab.ctl_ok(&["add", "eth0:1", "203.0.113.9/24", "--to", "v0"]);
    lab.ctl_ok(&["add", "eth0", "--range", "198.18.0.0/24", "--drop"]);
    // Where nothing leads back, nothing is taken.
    let device = lab.device("eth0:0");
    home.ip(&format!("route add 192.0.2.0/24 dev {device}"));
    let targets = [
        ("198.51.100.8", &home),
        ("203.0.113.9", &far),
        ("192.0.2.9", &lab.a),
    ];
    let sinks = targets.map(|(address, namespace)| Sink::open(namespace, address));
    let mut frames = targets.map(|(address, _)| numbered(&lab, ip(address)));
    let (over, drained) = (AtomicBool::new(false), AtomicBool::new(false));
    let pins = lab.pins();
    let sent = thread::scope(|scope| {
        let drain = OnDrop(|| drained.store(true, Ordering::Relaxed));
        for sink in &sinks {
            scope.spawn(|| sink.read(&drained));
        }
        let end = OnDrop(|| over.store(true, Ordering::Relaxed));
        let sender = scope.spawn(|| send(&lab, &mut frames, &over));
        let reader = scope.spawn(|| watch(&lab, &over));
        for number in 1..=UPGRADES {
            let output = lab.ctl_of(&builds.number(number), &["upgrade"]).ok();
            assert!(output.stdout.starts_with("eth0: upgraded"), "{output}");
        }
        drop(end);
        let readings = reader.join().expect("the reader does not panic");
        assert!(readings > 10, "too few to say anything: {readings}");
        let (sent, rate) = sender.join().expect("the sender does not panic");
        assert!(rate >= RATE, "only {rate:.0} packets a second");
        for ((address, _), sink) in targets.iter().zip(&sinks) {
            let came = || sink.came.load(Ordering::Relaxed);
            if !comes_true(LIMIT, || came() == sent) {
                let stats = lab.ctl_json(&["stats", "--parent"]);
                let rows = lab.ctl_json(&["stats"]);
                panic!("{address}: {} of {sent} came: {stats} {rows}", came());
            }
        }
        drop(drain);
        sent
    });
    for sink in &sinks {
        assert_eq!(sink.twice.load(Ordering::Relaxed), 0);
    }
    for alias in ["eth0:0", "eth0:1"] {
        lab.wait_for_counter(alias, "rx_packets", sent);
    }
    assert_eq!(lab.pins(), pins);
}

#[test]
fn ten_upgrades_lose_nothing_native() {
    check(Mode::Native, "tcx");
}

#[test]
fn ten_upgrades_lose_nothing_on_clsact() {
    check(Mode::Native, "clsact");
}

#[test]
fn ten_upgrades_lose_nothing_generic() {
    check(Mode::Generic, "tcx");
}

#[test]
fn ten_upgrades_lose_nothing_tc() {
    if has_tcx() {
        check(Mode::Tc, "tcx");
    }
}
