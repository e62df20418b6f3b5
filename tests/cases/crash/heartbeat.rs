//! Traffic that goes on while commands are killed.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use alias_tests::{Lab, Namespace};

/// The address of the alias that nobody touches.
pub(super) const STABLE_ADDRESS: &str = "203.0.113.9";
const PORT: u16 = 4000;

/// Host B asks, the stable alias answers, all the time.
pub(super) struct Heartbeat {
    stop: Arc<AtomicBool>,
    answers: Option<JoinHandle<()>>,
    beats: Option<JoinHandle<(u64, u64)>>,
}

impl Heartbeat {
    #[track_caller]
    pub(super) fn start(lab: &Lab, home: &Namespace) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let there = home.enter(|| UdpSocket::bind((STABLE_ADDRESS, PORT)));
        let here = lab.b.enter(|| UdpSocket::bind(("192.0.2.1", 0)));
        let (there, here) = (there.expect("a socket"), here.expect("a socket"));
        for socket in [&there, &here] {
            let limit = Some(Duration::from_secs(1));
            socket.set_read_timeout(limit).expect("a time limit");
        }
        here.connect((STABLE_ADDRESS, PORT)).expect("connect");
        let (halt, over) = (Arc::clone(&stop), Arc::clone(&stop));
        let answers = thread::spawn(move || {
            let mut beat = [0; 8];
            while !halt.load(Ordering::Relaxed) {
                if let Ok((length, from)) = there.recv_from(&mut beat) {
                    let _ = there.send_to(&beat[..length], from);
                }
            }
        });
        let beats = thread::spawn(move || {
            let (mut sent, mut lost) = (0u64, 0);
            while !over.load(Ordering::Relaxed) {
                sent += 1;
                lost += u64::from(!answered(&here, sent));
                // The pace: it leaves the processors to those that are killed.
                thread::sleep(Duration::from_millis(1));
            }
            (sent, lost)
        });
        Self {
            stop,
            answers: Some(answers),
            beats: Some(beats),
        }
    }

    /// How many were sent, and how many came back in vain.
    #[track_caller]
    pub(super) fn end(mut self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let beats = self.beats.take().expect("it ends once");
        let result = beats.join().expect("the heart does not panic");
        let answers = self.answers.take().expect("it ends once");
        answers.join().expect("the echo does not panic");
        result
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn answered(socket: &UdpSocket, number: u64) -> bool {
    let mut answer = [0; 8];
    socket.send(&number.to_ne_bytes()).is_ok()
        && loop {
            match socket.recv(&mut answer) {
                Ok(_) if answer == number.to_ne_bytes() => break true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => break false,
            }
        }
}
