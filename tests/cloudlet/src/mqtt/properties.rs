//! MQTT 5 properties, by the table of OASIS MQTT 5.0, 2.2.2.2.

use bytes::{BufMut, Bytes, BytesMut};

use super::Malformed;
use super::wire::{Put, Reader};

/// Property identifiers.
pub(crate) mod property {
    pub(crate) const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const REASON_STRING: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_IDENTIFIER_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2A;
}

/// The places of a property: a packet, or the will in CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Connect,
    Will,
    Connack,
    Publish,
    Acknowledgement,
    Subscribe,
    Suback,
    Unsubscribe,
    Disconnect,
}

/// A property's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Flag(bool),
    U16(u16),
    U32(u32),
    Varint(u32),
    Text(String),
    Binary(Bytes),
    Pair(String, String),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Flag,
    U16,
    NonZeroU16,
    U32,
    NonZeroU32,
    NonZeroVarint,
    Text,
    Binary,
    Pair,
}

use Place::{Acknowledgement, Connack, Connect, Disconnect, Publish, Suback, Subscribe, Unsubscribe, Will};

/// All properties: identifier, type, and the places where they may occur. UNSUBACK is listed as SUBACK, because it has the same ones.
pub(super) const TABLE: [(u8, Kind, &[Place]); 27] = [
    (property::PAYLOAD_FORMAT_INDICATOR, Kind::Flag, &[Publish, Will]),
    (property::MESSAGE_EXPIRY_INTERVAL, Kind::U32, &[Publish, Will]),
    (property::CONTENT_TYPE, Kind::Text, &[Publish, Will]),
    (property::RESPONSE_TOPIC, Kind::Text, &[Publish, Will]),
    (property::CORRELATION_DATA, Kind::Binary, &[Publish, Will]),
    (
        property::SUBSCRIPTION_IDENTIFIER,
        Kind::NonZeroVarint,
        &[Publish, Subscribe],
    ),
    (
        property::SESSION_EXPIRY_INTERVAL,
        Kind::U32,
        &[Connect, Connack, Disconnect],
    ),
    (property::ASSIGNED_CLIENT_IDENTIFIER, Kind::Text, &[Connack]),
    (property::SERVER_KEEP_ALIVE, Kind::U16, &[Connack]),
    (property::AUTHENTICATION_METHOD, Kind::Text, &[Connect, Connack]),
    (0x16, Kind::Binary, &[Connect, Connack]),
    (0x17, Kind::Flag, &[Connect]),
    (0x18, Kind::U32, &[Will]),
    (0x19, Kind::Flag, &[Connect]),
    (0x1A, Kind::Text, &[Connack]),
    (0x1C, Kind::Text, &[Connack, Disconnect]),
    (
        property::REASON_STRING,
        Kind::Text,
        &[Connack, Acknowledgement, Suback, Disconnect],
    ),
    (property::RECEIVE_MAXIMUM, Kind::NonZeroU16, &[Connect, Connack]),
    (property::TOPIC_ALIAS_MAXIMUM, Kind::U16, &[Connect, Connack]),
    (property::TOPIC_ALIAS, Kind::NonZeroU16, &[Publish]),
    (property::MAXIMUM_QOS, Kind::Flag, &[Connack]),
    (property::RETAIN_AVAILABLE, Kind::Flag, &[Connack]),
    (
        property::USER_PROPERTY,
        Kind::Pair,
        &[
            Connect,
            Connack,
            Publish,
            Will,
            Acknowledgement,
            Subscribe,
            Suback,
            Unsubscribe,
            Disconnect,
        ],
    ),
    (property::MAXIMUM_PACKET_SIZE, Kind::NonZeroU32, &[Connect, Connack]),
    (property::WILDCARD_SUBSCRIPTION_AVAILABLE, Kind::Flag, &[Connack]),
    (property::SUBSCRIPTION_IDENTIFIER_AVAILABLE, Kind::Flag, &[Connack]),
    (property::SHARED_SUBSCRIPTION_AVAILABLE, Kind::Flag, &[Connack]),
];

