//! Traffic that goes on while commands change things, or are killed.

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

use crate::scene::Family;

const PORT: u16 = 4000;

/// Host B asks, an alias that nobody touches answers, all the time.
pub(crate) struct Heartbeat {
    stop: Arc<AtomicBool>,
    /// The echo goes on until the last beat has come back.
    silence: Arc<AtomicBool>,
    answers: Option<JoinHandle<()>>,
    beats: Option<JoinHandle<(u64, u64)>>,
}

impl Heartbeat {
    #[track_caller]
    pub(crate) fn start(lab: &Lab, home: &Namespace, address: &str) -> Self {
        let [stop, silence] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let there = home.enter(|| UdpSocket::bind((address, PORT)));
        let own = if address.contains(':') {
            Family::V6
        } else {
            Family::V4
        };
        let here = lab.b.enter(|| UdpSocket::bind((own.b(), 0)));
        let (there, here) = (there.expect("a socket"), here.expect("a socket"));
        // Longer than a neighbour takes to answer when it is asked again.
        for (socket, seconds) in [(&there, 1), (&here, 10)] {
            let limit = Some(Duration::from_secs(seconds));
            socket.set_read_timeout(limit).expect("a time limit");
        }
        here.connect((address, PORT)).expect("connect");
        let (halt, over) = (Arc::clone(&silence), Arc::clone(&stop));
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
            silence,
            answers: Some(answers),
            beats: Some(beats),
        }
    }

    /// How many were sent, and how many came back in vain.
    #[track_caller]
    pub(crate) fn end(mut self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let beats = self.beats.take().expect("it ends once");
        let result = beats.join().expect("the heart does not panic");
        self.silence.store(true, Ordering::Relaxed);
        let answers = self.answers.take().expect("it ends once");
        answers.join().expect("the echo does not panic");
        result
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.silence.store(true, Ordering::Relaxed);
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
