//! The packets that wait to be written to the client.

use bytes::BytesMut;

use super::delivery::{Delivery, NotDelivered};
use crate::mqtt::ProtocolVersion;
use crate::mqtt::encode::{self, Header};
use crate::mqtt::packet::Packet;
use crate::mqtt::properties::Property;
use crate::qos::Qos;

/// Maximum number of bytes that wait to be written before nothing more is read from the client, and no message is sent to it.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// The form in which a client accepts packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketFormat {
    pub(super) version: ProtocolVersion,
    /// Maximum size of a packet.
    pub(super) maximum_size: usize,
}

/// Encoded packets.
#[derive(Debug, Default)]
pub(super) struct Output(BytesMut);

impl Output {
    /// Returns the bytes.
    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.0
    }

    /// Returns whether so many bytes wait that nothing more is read from the client, and no message is sent to it.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() > MAX_OUTPUT
    }

    /// Adds a packet. Returns false, and adds nothing, if the client does not accept it or it cannot be encoded.
    pub(super) fn put(&mut self, packet: &Packet, format: PacketFormat) -> bool {
        self.put_within(format.maximum_size, |bytes| {
            encode::encode(bytes, packet, format.version).is_ok()
        })
    }

    /// Adds a packet with a text for people, or without it if that makes the packet too large. Returns false, and adds nothing, if even
    /// that is too large.
    pub(super) fn put_with_words(
        &mut self,
        words: Option<&str>,
        format: PacketFormat,
        packet: impl Fn(Vec<Property>) -> Packet,
    ) -> bool {
        let with_words = words.map(|words| vec![Property::ReasonString(words.to_owned())]);
        let mut variants = [with_words, Some(Vec::new())].into_iter().flatten();
        variants.any(|properties| self.put(&packet(properties), format))
    }

    /// Adds a message.
    ///
    /// # Errors
    /// If the client does not read, or does not accept the message.
    pub(super) fn put_message(
        &mut self,
        delivery: &Delivery,
        packet_id: Option<u16>,
        dup: bool,
        format: PacketFormat,
    ) -> Result<(), NotDelivered> {
        if self.is_full() {
            return Err(NotDelivered::BufferFull);
        }
        let header = Header {
            dup,
            qos: match packet_id {
                Some(_) => Qos::AtLeastOnce,
                None => Qos::AtMostOnce,
            },
            retain: delivery.retain,
            packet_id,
            topic_alias: None,
            subscription_identifiers: delivery.subscription_identifiers,
        };
        let Delivery {
            topic,
            properties,
            payload,
            ..
        } = delivery;
        let is_put = self.put_within(format.maximum_size, |bytes| {
            encode::publish(bytes, format.version, &header, topic, properties, payload).is_ok()
        });
        is_put.then_some(()).ok_or(NotDelivered::TooLarge)
    }

    /// Adds what `write` writes, if it succeeds and writes at most this many bytes.
    fn put_within(&mut self, maximum: usize, write: impl FnOnce(&mut BytesMut) -> bool) -> bool {
        let before = self.0.len();
        if write(&mut self.0) && self.0.len() - before <= maximum {
            return true;
        }
        self.0.truncate(before);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Properties;
    use crate::mqtt::ReasonCode;
    use crate::mqtt::packet::Acknowledgement;

    fn format(maximum_size: usize) -> PacketFormat {
        PacketFormat {
            version: ProtocolVersion::V5,
            maximum_size,
        }
    }

    #[test]
    fn a_text_is_left_out_if_the_packet_would_be_too_large_with_it() {
        let puback = |properties| {
            Packet::Puback(Acknowledgement {
                packet_id: 1,
                code: ReasonCode::QUOTA_EXCEEDED,
                properties,
            })
        };
        // PUBACK has 5 bytes without properties; a reason string of one byte adds 5.
        for (words, maximum, size) in [
            (Some("w"), 10, 10),
            (Some("w"), 9, 5),
            (Some("w"), 5, 5),
            (Some("w"), 4, 0),
            (None, 10, 5),
            (None, 4, 0),
        ] {
            let mut output = Output::default();
            assert!(output.put(&Packet::Pingresp, format(2)));
            let is_put = output.put_with_words(words, format(maximum), puback);
            assert_eq!(
                (is_put, output.bytes().len()),
                (size > 0, 2 + size),
                "{words:?} in {maximum} bytes"
            );
        }
    }

    #[test]
    fn a_message_is_written_whole_or_not_at_all() {
        let (properties, long) = (Properties::default(), "t".repeat(65_536));
        let delivery = |topic, payload| Delivery {
            topic,
            qos: Qos::AtMostOnce,
            retain: false,
            subscription_identifiers: &[],
            properties: &properties,
            payload,
        };
        let mut output = Output::default();
        // The packet has 7 bytes.
        for (topic, maximum, expected) in [
            ("t", 6, Err(NotDelivered::TooLarge)),
            ("t", 7, Ok(())),
            (long.as_str(), usize::MAX, Err(NotDelivered::TooLarge)),
        ] {
            let before = output.bytes().len();
            let outcome = output.put_message(&delivery(topic, b"x"), None, false, format(maximum));
            assert_eq!(outcome, expected, "{} bytes in {maximum}", topic.len());
            let written = output.bytes().len() - before;
            assert_eq!(written, if outcome.is_ok() { 7 } else { 0 });
        }
        // One message may exceed the limit, and then nothing more is added.
        let large = vec![0; MAX_OUTPUT];
        let sent = output.put_message(&delivery("t", &large), None, false, format(usize::MAX));
        assert!(sent.is_ok() && output.is_full());
        let next = output.put_message(&delivery("t", b""), None, false, format(usize::MAX));
        assert_eq!(next, Err(NotDelivered::BufferFull));
        // A mandatory packet is written nevertheless.
        assert!(output.put(&Packet::Pingresp, format(2)));
    }
}
