//! PUBLISH.

use bytes::{BufMut, Bytes, BytesMut};

use super::properties::Place;
use super::wire::{Put, Reader};
use super::{Malformed, Properties, Protocol, QoS, property, topic};

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    pub(crate) duplicate: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// The topic; empty only if a topic alias is used.
    pub(crate) topic: String,
    /// The packet identifier; zero for QoS 0 only.
    pub(crate) packet_id: u16,
    pub(crate) properties: Properties,
    pub(crate) payload: Bytes,
}

const DUPLICATE: u8 = 0x08;
const RETAIN: u8 = 0x01;

impl Publish {
    pub(super) fn read(flags: u8, body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let qos = QoS::from_bits((flags >> 1) & 0x03)?;
        let duplicate = flags & DUPLICATE != 0;
        if duplicate && qos == QoS::AtMostOnce {
            return Err(Malformed("DUP with QoS 0"));
        }
        let topic = reader.string()?;
        let packet_id = if qos == QoS::AtMostOnce { 0 } else { reader.packet_id()? };
        let properties = if protocol == Protocol::V5 {
            Properties::read(&mut reader, Place::Publish)?
        } else {
            Properties::default()
        };
        let topic = if topic.is_empty() && properties.get(property::TOPIC_ALIAS).is_some() {
            topic
        } else {
            topic::name(topic)?
        };
        Ok(Self {
            duplicate,
            qos,
            retain: flags & RETAIN != 0,
            topic,
            packet_id,
            properties,
            payload: reader.rest(),
        })
    }

    pub(super) fn flags(&self) -> u8 {
        (if self.duplicate { DUPLICATE } else { 0 }) | (self.qos as u8) << 1 | u8::from(self.retain)
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        out.put_string(&self.topic);
        if self.qos != QoS::AtMostOnce {
            out.put_u16(self.packet_id);
        }
        if protocol == Protocol::V5 {
            self.properties.write(out);
        }
        out.put_slice(&self.payload);
    }
}
