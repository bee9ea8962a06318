//! CONNECT.

use bytes::{BufMut, Bytes, BytesMut};

use super::properties::Place;
use super::wire::{Put, Reader};
use super::{Malformed, Properties, Protocol, QoS, property, topic};

/// A request to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connect {
    pub(crate) protocol: Protocol,
    pub(crate) clean_start: bool,
    pub(crate) keep_alive: u16,
    pub(crate) properties: Properties,
    pub(crate) client_id: String,
    pub(crate) will: Option<Will>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Bytes>,
}

impl Connect {
    /// Creates the server's own CONNECT: MQTT 5, with a clean session.
    pub(crate) fn of_server(client_id: &str) -> Self {
        Self {
            protocol: Protocol::V5,
            clean_start: true,
            keep_alive: 0,
            properties: Properties::default(),
            client_id: client_id.to_owned(),
            will: None,
            username: None,
            password: None,
        }
    }

    /// Returns whether it requests a session that outlives the connection.
    pub(crate) fn is_persistent(&self) -> bool {
        match self.protocol {
            Protocol::V311 => !self.clean_start,
            Protocol::V5 => self.properties.u32(property::SESSION_EXPIRY_INTERVAL).unwrap_or(0) > 0,
        }
    }
}

/// The message that is published if the connection to the client is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: Properties,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS: u8 = 0x18;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

impl Connect {
    pub(super) fn read(body: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        if reader.string()? != "MQTT" {
            return Err(Malformed("protocol name"));
        }
        let protocol = match reader.u8()? {
            4 => Protocol::V311,
            5 => Protocol::V5,
            _ => return Err(Malformed("protocol version")),
        };
        let flags = reader.u8()?;
        if flags & 0x01 != 0 {
            return Err(Malformed("reserved CONNECT flag"));
        }
        let keep_alive = reader.u16()?;
        let properties = if protocol == Protocol::V5 {
            Properties::read(&mut reader, Place::Connect)?
        } else {
            Properties::default()
        };
        let client_id = reader.string()?;
        let will = if flags & WILL != 0 {
            Some(Will::read(&mut reader, protocol, flags)?)
        } else if flags & (WILL_QOS | WILL_RETAIN) != 0 {
            return Err(Malformed("will flags without a will"));
        } else {
            None
        };
        let username = if flags & USERNAME != 0 {
            Some(reader.string()?)
        } else {
            None
        };
        // 3.1.1, 3.1.2.9: no password without a user name; MQTT 5 allows it.
        if flags & PASSWORD != 0 && username.is_none() && protocol == Protocol::V311 {
            return Err(Malformed("password without user name"));
        }
        let password = if flags & PASSWORD != 0 {
            Some(reader.binary()?)
        } else {
            None
        };
        reader.finish()?;
        let clean_start = flags & CLEAN_START != 0;
        Ok(Self {
            protocol,
            clean_start,
            keep_alive,
            properties,
            client_id,
            will,
            username,
            password,
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_string("MQTT");
        out.put_u8(self.protocol as u8);
        let mut flags = if self.clean_start { CLEAN_START } else { 0 };
        if let Some(will) = &self.will {
            flags |= WILL | (will.qos as u8) << 3 | if will.retain { WILL_RETAIN } else { 0 };
        }
        flags |= if self.username.is_some() { USERNAME } else { 0 };
        flags |= if self.password.is_some() { PASSWORD } else { 0 };
        out.put_u8(flags);
        out.put_u16(self.keep_alive);
        if self.protocol == Protocol::V5 {
            self.properties.write(out);
        }
        out.put_string(&self.client_id);
        if let Some(will) = &self.will {
            if self.protocol == Protocol::V5 {
                will.properties.write(out);
            }
            out.put_string(&will.topic);
            out.put_binary(&will.payload);
        }
        if let Some(username) = &self.username {
            out.put_string(username);
        }
        if let Some(password) = &self.password {
            out.put_binary(password);
        }
    }
}

impl Will {
    fn read(reader: &mut Reader, protocol: Protocol, flags: u8) -> Result<Self, Malformed> {
        let qos = QoS::from_bits((flags & WILL_QOS) >> 3)?;
        let properties = if protocol == Protocol::V5 {
            Properties::read(reader, Place::Will)?
        } else {
            Properties::default()
        };
        let topic = topic::name(reader.string()?)?;
        Ok(Self {
            qos,
            retain: flags & WILL_RETAIN != 0,
            properties,
            topic,
            payload: reader.binary()?,
        })
    }
}
