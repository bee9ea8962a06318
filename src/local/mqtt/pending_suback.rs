//! SUBACKs that wait for AWS.

use tokio::time::Instant;

use super::refusal::Refusal;
use crate::mqtt::{Granted, Server};
use crate::qos::Qos;

/// The reason string for a subscription with Retain As Published that is granted. It cannot be refused: every bridge has it.
const RETAIN_FLAG_REMARK: &str = "Retain As Published: AWS IoT clears the retain flag of all messages that it does not send because of a new subscription";

/// A SUBSCRIBE that waits for AWS.
pub(super) struct PendingSuback {
    pub(super) packet_id: u16,
    pub(super) answers: Vec<Answer>,
    pub(super) words: Option<String>,
    /// Whether a subscription has Retain As Published.
    pub(super) wants_retain_flag: bool,
    pub(super) deadline: Instant,
}

/// The answer to one filter.
#[derive(Clone)]
pub(super) enum Answer {
    Known(Granted),
    /// AWS has been asked for this filter; this quality of service is granted if it accepts.
    Awaited(String, Qos),
}

impl PendingSuback {
    /// Returns whether all answers are known.
    fn is_complete(&self) -> bool {
        self.answers.iter().all(|answer| matches!(answer, Answer::Known(_)))
    }

    /// Enters AWS's answer to a filter. Returns whether it was awaited.
    fn enter(&mut self, filter: &str, refusal: Option<&Refusal>) -> bool {
        let mut was_awaited = false;
        for answer in &mut self.answers {
            if let Answer::Awaited(awaited, qos) = answer
                && awaited == filter
            {
                was_awaited = true;
                *answer = Answer::Known(refusal.map_or(Ok(*qos), |refusal| Err(refusal.code)));
            }
        }
        if let (true, Some(refusal), None) = (was_awaited, refusal, &self.words) {
            self.words = Some(refusal.words.clone());
        }
        was_awaited
    }

    /// Sends SUBACK. A filter that AWS has not answered yet is granted.
    fn send(self, server: &mut Server) {
        let granted = self.answers.into_iter().map(|answer| match answer {
            Answer::Known(granted) => granted,
            Answer::Awaited(_, qos) => Ok(qos),
        });
        let granted: Vec<Granted> = granted.collect();
        let remark = self.wants_retain_flag.then_some(RETAIN_FLAG_REMARK);
        server.suback(self.packet_id, &granted, self.words.as_deref().or(remark));
    }
}

/// The SUBACKs of a connection that wait for AWS, in the order of their requests.
#[derive(Default)]
pub(super) struct PendingSubacks(Vec<PendingSuback>);

impl PendingSubacks {
    /// Adds a SUBACK.
    pub(super) fn push(&mut self, suback: PendingSuback) {
        self.0.push(suback);
    }

    /// Enters AWS's answer to a filter: granted, or refused. Returns whether a SUBACK waited for it.
    pub(super) fn enter(&mut self, filter: &str, refusal: Option<&Refusal>) -> bool {
        // Each of them gets the answer, so this must not stop at the first.
        let mut was_awaited = false;
        for suback in &mut self.0 {
            was_awaited |= suback.enter(filter, refusal);
        }
        was_awaited
    }

    /// Sends the SUBACKs that are complete, or have waited for too long.
    pub(super) fn send_due(&mut self, server: &mut Server, now: Instant) {
        let is_due = |suback: &mut PendingSuback| suback.is_complete() || suback.deadline <= now;
        self.0.extract_if(.., is_due).for_each(|suback| suback.send(server));
    }

    /// Returns when the next SUBACK will have waited for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|suback| suback.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{connected_server, receive, sent};
    use super::*;
    use crate::mqtt::packet::{Subscribe, Subscription};
    use crate::mqtt::{Packet, Property, ReasonCode};

    fn granted() -> Answer {
        Answer::Known(Ok(Qos::AtLeastOnce))
    }

    fn awaited(filter: &str) -> Answer {
        Answer::Awaited(filter.to_owned(), Qos::AtMostOnce)
    }

    fn pending(packet_id: u16, answers: &[Answer], deadline: Instant) -> PendingSuback {
        PendingSuback {
            packet_id,
            answers: answers.to_vec(),
            words: None,
            wants_retain_flag: false,
            deadline,
        }
    }

