//! A network that can fall silent: nothing is refused, nothing is closed, nothing arrives.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often a silent relay looks whether it may speak again.
const LOOK: Duration = Duration::from_millis(10);

/// Passes connections on to a port on loopback, byte by byte, unless it is silent.
pub struct Relay {
    port: u16,
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Relay {
    /// A relay to this endpoint (`localhost:8883`), not silent.
    pub fn to(endpoint: &str) -> Self {
        let target = endpoint.replace("localhost", "127.0.0.1");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            silent: Arc::default(),
            over: Arc::default(),
        };
        let (silent, over) = (relay.silent.clone(), relay.over.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(far) = TcpStream::connect(&target) else { continue };
                let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else {
                    continue;
                };
                let (up, down) = (silent.clone(), silent.clone());
                thread::spawn(move || pass(near, far, &up));
                thread::spawn(move || pass(far_too, near_too, &down));
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
        self.silent.store(silent, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.set_silent(false);
        // The listener's thread sees that it is over at its next connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut buffer = [0; 4096];
    loop {
        let length = from.read(&mut buffer).unwrap_or(0);
        while silent.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
    }
}