/// The properties of a packet, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Properties(pub(super) Vec<(u8, Value)>);

impl Properties {
    pub(super) fn read(reader: &mut Reader, place: Place) -> Result<Self, Malformed> {
        let length = usize::try_from(reader.varint()?).map_err(|_| Malformed("property length"))?;
        let mut reader = Reader::new(reader.bytes(length)?);
        let mut properties = Vec::new();
        while !reader.is_empty() {
            let id = u8::try_from(reader.varint()?).map_err(|_| Malformed("unknown property"))?;
            let (_, kind, places) = TABLE
                .iter()
                .find(|(known, ..)| *known == id)
                .ok_or(Malformed("unknown property"))?;
            if !places.contains(&place) {
                return Err(Malformed("a property in the wrong packet"));
            }
            // A PUBLISH to several subscriptions carries several subscription identifiers (3.3.2.3.8).
            let repeats =
                id == property::USER_PROPERTY || (id == property::SUBSCRIPTION_IDENTIFIER && place == Publish);
            if !repeats && properties.iter().any(|(known, _)| *known == id) {
                return Err(Malformed("a property twice"));
            }
            properties.push((id, read_value(&mut reader, *kind)?));
        }
        Ok(Self(properties))
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        let mut body = BytesMut::new();
        for (id, value) in &self.0 {
            body.put_u8(*id);
            match value {
                Value::Flag(flag) => body.put_u8(u8::from(*flag)),
                Value::U16(number) => body.put_u16(*number),
                Value::U32(number) => body.put_u32(*number),
                Value::Varint(number) => body.put_varint(*number),
                Value::Text(text) => body.put_string(text),
                Value::Binary(bytes) => body.put_binary(bytes),
                Value::Pair(name, value) => {
                    body.put_string(name);
                    body.put_string(value);
                }
            }
        }
        out.put_varint(u32::try_from(body.len()).unwrap_or(u32::MAX));
        out.put_slice(&body);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, id: u8) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }

    pub(crate) fn u16(&self, id: u8) -> Option<u16> {
        if let Some(Value::U16(number)) = self.get(id) {
            Some(*number)
        } else {
            None
        }
    }

    pub(crate) fn u32(&self, id: u8) -> Option<u32> {
        if let Some(Value::U32(number)) = self.get(id) {
            Some(*number)
        } else {
            None
        }
    }

    pub(crate) fn set(&mut self, id: u8, value: Value) {
        self.remove(id);
        self.0.push((id, value));
    }

    /// Adds a user property, which may occur more than once.
    pub(crate) fn add_user_property(&mut self, name: String, value: String) {
        self.0.push((property::USER_PROPERTY, Value::Pair(name, value)));
    }

    pub(crate) fn remove(&mut self, id: u8) {
        self.0.retain(|(known, _)| *known != id);
    }
}

fn read_value(reader: &mut Reader, kind: Kind) -> Result<Value, Malformed> {
    let value = match kind {
        Kind::Flag => match reader.u8()? {
            0 => Value::Flag(false),
            1 => Value::Flag(true),
            _ => return Err(Malformed("a flag that is neither 0 nor 1")),
        },
        Kind::U16 | Kind::NonZeroU16 => Value::U16(reader.u16()?),
        Kind::U32 | Kind::NonZeroU32 => Value::U32(reader.u32()?),
        Kind::NonZeroVarint => Value::Varint(reader.varint()?),
        Kind::Text => Value::Text(reader.string()?),
        Kind::Binary => Value::Binary(reader.binary()?),
        Kind::Pair => Value::Pair(reader.string()?, reader.string()?),
    };
    match (kind, &value) {
        (Kind::NonZeroU16, Value::U16(0))
        | (Kind::NonZeroU32, Value::U32(0))
        | (Kind::NonZeroVarint, Value::Varint(0)) => Err(Malformed("a property that must not be 0")),
        _ => Ok(value),
    }
}
