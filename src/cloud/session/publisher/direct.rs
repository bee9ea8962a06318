//! Messages at quality of service 0: sent at once or not at all, and at nobody's cost.

use super::answers::NOT_ITS_FAULT;
use super::unanswered::Kind;
use super::{DROPPED, Publisher, Suspect, UnderWay};
use crate::cloud::mqtt::{NotSent, PacketSink, Reason};
use crate::messages::Qos0Message;
use crate::problem::Problem;

impl Publisher {
    /// Whether AWS is to answer this message at quality of service 0, and whether it must be alone meanwhile.
    pub(super) fn how(&self, direct: &Qos0Message) -> (bool, bool) {
        if !self.acknowledges {
            return (false, false);
        }
        let kind = Kind::of(&direct.message);
        let doubtful = self.unanswered.is_doubtful(&kind);
        let alone = self.one_at_a_time() || self.suspects.is_suspected(&Suspect::Qos0Message(kind));
        (doubtful || alone, alone)
    }

    /// Sends the one that waits, unless it is not wanted any more or AWS is known not to take it.
    pub(super) fn send_direct(&mut self, sink: &mut dyn PacketSink) {
        let Some(direct) = self.waiting.take_if(|direct| !direct.sent.is_closed()) else {
            // Its program was answered that it was not sent.
            self.waiting = None;
            return;
        };
        let kind = Kind::of(&direct.message);
        if let Some(why) = self.unanswered.refusal(&kind) {
            return drop(direct.sent.send(Err(why)));
        }
        if self.suspects.is_guilty(&Suspect::Qos0Message(kind.clone())) {
            self.suspects.cleared(&Suspect::Qos0Message(kind.clone()));
            self.found_one = true;
            let why = self.unanswered.refuse(kind, DROPPED);
            return drop(direct.sent.send(Err(why)));
        }
        let (answered, alone) = self.how(&direct);
        let most = if alone { 1 } else { self.window };
        if answered && (self.under_way.len() >= most || alone && self.suspects.quiet_until().is_some()) {
            self.waiting = Some(direct);
            return;
        }
        let outcome = match answered {
            true => sink.publish(&direct.message).map(Some),
            false => sink.publish_unacknowledged(&direct.message).map(|()| None),
        };
        match outcome {
            Ok(packet_id) => {
                self.spent();
                if let Some(packet_id) = packet_id {
                    self.is_under_way(packet_id, UnderWay::Qos0Message(direct));
                } else {
                    self.unanswered.sent(kind);
                    let _ = direct.sent.send(Ok(()));
                }
            }
            Err(why @ (NotSent::BufferFull | NotSent::WindowFull)) => {
                self.not_now(&why);
                self.waiting = Some(direct);
            }
            Err(NotSent::AtMostOnceOnly) => {
                let why = Problem::wait("the broker acknowledges no messages");
                let _ = direct.sent.send(Err(why));
            }
            Err(NotSent::Never(why)) => {
                let why = Problem::configuration(format!("the message cannot be sent: {why}"));
                let _ = direct.sent.send(Err(why));
            }
        }
    }

    /// AWS has answered a message at quality of service 0 as one at quality of service 1.
    pub(super) fn direct_answered(&mut self, direct: Qos0Message, reason: &Reason) {
        let kind = Kind::of(&direct.message);
        self.suspects.cleared(&Suspect::Qos0Message(kind.clone()));
        let outcome = match reason.code {
            code if !code.is_failure() => {
                self.unanswered.taken(kind);
                Ok(())
            }
            code if NOT_ITS_FAULT.contains(&code) => Err(Problem::wait(format!("AWS does not take it now: {reason}"))),
            _ => Err(self.unanswered.refuse(kind, &reason.to_string())),
        };
        let _ = direct.sent.send(outcome);
    }
}
