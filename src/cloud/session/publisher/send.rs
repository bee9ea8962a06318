//! Sends one message.

use super::next::Next;
use super::qos0::send_qos0;
use super::{DROPPED, InFlight, Publisher, Suspect, WINDOW};
use crate::cloud::mqtt::{NotSent, PacketSink};
use crate::cloud::session::problems;
use crate::messages::Outgoing;

/// Sends the message that `next` selects, unless it is to be parked or deferred.
pub(in crate::cloud::session) async fn send(publisher: &mut Publisher, next: Next, sink: &mut dyn PacketSink) {
    let outgoing = match next {
        Next::Qos0Message => return send_qos0(publisher, sink),
        Next::Outgoing => publisher.fetched.pop_front(),
        Next::Deferred => publisher.deferred.pop_front(),
    };
    let Some(outgoing) = outgoing else { return };
    if publisher.unacknowledged.is_guilty(outgoing.message_ref.id) {
        publisher.made_progress = true;
        let reason = problems::NEVER_ACKNOWLEDGED.to_owned();
        return publisher.park(outgoing.message_ref, reason).await;
    }
    if must_be_deferred(publisher, &outgoing) {
        return publisher.deferred.push_back(outgoing);
    }
    let suspect = Suspect::Outgoing(outgoing.message_ref.id);
    if publisher.suspects.is_guilty(&suspect) {
        publisher.made_progress = true;
        return publisher.park(outgoing.message_ref, DROPPED.to_owned()).await;
    }
    if !publisher.suspects.is_suspected(&suspect) {
        // Messages that were in flight are sent again first, in the order of their IDs, so earlier suspects no longer exist.
        publisher.suspects.forget_before(&suspect);
    }
    match sink.publish(&outgoing.message) {
        Ok(packet_id) => {
            publisher.count_sent();
            publisher.record_in_flight(packet_id, InFlight::Outgoing(outgoing.message_ref));
        }
        Err(why @ (NotSent::BufferFull | NotSent::WindowFull | NotSent::AtMostOnceOnly)) => {
            publisher.record_not_sent(&why);
            publisher.fetched.push_front(outgoing);
        }
        Err(NotSent::Never(why)) => publisher.park(outgoing.message_ref, why).await,
    }
}

/// Returns whether other messages are sent before this one, because earlier connections left it unanswered, or a message before it on its
/// topic.
fn must_be_deferred(publisher: &mut Publisher, outgoing: &Outgoing) -> bool {
    if publisher.deferred.len() >= WINDOW {
        publisher.unacknowledged.end_deferral();
    }
    let is_earlier = |other: &Outgoing| {
        other.message_ref.topic == outgoing.message_ref.topic && other.message_ref.id < outgoing.message_ref.id
    };
    publisher
        .unacknowledged
        .deferred_until(outgoing.message_ref.id)
        .is_some()
        || publisher.deferred.iter().any(is_earlier)
}
