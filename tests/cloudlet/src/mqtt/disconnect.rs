//! DISCONNECT.

use bytes::{BufMut, Bytes, BytesMut};

use super::properties::Place;
use super::wire::Reader;
use super::{Malformed, Properties, Protocol};

/// Ends a connection: sent by either side in MQTT 5, by the client in 3.1.1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Disconnect {
    pub(crate) code: u8,
    pub(crate) properties: Properties,
}

impl Disconnect {
    pub(crate) fn because(code: u8) -> Self {
        Self {
            code,
            properties: Properties::default(),
        }
    }

    pub(super) fn read(body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mut read = Self::default();
        if protocol == Protocol::V5 && !reader.is_empty() {
            read.code = reader.u8()?;
            if !reader.is_empty() {
                read.properties = Properties::read(&mut reader, Place::Disconnect)?;
            }
        }
        reader.finish()?;
        Ok(read)
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        if protocol == Protocol::V5 && (self.code != 0 || !self.properties.is_empty()) {
            out.put_u8(self.code);
            if !self.properties.is_empty() {
                self.properties.write(out);
            }
        }
    }
}
