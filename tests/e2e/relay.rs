//! A connection between a gateway and its cloud that can be interrupted silently.
//!
//! It is implemented in user space, so that it needs no privilege. Other faults of networks are tested with a real one (rig::network, in
//! `faults`).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The interval at which a silent relay checks whether it may forward again.
const LOOK: Duration = Duration::from_millis(10);

/// Passes connections on to a port on loopback, byte by byte, unless it is silent.
pub struct Relay {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    silent: AtomicBool,
    losing_answers: AtomicBool,
    over: AtomicBool,
}

impl Relay {
    /// Creates a relay to this endpoint (`localhost:8883`), which initially forwards everything.
    pub fn to(endpoint: &str) -> Self {
        let target = endpoint.replace("localhost", "127.0.0.1");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
        };
        let state = relay.state.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if state.over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(far) = TcpStream::connect(&target) {
                    state.carry(&near, &far);
                }
            }
        });
        relay
    }

    /// Returns the endpoint of the relay. The host name stays the same, and with it SNI.
    pub fn endpoint(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Stops forwarding, or resumes it; then data that was held back arrives.
    pub fn set_silent(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::Relaxed);
    }

    /// Drops data from the target, or forwards it again. A connection that has lost data must be replaced.
    pub fn lose_answers(&self, losing: bool) {
        self.state.losing_answers.store(losing, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        self.set_silent(false);
        // The listener's thread notices the end at its next connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn carry(self: &Arc<Self>, near: &TcpStream, far: &TcpStream) {
        for (from, to, answers) in [(near, far, false), (far, near, true)] {
            if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
                let state = self.clone();
                thread::spawn(move || state.pass(from, to, answers));
            }
        }
    }

    /// Forwards one direction.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, answers: bool) {
        let mut buffer = [0; 4096];
        loop {
            let length = from.read(&mut buffer).unwrap_or(0);
            while self.silent.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
            let lost = answers && length > 0 && self.losing_answers.load(Ordering::Relaxed);
            if !lost && (length == 0 || to.write_all(&buffer[..length]).is_err()) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
