//! Handles AWS's answers to messages.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::qos0::handle_qos0_answer;
use super::{InFlight, Publisher, Suspect, TEMPORARY};
use crate::cloud::mqtt::{Reason, ReasonCode};
use crate::messages::{MessageRef, Outgoing};

/// Pause after a temporary failure; it doubles with each failure in a row.
const PAUSE: Duration = Duration::from_secs(1);
/// Most doublings of [`PAUSE`].
const MAX_DOUBLINGS: u32 = 5;
/// Number of temporary failures after which a message is parked.
const MAX_TRIES: u32 = 20;

/// Handles AWS's answer to the message with this packet identifier.
pub(in crate::cloud::session) async fn handle_answer(publisher: &mut Publisher, packet_id: u16, reason: &Reason) {
    let message = match publisher.in_flight.remove(&packet_id) {
        Some((InFlight::Outgoing(message), _)) => message,
        Some((InFlight::Qos0Message(qos0), _)) => return handle_qos0_answer(publisher, qos0, reason),
        None => return,
    };
    publisher.unacknowledged.answered(message.id);
    // Messages that wait for this one may be sent now.
    publisher.is_drained = false;
    if !reason.code.is_failure() {
        publisher.failures = 0;
        publisher.tries.remove(&message.id);
        publisher.suspects.cleared(&Suspect::Outgoing(message.id));
        return publisher.outbox.acknowledge(message).await;
    }
    if !TEMPORARY.contains(&reason.code) {
        return publisher.park(message, reason.to_string()).await;
    }
    let tries = publisher.tries.entry(message.id).or_default();
    *tries += 1;
    if *tries >= MAX_TRIES {
        return publisher.park(message, reason.to_string()).await;
    }
    log::debug!("session: message {} is sent again later: {reason}", message.id);
    publisher.not_before = Instant::now() + PAUSE * 2_u32.pow(publisher.failures);
    publisher.failures = (publisher.failures + 1).min(MAX_DOUBLINGS);
    match reason.code {
        ReasonCode::QUOTA_EXCEEDED => defer(publisher, message).await,
        // The message itself may be the cause after all, so its topic must not wait for it.
        _ => publisher.outbox.retransmit(message).await,
    }
}

/// Returns a message to the outbox for later, together with later messages of its topic that were fetched and not sent yet, so that
/// their order is kept.
async fn defer(publisher: &mut Publisher, message: MessageRef) {
    if let Some(requested) = publisher.requested.take()
        && let Ok(Ok(page)) = requested.await
    {
        publisher.fetched.extend(page);
    }
    let fetched = std::mem::take(&mut publisher.fetched);
    let (behind, others): (VecDeque<Outgoing>, _) = fetched
        .into_iter()
        .partition(|outgoing| outgoing.message_ref.topic == message.topic);
    publisher.fetched = others;
    publisher.outbox.defer(message).await;
    for outgoing in behind {
        publisher.outbox.retransmit(outgoing.message_ref).await;
    }
}
