//! Concludes from the end of a connection which message may have caused it.

use std::time::Duration;

use super::{Publisher, Suspect};
use crate::cloud::mqtt::{Lost, ReasonCode};
use crate::mqtt::LATEST_ANSWER;

/// Codes of a DISCONNECT that refuses a message at QoS 0. A message at QoS 1 is refused by PUBACK with the same codes.
pub(super) const QOS0_REFUSED: [ReasonCode; 3] = [
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::TOPIC_NAME_INVALID,
    ReasonCode::PAYLOAD_FORMAT_INVALID,
];

/// Handles the end of a connection; `suspicious` if a message that was sent on it may be the cause. Returns whether the cause is known
/// to be a message at QoS 0.
pub(in crate::cloud::session) async fn handle_disconnect(
    publisher: &mut Publisher,
    suspicious: bool,
    lost: Option<&Lost>,
) -> bool {
    let code = match lost {
        Some(Lost::Disconnected(reason)) => Some(reason.code),
        _ => None,
    };
    if matches!(lost, Some(Lost::Unanswered)) {
        strike_unanswered(publisher);
    }
    let sent = publisher.unanswered.take_recent();
    let explained = !sent.is_empty() && code.is_some_and(|code| QOS0_REFUSED.contains(&code));
    if explained {
        publisher.unanswered.doubt();
    } else if suspicious {
        let ago = if sent.is_empty() {
            publisher.last_sent.elapsed()
        } else {
            Duration::ZERO
        };
        let in_flight = publisher.in_flight.values().map(|(message, _)| message.suspect());
        let suspects = in_flight.chain(sent.into_iter().map(Suspect::Qos0Message));
        publisher.suspects.lost(suspects, ago);
    }
    // The outbox counts fetched messages as sent, and returns them again.
    publisher.requested = None;
    publisher.is_drained = false;
    publisher.fetched.clear();
    publisher.deferred.clear();
    publisher.in_flight.clear();
    publisher.waiting = None;
    publisher.buffer_is_full = false;
    publisher.window_is_full = false;
    publisher.outbox.connection_lost().await;
    explained
}

/// Gives a strike to each message that AWS left unanswered until the connection was given up.
fn strike_unanswered(publisher: &mut Publisher) {
    let in_flight = publisher.in_flight.values();
    let overdue = in_flight.filter(|(_, since)| since.elapsed() >= LATEST_ANSWER);
    let (mut ids, mut kinds) = (Vec::new(), Vec::new());
    for (message, _) in overdue {
        match message.suspect() {
            Suspect::Outgoing(id) => ids.push(id),
            Suspect::Qos0Message(kind) => kinds.push(kind),
        }
    }
    if publisher.unacknowledged.unanswered(ids.into_iter()) {
        for kind in kinds {
            // The sender has been told already that the message was not sent.
            drop(
                publisher
                    .unanswered
                    .refuse(kind, "it is never acknowledged, though others are"),
            );
        }
    }
}
