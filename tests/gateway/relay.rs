//! A network between a gateway and its cloud that can be cut, slow, half-open or silent.
//!
//! In userland, because what gatepost sees of a network is what its socket says (it sets no TCP timer of its own), and
//! because it then needs no privilege and no kernel module.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a silent relay looks whether it may speak again.
const LOOK: Duration = Duration::from_millis(10);
/// Pieces on their way in one direction: a network keeps no more than its windows.
const ON_THE_WAY: usize = 256;

/// Passes connections on to a port on loopback, byte by byte, as the network allows.
pub struct Relay {
    port: u16,
    network: Arc<Network>,
}

/// The network's state, and what it carries.
#[derive(Default)]
struct Network {
    silent: AtomicBool,
    cut: AtomicBool,
    delay_ms: AtomicU64,
    over: AtomicBool,
    /// Both ends of each connection: the gateway's and the cloud's.
    connections: Mutex<Vec<(TcpStream, TcpStream)>>,
}

impl Relay {
    /// A relay to this endpoint (`localhost:8883`), over a good network.
    pub fn to(endpoint: &str) -> Self {
        let target = endpoint.replace("localhost", "127.0.0.1");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            network: Arc::default(),
        };
        let network = relay.network.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if network.over.load(Ordering::Relaxed) {
                    return;
                }
                if network.cut.load(Ordering::Relaxed) {
                    continue;
                }
                if let Ok(far) = TcpStream::connect(&target) {
                    network.carry(near, far);
                }
            }
        });
        relay
    }

    /// The relay as an endpoint; the host name stays, and with it SNI.
    pub fn endpoint(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Falls silent, or speaks again: then what was held back arrives.
    pub fn set_silent(&self, silent: bool) {
        self.network.silent.store(silent, Ordering::Relaxed);
    }

    /// Ends all connections and lets no new ones through, until it is mended.
    pub fn set_cut(&self, cut: bool) {
        self.network.cut.store(cut, Ordering::Relaxed);
        if cut {
            for (near, far) in self.network.take_connections() {
                let _ = near.shutdown(Shutdown::Both);
                let _ = far.shutdown(Shutdown::Both);
            }
        }
    }

    /// How long everything takes in each direction from now on.
    pub fn set_delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.network.delay_ms.store(delay, Ordering::Relaxed);
    }

    /// Falls silent, and the cloud's ends of all connections are gone, which the gateway does not hear of before the relay
    /// speaks again.
    pub fn make_half_open(&self) {
        self.set_silent(true);
        for (_near, far) in self.network.take_connections() {
            let _ = far.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.network.over.store(true, Ordering::Relaxed);
        self.set_silent(false);
        // The listener's thread sees that it is over at its next connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Network {
    fn carry(self: &Arc<Self>, near: TcpStream, far: TcpStream) {
        let copies = || Some((near.try_clone().ok()?, far.try_clone().ok()?));
        let (Some(ends), Some(up), Some(down)) = (copies(), copies(), copies()) else {
            return;
        };
        {
            let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            connections.retain(|(near, _)| near.peer_addr().is_ok());
            connections.push(ends);
        }
        self.clone().pass(up.0, up.1);
        self.clone().pass(down.1, down.0);
    }

    fn take_connections(&self) -> Vec<(TcpStream, TcpStream)> {
        std::mem::take(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One direction, on two threads: what waits for its time must not keep the next from being read.
    fn pass(self: Arc<Self>, mut from: TcpStream, to: TcpStream) {
        let (hand_over, on_the_way) = sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
        let network = self.clone();
        thread::spawn(move || network.deliver(&on_the_way, to));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let length = from.read(&mut buffer).unwrap_or(0);
                let due = Instant::now() + Duration::from_millis(self.delay_ms.load(Ordering::Relaxed));
                if hand_over.send((due, buffer[..length].to_vec())).is_err() || length == 0 {
                    return;
                }
            }
        });
    }

    /// Delivers what is on the way; an empty piece is the end.
    fn deliver(&self, on_the_way: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
        for (due, bytes) in on_the_way {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            while self.silent.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
            if bytes.is_empty() || to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
