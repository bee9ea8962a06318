//! A broker that takes publishes: one [`Act`] per connection, the last one for all that follow.

use std::{cell::RefCell, io, rc::Rc};

use crate::{
    broker::{Broker, Peer},
    candidate::Key,
    outbox::key_of,
    wire::{self, Received},
};

#[derive(Clone, Default)]
pub struct Act {
    pub session_present: bool,
    pub receive_maximum: Option<u16>,
    pub maximum_packet_size: Option<u32>,
    /// Never acknowledged on this connection.
    pub swallow: &'static [Key],
    /// Acknowledged with "not authorized".
    pub refuse: &'static [Key],
    /// Acknowledge in batches of this size, last one first.
    pub batch: usize,
    /// Close without a word after so many publishes.
    pub drop_after: Option<usize>,
}

/// One publish as the broker saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub connection: usize,
    pub key: Key,
    pub id: u16,
    pub dup: bool,
    pub in_flight: usize,
    pub length: usize,
}

#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<Seen>>>);

impl Log {
    pub fn seen(&self) -> Vec<Seen> {
        self.0.borrow().clone()
    }

    pub fn distinct(&self) -> usize {
        self.seen()
            .iter()
            .map(|seen| seen.key)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    }
}

/// Serves until the listener fails or the candidate stays away for the guard time.
pub async fn play(broker: &Broker, acts: &[Act], log: &Log) -> io::Result<()> {
    for connection in 0.. {
        let Some(act) = acts.get(connection).or(acts.last()) else {
            return Ok(());
        };
        let mut properties = Vec::new();
        if let Some(maximum) = act.receive_maximum {
            properties.extend(wire::u16_property(wire::RECEIVE_MAXIMUM, maximum));
        }
        if let Some(maximum) = act.maximum_packet_size {
            properties.extend(wire::u32_property(wire::MAXIMUM_PACKET_SIZE, maximum));
        }
        let mut peer = broker.accept_session(act.session_present, &properties).await?;
        // Any error here is the candidate hanging up; the next act shows what it makes of it.
        let _ = serve(&mut peer, connection, act, log).await;
    }
    Ok(())
}

async fn serve(peer: &mut Peer, connection: usize, act: &Act, log: &Log) -> io::Result<()> {
    let mut held = Vec::new();
    let mut publishes = 0;
    let mut in_flight = std::collections::BTreeSet::new();
    loop {
        match peer.read().await? {
            Received::Publish { id, dup, payload } => {
                let key = key_of(&payload);
                in_flight.insert(id);
                let seen = Seen {
                    connection,
                    key,
                    id,
                    dup,
                    in_flight: in_flight.len(),
                    length: payload.len(),
                };
                log.0.borrow_mut().push(seen);
                publishes += 1;
                if act.drop_after == Some(publishes) {
                    return Ok(());
                }
                if !act.swallow.contains(&key) {
                    held.push((id, if act.refuse.contains(&key) { 0x87 } else { 0x00 }));
                }
                if held.len() >= act.batch.max(1) {
                    for (id, code) in held.drain(..).rev() {
                        in_flight.remove(&id);
                        peer.send(&wire::puback(id, code, (code > 0).then_some("not authorized")))
                            .await?;
                    }
                }
            }
            Received::Pingreq => peer.send(&wire::pingresp()).await?,
            Received::Subscribe { id } => peer.send(&wire::suback(id, &[1])).await?,
            Received::Disconnect { .. } => return Ok(()),
            _ => {}
        }
    }
}
