//! The broker's half of MQTT 5 on the wire (OASIS MQTT 5.0, chapter 3). It shares no code with any candidate, so one bug
//! cannot hide another. It builds what it is told, right or wrong.

use bytes::Bytes;

/// Property identifiers, MQTT 5.0 table 2-4.
pub const SESSION_EXPIRY: u8 = 0x11;
pub const SERVER_KEEP_ALIVE: u8 = 0x13;
pub const WILL_DELAY: u8 = 0x18;
pub const REASON_STRING: u8 = 0x1F;
pub const RECEIVE_MAXIMUM: u8 = 0x21;
pub const MAXIMUM_PACKET_SIZE: u8 = 0x27;

/// What a client sent.
#[derive(Debug)]
pub enum Received {
    Connect(Connect),
    Publish { id: u16, dup: bool, payload: Bytes },
    Puback { id: u16 },
    Subscribe { id: u16 },
    Pingreq,
    Disconnect { code: u8 },
    Other(u8),
}

#[derive(Debug, Default)]
pub struct Connect {
    pub level: u8,
    pub clean_start: bool,
    pub will: bool,
    pub keep_alive: u16,
    pub properties: Vec<u8>,
    /// Client ID and, if there is one, the will with its properties, undecoded.
    pub payload: Vec<u8>,
}

pub fn u32_property(id: u8, value: u32) -> Vec<u8> {
    [&[id][..], &value.to_be_bytes()].concat()
}

pub fn u16_property(id: u8, value: u16) -> Vec<u8> {
    [&[id][..], &value.to_be_bytes()].concat()
}

pub fn string_property(id: u8, value: &str) -> Vec<u8> {
    [&[id][..], &string(value)].concat()
}

pub fn connack(session_present: bool, code: u8, properties: &[u8]) -> Vec<u8> {
    let flags = [u8::from(session_present), code];
    packet(0x20, &[&flags, &varint(properties.len())[..], properties].concat())
}

pub fn puback(id: u16, code: u8, reason: Option<&str>) -> Vec<u8> {
    let properties = reason
        .map(|text| string_property(REASON_STRING, text))
        .unwrap_or_default();
    packet(
        0x40,
        &[&id.to_be_bytes()[..], &[code], &varint(properties.len()), &properties].concat(),
    )
}

pub fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes()[..], &[0], codes].concat())
}

/// QoS 1.
pub fn publish(topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&string(topic)[..], &id.to_be_bytes(), &[0], payload].concat())
}

pub fn disconnect(code: u8, reason: &str) -> Vec<u8> {
    let properties = string_property(REASON_STRING, reason);
    packet(0xE0, &[&[code][..], &varint(properties.len()), &properties].concat())
}

pub fn pingresp() -> Vec<u8> {
    packet(0xD0, &[])
}

pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &varint(body.len()), body].concat()
}

/// For the broker that must not take a client's word: `None` means the client sent something malformed.
pub fn decode(first: u8, body: &[u8]) -> Option<Received> {
    let mut body = Reader(body);
    Some(match first >> 4 {
        1 => Received::Connect(decode_connect(&mut body)?),
        3 => {
            body.string()?;
            let id = if first & 0x06 == 0 { 0 } else { body.u16()? };
            body.properties()?;
            Received::Publish {
                id,
                dup: first & 0x08 != 0,
                payload: Bytes::copy_from_slice(body.0),
            }
        }
        4 => Received::Puback { id: body.u16()? },
        8 => Received::Subscribe { id: body.u16()? },
        12 => Received::Pingreq,
        14 => Received::Disconnect {
            code: body.u8().unwrap_or(0),
        },
        other => Received::Other(other),
    })
}

fn decode_connect(body: &mut Reader<'_>) -> Option<Connect> {
    if body.string()? != b"MQTT" {
        return None;
    }
    let level = body.u8()?;
    let flags = body.u8()?;
    let keep_alive = body.u16()?;
    let properties = body.properties()?.to_vec();
    Some(Connect {
        level,
        clean_start: flags & 0x02 != 0,
        will: flags & 0x04 != 0,
        keep_alive,
        properties,
        payload: body.0.to_vec(),
    })
}

fn string(value: &str) -> Vec<u8> {
    [&(value.len() as u16).to_be_bytes()[..], value.as_bytes()].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        bytes.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return bytes;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    fn properties(&mut self) -> Option<&'a [u8]> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return self.take(length);
            }
        }
        None
    }
}
