//! Answers to the requests of a client.

use super::action::{Close, CloseCause};
use super::{Phase, Server, Unanswered};
use crate::mqtt::packet::{Acknowledgement, Packet, Suback};
use crate::mqtt::properties::Property;
use crate::mqtt::{Granted, ProtocolVersion, ReasonCode, codes, encode};
use crate::qos::Qos;

impl Server {
    /// Answers a QoS 1 message: it is stored, or refused for this reason. A code that PUBACK must not have is replaced by 0x83
    /// (implementation specific error). In MQTT 3.1.1 there is no packet for a refusal, so the connection ends, as at AWS IoT
    /// (MQTT-3.3.5-2).
    pub fn puback(&mut self, packet_id: u16, code: ReasonCode, words: Option<&str>) {
        if self
            .end_request(packet_id, |request| request == Unanswered::Publish)
            .is_none()
        {
            return;
        }
        if self.version() == ProtocolVersion::V3_1_1 && code.is_failure() {
            return self.close_later(CloseCause::Refused(code));
        }
        let code = codes::allowed(code, codes::PUBACK);
        self.answer(words, |properties| {
            Packet::Puback(Acknowledgement {
                packet_id,
                code,
                properties,
            })
        });
    }

    /// Answers SUBSCRIBE, in the order of its filters. A missing answer refuses its filter.
    pub fn suback(&mut self, packet_id: u16, granted: &[Granted], words: Option<&str>) {
        let is_it = |request| matches!(request, Unanswered::Subscribe(_));
        let Some(Unanswered::Subscribe(filters)) = self.end_request(packet_id, is_it) else {
            return;
        };
        let code = |granted: &Granted| match granted {
            Ok(qos) => ReasonCode((*qos).min(Qos::AtLeastOnce).number()),
            Err(code) => codes::allowed(*code, codes::SUBACK),
        };
        let codes = fill(granted.iter().map(code), filters);
        self.answer(words, |properties| {
            Packet::Suback(Suback {
                packet_id,
                codes: codes.clone(),
                properties,
            })
        });
    }

    /// Answers UNSUBSCRIBE, in the order of its filters: [`ReasonCode::SUCCESS`], [`ReasonCode::NO_SUBSCRIPTION_EXISTED`] or a
    /// failure.
    pub fn unsuback(&mut self, packet_id: u16, answers: &[ReasonCode]) {
        let is_it = |request| matches!(request, Unanswered::Unsubscribe(_));
        let Some(Unanswered::Unsubscribe(filters)) = self.end_request(packet_id, is_it) else {
            return;
        };
        let codes = fill(
            answers.iter().map(|code| codes::allowed(*code, codes::UNSUBACK)),
            filters,
        );
        self.answer(None, |properties| {
            Packet::Unsuback(Suback {
                packet_id,
                codes: codes.clone(),
                properties,
            })
        });
    }

    /// Writes an answer, with a text for people if the client wants and accepts it.
    fn answer(&mut self, words: Option<&str>, packet: impl Fn(Vec<Property>) -> Packet) {
        let Phase::Connected(terms) = &self.phase else {
            return;
        };
        let (version, most) = (terms.version, terms.maximum_packet_size);
        if let Some(words) = words.filter(|_| terms.problem_information) {
            let with_words = packet(vec![Property::ReasonString(words.to_owned())]);
            if self.put_within(&with_words, version, most) {
                return;
            }
        }
        self.put(&packet(Vec::new()));
    }

    /// Writes a mandatory packet. If it is larger than the client accepts, the connection ends.
    pub(super) fn put(&mut self, packet: &Packet) {
        let Phase::Connected(terms) = &self.phase else {
            return;
        };
        let (version, most) = (terms.version, terms.maximum_packet_size);
        if !self.put_within(packet, version, most) {
            self.close_later(CloseCause::ClientTooNarrow);
        }
    }

    /// Writes a packet of at most this size. Returns false, and writes nothing, if it is larger or cannot be encoded.
    pub(super) fn put_within(&mut self, packet: &Packet, version: ProtocolVersion, most: usize) -> bool {
        let before = self.output.len();
        if encode(&mut self.output, packet, version).is_ok() && self.output.len() - before <= most {
            return true;
        }
        self.output.truncate(before);
        false
    }

    /// Ends the connection; the next call of [`next`](Self::next) reports that.
    pub(super) fn close_later(&mut self, cause: CloseCause) {
        let close: Close = self.finish(cause);
        self.due_close = Some(Box::new(close));
    }
}

/// Returns one code for each filter; a filter without an answer is refused.
fn fill(codes: impl Iterator<Item = ReasonCode>, filters: usize) -> Vec<ReasonCode> {
    codes
        .chain(std::iter::repeat(ReasonCode::UNSPECIFIED_ERROR))
        .take(filters)
        .collect()
}
