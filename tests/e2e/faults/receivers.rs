//! Programs with a session that is kept: they remember every message that they have received.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::mqtt_connection::{Address, MqttConnection, is_accepted_suback, parse_message};
use super::programs::{PAUSE, number_of};

/// The numbers on each topic, in the order of their arrival.
pub(super) type Numbers = BTreeMap<String, Vec<u32>>;

/// Programs that run.
pub(super) struct Receivers {
    receivers: Vec<Arc<Receiver>>,
    threads: Vec<JoinHandle<()>>,
    control: Arc<Control>,
}

/// One of them.
pub(super) struct Receiver {
    name: String,
    pub(super) filter: String,
    received: Mutex<Numbers>,
    is_subscribed: AtomicBool,
    /// How often the server did not have its session any more.
    lost_sessions: AtomicUsize,
    /// The number of its connections.
    connections: AtomicUsize,
}

#[derive(Default)]
struct Control {
    kills: AtomicUsize,
    over: AtomicBool,
}

impl Receivers {
    /// Starts a program for each filter; each second one speaks MQTT 5.
    pub(super) fn start(address: &Address, filters: &[String], random: &mut fastrand::Rng) -> Self {
        let control = Arc::<Control>::default();
        let receiver = |(number, filter): (usize, &String)| {
            Arc::new(Receiver {
                name: format!("receiver-{number}"),
                filter: filter.clone(),
                received: Mutex::default(),
                is_subscribed: AtomicBool::new(false),
                lost_sessions: AtomicUsize::new(0),
                connections: AtomicUsize::new(0),
            })
        };
        let receivers: Vec<_> = filters.iter().enumerate().map(receiver).collect();
        let mut start = |(number, receiver): (usize, &Arc<Receiver>)| {
            let (receiver, address, control, random) =
                (receiver.clone(), address.clone(), control.clone(), random.fork());
            let version = if number % 2 == 0 { 4 } else { 5 };
            thread::spawn(move || receiver.run(&address, version, &control, random))
        };
        let threads = receivers.iter().enumerate().map(&mut start).collect();
        Self {
            receivers,
            threads,
            control,
        }
    }

    /// Whether each has had its SUBACK.
    pub(super) fn are_subscribed(&self) -> bool {
        let is_subscribed = |receiver: &Arc<Receiver>| receiver.is_subscribed.load(Ordering::Relaxed);
        self.receivers.iter().all(is_subscribed)
    }

    /// Kills about half of them; they come back after a while.
    pub(super) fn kill_some(&self) {
        self.control.kills.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn all(&self) -> &[Arc<Receiver>] {
        &self.receivers
    }

    pub(super) fn lost_sessions(&self) -> usize {
        let lost = |receiver: &Arc<Receiver>| receiver.lost_sessions.load(Ordering::Relaxed);
        self.receivers.iter().map(lost).sum()
    }

    pub(super) fn end(self) {
        self.control.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

impl Receiver {
    pub(super) fn received(&self) -> Numbers {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of its connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn run(&self, address: &Address, version: u8, control: &Control, mut random: fastrand::Rng) {
        let mut kills = 0;
        while !control.over.load(Ordering::Relaxed) {
            // A connection that ends is nothing new here.
            let _ = self.receive(address, version, control, &mut kills, &mut random);
            thread::sleep(PAUSE);
        }
    }

    /// Receives on one connection until it ends.
    fn receive(
        &self,
        address: &Address,
        version: u8,
        control: &Control,
        kills: &mut usize,
        random: &mut fastrand::Rng,
    ) -> io::Result<()> {
        let mut connection = MqttConnection::open(address, version, &self.name, true)?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        if !connection.session_present {
            if self.is_subscribed.load(Ordering::Relaxed) {
                self.lost_sessions.fetch_add(1, Ordering::Relaxed);
            }
            connection.subscribe(&self.filter)?;
        }
        while !control.over.load(Ordering::Relaxed) {
            let so_far = control.kills.load(Ordering::Relaxed);
            if so_far > *kills {
                *kills = so_far;
                if random.bool() {
                    drop(connection);
                    thread::sleep(Duration::from_millis(random.u64(..1000)));
                    return Ok(());
                }
            }
            let Some(packet) = connection.receive()? else { continue };
            if is_accepted_suback(&packet) {
                self.is_subscribed.store(true, Ordering::Relaxed);
            }
            let Some(message) = parse_message(&packet, version) else {
                continue;
            };
            {
                let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
                let numbers = received.entry(message.topic).or_default();
                numbers.push(number_of(&message.payload));
            }
            // Now and then a program dies between the message and its acknowledgement.
            if random.usize(..1000) == 0 {
                return Ok(());
            }
            connection.send(0x40, &message.packet_id.to_be_bytes())?;
        }
        Ok(())
    }
}