    #[test]
    fn a_suback_is_complete_once_no_filter_waits_for_aws() {
        let refused = || Answer::Known(Err(ReasonCode::NOT_AUTHORIZED));
        for (answers, expected) in [
            (vec![], true),
            (vec![granted()], true),
            (vec![refused()], true),
            (vec![granted(), refused()], true),
            (vec![awaited("a")], false),
            (vec![granted(), awaited("a")], false),
            (vec![awaited("a"), refused()], false),
        ] {
            let suback = pending(1, &answers, Instant::now());
            assert_eq!(suback.is_complete(), expected, "{} answers", answers.len());
        }
    }

    /// Makes the client send SUBSCRIBE with this many filters.
    fn request(server: &mut Server, packet_id: u16, filters: usize) {
        let subscription = Subscription {
            filter: "f".to_owned(),
            options: Default::default(),
        };
        let subscribe = Packet::Subscribe(Subscribe {
            packet_id,
            subscriptions: vec![subscription; filters],
            properties: Vec::new(),
        });
        assert!(receive(server, &subscribe).is_some());
    }

    /// Takes the SUBACKs that were sent: packet identifier, codes, and reason string.
    fn subacks(server: &mut Server) -> Vec<(u16, Vec<u8>, Option<String>)> {
        let packets = sent(server).into_iter().map(|packet| match packet {
            Packet::Suback(suback) => {
                let words = suback.properties.into_iter().find_map(|property| match property {
                    Property::ReasonString(words) => Some(words),
                    _ => None,
                });
                let codes = suback.codes.iter().map(|code| code.0).collect();
                (suback.packet_id, codes, words)
            }
            other => panic!("{other:?}"),
        });
        packets.collect()
    }

    #[test]
    fn a_suback_is_sent_once_aws_has_answered_each_of_its_filters() {
        let (mut server, mut all) = (connected_server(), PendingSubacks::default());
        let start = Instant::now();
        let later = start + Duration::from_secs(5);
        assert_eq!(all.deadline(), None);
        for packet_id in 1..=3 {
            request(&mut server, packet_id, 2);
        }
        all.push(pending(1, &[granted(), awaited("a")], later));
        all.push(pending(
            2,
            &[awaited("a"), awaited("b")],
            later + Duration::from_secs(1),
        ));
        all.push(pending(
            3,
            &[awaited("c"), awaited("c")],
            later + Duration::from_secs(2),
        ));
        assert_eq!(all.deadline(), Some(later));
        all.send_due(&mut server, start);
        assert_eq!(subacks(&mut server), []);
        // An answer that nothing waits for changes nothing.
        assert!(!all.enter("d", None));
        // One answer counts for each request that waits for it.
        assert!(all.enter("a", None));
        all.send_due(&mut server, start);
        assert_eq!(subacks(&mut server), [(1, vec![1, 0], None)]);
        let refusal = Refusal::new(ReasonCode::NOT_AUTHORIZED, "not by policy");
        assert!(all.enter("b", Some(&refusal)) && !all.enter("b", None));
        all.send_due(&mut server, start);
        assert_eq!(
            subacks(&mut server),
            [(2, vec![0, 0x87], Some("not by policy".to_owned()))]
        );
        // Without an answer the filters are granted in the end.
        let last = all.deadline().unwrap();
        all.send_due(&mut server, last - Duration::from_millis(1));
        assert_eq!(subacks(&mut server), []);
        all.send_due(&mut server, last);
        assert_eq!(subacks(&mut server), [(3, vec![0, 0], None)]);
        assert_eq!(all.deadline(), None);
    }

    #[test]
    fn the_first_refusal_is_the_reason_string_and_else_the_remark() {
        let refused = |words: &str| Refusal::new(ReasonCode::NOT_AUTHORIZED, words);
        let mut suback = pending(1, &[awaited("a"), awaited("b")], Instant::now());
        assert!(suback.enter("a", Some(&refused("first"))) && suback.enter("b", Some(&refused("second"))));
        assert_eq!(suback.words.as_deref(), Some("first"));
        // The client of the tests takes no packet as long as the remark.
        assert!(RETAIN_FLAG_REMARK.len() > 64);
        let mut server = connected_server();
        request(&mut server, 1, 1);
        let mut suback = pending(1, &[granted()], Instant::now());
        suback.wants_retain_flag = true;
        suback.send(&mut server);
        assert_eq!(subacks(&mut server), [(1, vec![1], None)]);
    }
}
