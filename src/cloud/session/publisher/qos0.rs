//! Messages at QoS 0: sent at once or not at all, and never at the expense of others.

use super::unanswered::Kind;
use super::{DROPPED, InFlight, Publisher, Suspect, TEMPORARY};
use crate::cloud::mqtt::{NotSent, PacketSink, Reason};
use crate::messages::Qos0Message;
use crate::problem::Problem;

/// How a message at QoS 0 is sent.
#[derive(Clone, Copy, Default)]
pub(super) struct Delivery {
    /// At QoS 1, to get an answer.
    pub(super) answered: bool,
    /// While no other message is in flight.
    pub(super) alone: bool,
}

/// Decides how to send a message at QoS 0.
pub(super) fn delivery(publisher: &Publisher, qos0: &Qos0Message) -> Delivery {
    if !publisher.acknowledges {
        return Delivery::default();
    }
    let kind = Kind::of(&qos0.message);
    let is_doubtful = publisher.unanswered.is_doubtful(&kind);
    let alone = publisher.one_at_a_time() || publisher.suspects.is_suspected(&Suspect::Qos0Message(kind));
    Delivery {
        answered: is_doubtful || alone,
        alone,
    }
}

/// Sends the waiting message, unless its sender has gone or AWS is known to refuse it.
pub(super) fn send_qos0(publisher: &mut Publisher, sink: &mut dyn PacketSink) {
    let Some(qos0) = publisher.waiting.take_if(|qos0| !qos0.sent.is_closed()) else {
        // The sender has been told that the message was not sent.
        publisher.waiting = None;
        return;
    };
    let kind = Kind::of(&qos0.message);
    if let Some(why) = publisher.unanswered.refusal(&kind) {
        return drop(qos0.sent.send(Err(why)));
    }
    if publisher.suspects.is_guilty(&Suspect::Qos0Message(kind.clone())) {
        publisher.suspects.cleared(&Suspect::Qos0Message(kind.clone()));
        publisher.made_progress = true;
        let why = publisher.unanswered.refuse(kind, DROPPED);
        return drop(qos0.sent.send(Err(why)));
    }
    let Delivery { answered, alone } = delivery(publisher, &qos0);
    let window = if alone { 1 } else { publisher.window };
    let is_quiet = alone && publisher.suspects.quiet_until().is_some();
    if answered && (publisher.in_flight.len() >= window || is_quiet) {
        publisher.waiting = Some(qos0);
        return;
    }
    let outcome = match answered {
        true => sink.publish(&qos0.message).map(Some),
        false => sink.publish_unacknowledged(&qos0.message).map(|()| None),
    };
    match outcome {
        Ok(packet_id) => {
            publisher.count_sent();
            if let Some(packet_id) = packet_id {
                publisher.record_in_flight(packet_id, InFlight::Qos0Message(qos0));
            } else {
                publisher.unanswered.sent(kind);
                let _ = qos0.sent.send(Ok(()));
            }
        }
        Err(why @ (NotSent::BufferFull | NotSent::WindowFull)) => {
            publisher.record_not_sent(&why);
            publisher.waiting = Some(qos0);
        }
        Err(NotSent::AtMostOnceOnly) => {
            let why = Problem::wait("the broker acknowledges no messages");
            let _ = qos0.sent.send(Err(why));
        }
        Err(NotSent::Never(why)) => {
            let why = Problem::configuration(format!("the message cannot be sent: {why}"));
            let _ = qos0.sent.send(Err(why));
        }
    }
}

/// Handles AWS's answer to a message at QoS 0 that was sent at QoS 1.
pub(super) fn handle_qos0_answer(publisher: &mut Publisher, qos0: Qos0Message, reason: &Reason) {
    let kind = Kind::of(&qos0.message);
    publisher.suspects.cleared(&Suspect::Qos0Message(kind.clone()));
    let outcome = match reason.code {
        code if !code.is_failure() => {
            publisher.unanswered.accepted(kind);
            Ok(())
        }
        code if TEMPORARY.contains(&code) => Err(Problem::wait(format!("AWS does not accept it now: {reason}"))),
        _ => Err(publisher.unanswered.refuse(kind, &reason.to_string())),
    };
    let _ = qos0.sent.send(outcome);
}
