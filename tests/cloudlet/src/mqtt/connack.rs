//! CONNACK.

use bytes::{BufMut, Bytes, BytesMut};

use super::properties::Place;
use super::wire::Reader;
use super::{Malformed, Properties, Protocol};

/// The answer to CONNECT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Connack {
    pub(crate) session_present: bool,
    pub(crate) code: u8,
    pub(crate) properties: Properties,
}

impl Connack {
    pub(crate) fn refused(code: u8) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    pub(super) fn read(body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let session_present = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed("reserved CONNACK flags")),
        };
        let code = reader.u8()?;
        if session_present && code != 0 {
            return Err(Malformed("a session in a refusal"));
        }
        let properties = if protocol == Protocol::V5 {
            Properties::read(&mut reader, Place::Connack)?
        } else {
            Properties::default()
        };
        reader.finish()?;
        Ok(Self {
            session_present,
            code,
            properties,
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        out.put_u8(u8::from(self.session_present));
        out.put_u8(self.code);
        if protocol == Protocol::V5 {
            self.properties.write(out);
        }
    }
}
