//! PUBACK, PUBREC, PUBREL and PUBCOMP, which have the same format.

use bytes::{BufMut, Bytes, BytesMut};

use super::properties::Place;
use super::wire::Reader;
use super::{Malformed, Properties, Protocol};

/// The acknowledgement of a message or of another acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    pub(crate) packet_id: u16,
    /// Always zero in MQTT 3.1.1.
    pub(crate) code: u8,
    pub(crate) properties: Properties,
}

impl Acknowledgement {
    pub(crate) fn new(packet_id: u16, code: u8) -> Self {
        Self {
            packet_id,
            code,
            properties: Properties::default(),
        }
    }

    pub(super) fn read(body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mut read = Self::new(reader.packet_id()?, 0);
        // MQTT 5, 3.4.2.1: without properties the code may be left out, and both if it is success.
        if protocol == Protocol::V5 && !reader.is_empty() {
            read.code = reader.u8()?;
            if !reader.is_empty() {
                read.properties = Properties::read(&mut reader, Place::Acknowledgement)?;
            }
        }
        reader.finish()?;
        Ok(read)
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        out.put_u16(self.packet_id);
        if protocol == Protocol::V5 && (self.code != 0 || !self.properties.is_empty()) {
            out.put_u8(self.code);
            if !self.properties.is_empty() {
                self.properties.write(out);
            }
        }
    }
}
