//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK.

use bytes::{BufMut, Bytes, BytesMut};

use super::properties::Place;
use super::wire::{Put, Reader};
use super::{Malformed, Properties, Protocol, QoS, topic};

/// A request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscribe {
    pub(crate) packet_id: u16,
    pub(crate) properties: Properties,
    pub(crate) filters: Vec<Filter>,
}

/// A topic filter in a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) filter: String,
    pub(crate) qos: QoS,
    /// The other subscription options of MQTT 5, unchanged: no local, retain as published, retain handling.
    pub(crate) options: u8,
}

/// The answer to a SUBSCRIBE, or in MQTT 5 to an UNSUBSCRIBE: one code for each filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suback {
    pub(crate) packet_id: u16,
    pub(crate) properties: Properties,
    pub(crate) codes: Vec<u8>,
}

/// A request to unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsubscribe {
    pub(crate) packet_id: u16,
    pub(crate) properties: Properties,
    pub(crate) filters: Vec<String>,
}

/// Retain handling, bits 4 and 5 of the subscription options.
pub(super) const RETAIN_HANDLING: u8 = 0x30;
/// Do not send retained messages at all.
const RETAIN_HANDLING_NONE: u8 = 0x20;

impl Filter {
    /// Tells the broker to send no retained messages for this filter.
    pub(crate) fn without_retained(&mut self) {
        self.options = (self.options & !RETAIN_HANDLING) | RETAIN_HANDLING_NONE;
    }
}

fn properties(reader: &mut Reader, protocol: Protocol, place: Place) -> Result<Properties, Malformed> {
    if protocol == Protocol::V5 {
        Properties::read(reader, place)
    } else {
        Ok(Properties::default())
    }
}

impl Subscribe {
    pub(super) fn read(body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let properties = properties(&mut reader, protocol, Place::Subscribe)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = topic::filter(reader.string()?)?;
            let byte = reader.u8()?;
            let options = byte & !0x03;
            let reserved = if protocol == Protocol::V5 { 0xC0 } else { 0xFC };
            if byte & reserved != 0 || options & RETAIN_HANDLING == RETAIN_HANDLING {
                return Err(Malformed("subscription options"));
            }
            filters.push(Filter {
                filter,
                qos: QoS::from_bits(byte & 0x03)?,
                options,
            });
        }
        if filters.is_empty() {
            return Err(Malformed("SUBSCRIBE to nothing"));
        }
        Ok(Self {
            packet_id,
            properties,
            filters,
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        out.put_u16(self.packet_id);
        if protocol == Protocol::V5 {
            self.properties.write(out);
        }
        for filter in &self.filters {
            out.put_string(&filter.filter);
            out.put_u8(filter.qos as u8 | filter.options);
        }
    }
}

impl Suback {
    pub(super) fn read(body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let properties = properties(&mut reader, protocol, Place::Suback)?;
        Ok(Self {
            packet_id,
            properties,
            codes: reader.rest().to_vec(),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        out.put_u16(self.packet_id);
        if protocol == Protocol::V5 {
            self.properties.write(out);
        }
        out.put_slice(&self.codes);
    }
}

impl Unsubscribe {
    pub(super) fn read(body: Bytes, protocol: Protocol) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let properties = properties(&mut reader, protocol, Place::Unsubscribe)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(topic::filter(reader.string()?)?);
        }
        if filters.is_empty() {
            return Err(Malformed("UNSUBSCRIBE from nothing"));
        }
        Ok(Self {
            packet_id,
            properties,
            filters,
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut, protocol: Protocol) {
        out.put_u16(self.packet_id);
        if protocol == Protocol::V5 {
            self.properties.write(out);
        }
        for filter in &self.filters {
            out.put_string(filter);
        }
    }
}
