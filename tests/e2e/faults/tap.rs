//! The network between a bridge and gatepost: it can be cut or fall silent, and sees which messages were acknowledged.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::mqtt_connection::{is_accepted_suback, parse_message, parse_puback};
use super::programs::{Record, number_of};
use super::receivers::Numbers;
use crate::mqtt_listener::packets::{Packet, V3_1_1};

/// The interval at which a silent tap checks whether it may forward again.
const LOOK: Duration = Duration::from_millis(10);

/// Passes connections of an MQTT 3.1.1 client on to the Unix socket of a server.
pub(super) struct Tap {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    socket: PathBuf,
    is_silent: AtomicBool,
    /// Whether the server has accepted the client's subscriptions.
    is_subscribed: AtomicBool,
    over: AtomicBool,
    /// A bridge has one connection at a time.
    connection: Mutex<Option<Ends>>,
    /// The messages that the server has acknowledged, and those that the client has.
    published: Mutex<Numbers>,
    received: Mutex<Numbers>,
    /// How many messages the client has sent once more.
    resent: AtomicUsize,
    /// What the client has sent on each connection.
    sent: Mutex<Vec<Numbers>>,
}

/// Messages of one sender on one connection that have no PUBACK.
type UnderWay = Arc<Mutex<HashMap<u16, (String, u32)>>>;

/// The connection of the client, and the one to the server.
struct Ends {
    near: TcpStream,
    far: UnixStream,
}

/// One direction of a connection.
struct Direction {
    state: Arc<State>,
    ends: Ends,
    is_from_client: bool,
    /// The number of the connection.
    connection: usize,
    sent: UnderWay,
    awaited: UnderWay,
    unread: Vec<u8>,
}

impl Tap {
    pub(super) fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tap = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::new(State {
                socket: socket.to_owned(),
                ..State::default()
            }),
        };
        let state = tap.state.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if state.over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(far) = UnixStream::connect(&state.socket) {
                    // One that cannot be carried is closed.
                    let _ = state.carry(&Ends { near, far });
                }
            }
        });
        tap
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Falls silent, or speaks again: then what was held back arrives.
    pub(super) fn set_silent(&self, silent: bool) {
        self.state.is_silent.store(silent, Ordering::Relaxed);
    }

    /// Ends all connections, with what is on its way in both directions.
    pub(super) fn cut(&self) {
        if let Some(ends) = lock(&self.state.connection).take() {
            ends.close();
        }
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.state.is_subscribed.load(Ordering::Relaxed)
    }

    /// The messages of the client that the server has acknowledged.
    pub(super) fn published(&self) -> Vec<Record> {
        let published = lock(&self.state.published);
        let record = |(topic, accepted): (&String, &Vec<u32>)| Record {
            accepted: accepted.clone(),
            ..Record::on(topic.clone())
        };
        published.iter().map(record).collect()
    }

    /// The number of messages that the client has sent once more.
    pub(super) fn resent(&self) -> usize {
        self.state.resent.load(Ordering::Relaxed)
    }

    /// What the client has sent on each connection, in its order.
    pub(super) fn sent(&self) -> Vec<Numbers> {
        lock(&self.state.sent).clone()
    }

    /// The number of the client's connections so far.
    pub(super) fn connections(&self) -> usize {
        lock(&self.state.sent).len()
    }

    /// The messages to the client that it has acknowledged.
    pub(super) fn received(&self) -> Numbers {
        lock(&self.state.received).clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        self.set_silent(false);
        self.cut();
        // The listener's thread sees that it is over at its next connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn carry(self: &Arc<Self>, ends: &Ends) -> io::Result<()> {
        let (by_client, by_server) = (UnderWay::default(), UnderWay::default());
        let connection = {
            let mut sent = lock(&self.sent);
            sent.push(Numbers::new());
            sent.len() - 1
        };
        for (is_from_client, sent, awaited) in [(true, &by_client, &by_server), (false, &by_server, &by_client)] {
            let direction = Direction {
                state: self.clone(),
                ends: ends.try_clone()?,
                is_from_client,
                connection,
                sent: sent.clone(),
                awaited: awaited.clone(),
                unread: Vec::new(),
            };
            let (near, far) = (ends.near.try_clone()?, ends.far.try_clone()?);
            thread::spawn(move || match is_from_client {
                true => direction.pass(near, far),
                false => direction.pass(far, near),
            });
        }
        *lock(&self.connection) = Some(ends.try_clone()?);
        Ok(())
    }
}

impl Ends {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            near: self.near.try_clone()?,
            far: self.far.try_clone()?,
        })
    }

    fn close(&self) {
        let _ = self.near.shutdown(Shutdown::Both);
        let _ = self.far.shutdown(Shutdown::Both);
    }
}

impl Direction {
    fn pass(mut self, mut from: impl Read, mut to: impl Write) {
        let mut buffer = [0; 4096];
        loop {
            let length = from.read(&mut buffer).unwrap_or(0);
            while self.state.is_silent.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
            self.look_at(&buffer[..length]);
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        self.ends.close();
    }

    fn look_at(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        while let Some(packet) = split_packet(&mut self.unread) {
            if let Some(message) = parse_message(&packet, V3_1_1) {
                let number = number_of(&message.payload);
                if self.is_from_client {
                    let is_repeated = packet.first & 0x08 != 0;
                    self.state.resent.fetch_add(is_repeated.into(), Ordering::Relaxed);
                    lock(&self.state.sent)[self.connection]
                        .entry(message.topic.clone())
                        .or_default()
                        .push(number);
                }
                lock(&self.sent).insert(message.packet_id, (message.topic, number));
            }
            if !self.is_from_client && is_accepted_suback(&packet) {
                self.state.is_subscribed.store(true, Ordering::Relaxed);
            }
            let acknowledged = parse_puback(&packet).and_then(|(id, _)| lock(&self.awaited).remove(&id));
            if let Some((topic, number)) = acknowledged {
                let numbers = match self.is_from_client {
                    true => &self.state.received,
                    false => &self.state.published,
                };
                lock(numbers).entry(topic).or_default().push(number);
            }
        }
    }
}

/// Takes the first packet from these bytes, once it is whole.
fn split_packet(bytes: &mut Vec<u8>) -> Option<Packet> {
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    let body = bytes.get(at..at + length)?.to_vec();
    let first = bytes[0];
    bytes.drain(..at + length);
    Some(Packet { first, body })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
