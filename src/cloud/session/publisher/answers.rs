//! What AWS answers to messages, and what becomes of each.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::{Publisher, Suspect, UnderWay};
use crate::cloud::mqtt::{Reason, ReasonCode};
use crate::event::{Event, journal};
use crate::messages::{MessageRef, Outgoing};

/// After AWS has said that there was too much; it grows with each time in a row.
const TOO_MUCH: Duration = Duration::from_secs(1);
/// The longest such pause, as a power of two of [`TOO_MUCH`].
const TOO_MUCH_LIMIT: u32 = 5;
/// A message that AWS was too busy for so many times is parked after all.
const TRIES: u32 = 20;

/// What AWS says when it is not the message's fault: unspecified error, implementation specific error, quota exceeded
/// (developer guide, "MQTT 5 reason codes").
pub(super) const NOT_ITS_FAULT: [ReasonCode; 4] = [
    ReasonCode::UNSPECIFIED_ERROR,
    ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
    // Of a packet identifier that the server has in use: another one is taken the next time.
    ReasonCode::PACKET_ID_IN_USE,
    ReasonCode::QUOTA_EXCEEDED,
];

impl Publisher {
    /// AWS has answered a message.
    pub(in crate::cloud::session) async fn answered(&mut self, packet_id: u16, reason: &Reason) {
        let ticket = match self.under_way.remove(&packet_id) {
            Some((UnderWay::Outgoing(ticket), _)) => ticket,
            Some((UnderWay::Qos0Message(direct), _)) => return self.direct_answered(direct, reason),
            None => return,
        };
        self.unacknowledged.answered(ticket.id);
        if !reason.code.is_failure() {
            self.too_much = 0;
            self.tries.remove(&ticket.id);
            self.suspects.cleared(&Suspect::Outgoing(ticket.id));
            return self.outbox.acknowledge(ticket).await;
        }
        if !NOT_ITS_FAULT.contains(&reason.code) {
            return self.park(ticket, reason.to_string()).await;
        }
        let tries = self.tries.entry(ticket.id).or_default();
        *tries += 1;
        if *tries >= TRIES {
            return self.park(ticket, reason.to_string()).await;
        }
        log::debug!("session: message {} is sent again later: {reason}", ticket.id);
        self.not_before = Instant::now() + TOO_MUCH * 2_u32.pow(self.too_much);
        self.too_much = (self.too_much + 1).min(TOO_MUCH_LIMIT);
        match reason.code {
            ReasonCode::QUOTA_EXCEEDED => self.put_off(ticket).await,
            // Perhaps it is this message after all: then its topic must not wait for it.
            _ => self.outbox.retransmit(ticket).await,
        }
    }

    /// What is behind it on its topic, and not sent yet, waits for it: what was read from the database goes back.
    async fn put_off(&mut self, ticket: MessageRef) {
        if let Some(asked) = self.asked.take()
            && let Ok(Ok(page)) = asked.await
        {
            self.fetched.extend(page);
        }
        let fetched = std::mem::take(&mut self.fetched);
        let (behind, others) = fetched
            .into_iter()
            .partition(|outgoing| outgoing.ticket.topic == ticket.topic);
        self.fetched = others;
        let behind: VecDeque<Outgoing> = behind;
        self.outbox.defer(ticket).await;
        for outgoing in behind {
            self.outbox.retransmit(outgoing.ticket).await;
        }
    }

    pub(super) async fn park(&mut self, ticket: MessageRef, reason: String) {
        self.tries.remove(&ticket.id);
        self.unacknowledged.forget(ticket.id);
        self.suspects.cleared(&Suspect::Outgoing(ticket.id));
        let (id, topic) = (ticket.id, ticket.topic.as_str());
        self.lines.one_more(|level, more| {
            journal!(
                level, Event::MessageParked, TOPIC = topic;
                "outbox: message {id} on {topic} is parked: {reason}; next: gatepost outbox show {id}{more}"
            );
        });
        self.outbox.park(ticket, reason).await;
    }
}
