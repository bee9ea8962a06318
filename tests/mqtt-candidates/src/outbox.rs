//! gatepost's outbox as the cases need it: accepted messages, forgotten only on PUBACK, offered again after a connect.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use tokio::{select, time::sleep};

use crate::candidate::{Candidate, ConnectOptions, Event, Failure, Key, NotTaken};

pub const TOPIC: &str = "gw-1/camera/event";

#[derive(Default)]
pub struct Outbox {
    pending: BTreeMap<Key, Bytes>,
    /// Offered on this connection (or on the present session, if the candidate sends again by itself).
    offered: BTreeSet<Key>,
    /// Refused by the broker or too large for it, with the reason code (0 for too large).
    pub parked: BTreeMap<Key, u8>,
    pub connects: usize,
    pub failures: Vec<Failure>,
}

/// The key leads the payload, so that the broker can tell who arrived.
pub fn payload(key: Key, length: usize) -> Bytes {
    let mut payload = vec![b'x'; length.max(8)];
    payload[..8].copy_from_slice(&key.to_be_bytes());
    payload.into()
}

pub fn key_of(payload: &[u8]) -> Key {
    payload
        .first_chunk()
        .map_or(Key::MAX, |bytes| Key::from_be_bytes(*bytes))
}

impl Outbox {
    pub fn accept(keys: std::ops::Range<Key>, length: usize) -> Self {
        Self {
            pending: keys.map(|key| (key, payload(key, length))).collect(),
            ..Self::default()
        }
    }

    pub fn add(&mut self, key: Key, length: usize) {
        self.pending.insert(key, payload(key, length));
    }

    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// One connection: until everything is acknowledged or the connection is lost.
    pub async fn deliver_once<C: Candidate>(
        &mut self,
        client: &mut C,
        options: &ConnectOptions,
    ) -> Result<(), Failure> {
        self.connects += 1;
        let connack = client.connect(options).await?;
        if !(connack.session_present && C::RESENDS) {
            self.offered.clear();
        }
        while !self.pending.is_empty() {
            self.offer(client);
            match client.next().await? {
                Event::Acknowledged { key, code, .. } => self.acknowledged(key, code),
                Event::Message { handle, .. } => client.acknowledge(handle),
                Event::Subscribed(_) => {}
            }
        }
        Ok(())
    }

    /// Reconnects after each failure, with gatepost's backoff shortened; gives up after `limit`.
    pub async fn deliver<C: Candidate>(&mut self, client: &mut C, options: &ConnectOptions, limit: Duration) -> bool {
        let attempts = async {
            while let Err(failure) = self.deliver_once(client, options).await {
                self.failures.push(failure);
                sleep(Duration::from_millis(50)).await;
            }
        };
        select! { () = attempts => true, () = sleep(limit) => false }
    }

    pub fn offer<C: Candidate>(&mut self, client: &mut C) {
        let keys: Vec<_> = self
            .pending
            .keys()
            .filter(|key| !self.offered.contains(key))
            .copied()
            .collect();
        for key in keys {
            match client.publish(key, TOPIC, self.pending[&key].clone()) {
                Ok(()) => drop(self.offered.insert(key)),
                Err(NotTaken::Busy) => return,
                Err(NotTaken::TooLarge) => self.acknowledged(key, 0xFF),
            }
        }
    }

    pub fn acknowledged(&mut self, key: Key, code: u8) {
        self.pending.remove(&key);
        if code >= 0x80 {
            self.parked.insert(key, if code == 0xFF { 0 } else { code });
        }
    }
}
