//! Decodes SUBSCRIBE and UNSUBSCRIBE.

use crate::mqtt::packet::{RetainHandling, Subscribe, Subscription, SubscriptionOptions, Unsubscribe};
use crate::mqtt::properties::{self, Section};
use crate::mqtt::wire::Reader;
use crate::mqtt::{MAX_FILTERS, ProtocolError, ProtocolVersion, ReasonCode, Sender, names};
use crate::qos::Qos;

pub(super) fn subscribe(mut reader: Reader) -> Result<Subscribe, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-3")?;
    let (properties, _) = properties::read(&mut reader, Section::Subscribe, Sender::Client)?;
    let mut subscriptions = Vec::new();
    while !reader.is_empty() {
        check_count(subscriptions.len())?;
        let filter = filter(&mut reader)?;
        let options = options(&mut reader)?;
        if options.no_local && names::is_shared(&filter) {
            return Err(ProtocolError::forbidden(
                "MQTT-3.8.3-4",
                "a shared subscription with No Local",
            ));
        }
        subscriptions.push(Subscription { filter, options });
    }
    match subscriptions.is_empty() {
        true => Err(ProtocolError::forbidden(
            reader.cite("MQTT-3.8.3-2", "MQTT-3.8.3-3"),
            "SUBSCRIBE without a topic filter",
        )),
        false => Ok(Subscribe {
            packet_id,
            subscriptions,
            properties,
        }),
    }
}

pub(super) fn unsubscribe(mut reader: Reader) -> Result<Unsubscribe, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-3")?;
    let (properties, _) = properties::read(&mut reader, Section::Unsubscribe, Sender::Client)?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        check_count(filters.len())?;
        filters.push(filter(&mut reader)?);
    }
    match filters.is_empty() {
        true => Err(ProtocolError::forbidden(
            "MQTT-3.10.3-2",
            "UNSUBSCRIBE without a topic filter",
        )),
        false => Ok(Unsubscribe {
            packet_id,
            filters,
            properties,
        }),
    }
}

fn check_count(so_far: usize) -> Result<(), ProtocolError> {
    match so_far < MAX_FILTERS {
        true => Ok(()),
        false => Err(ProtocolError::with_code(
            ReasonCode::QUOTA_EXCEEDED,
            "MQTT 5.0, 4.13.1",
            "more topic filters in one packet than are accepted",
        )),
    }
}

fn filter(reader: &mut Reader) -> Result<String, ProtocolError> {
    let filter = reader.text()?;
    names::check_filter(&filter, reader.version())?;
    Ok(filter)
}

fn options(reader: &mut Reader) -> Result<SubscriptionOptions, ProtocolError> {
    let byte = reader.u8()?;
    if reader.version() == ProtocolVersion::V3_1_1 {
        let qos = Qos::from_number(byte).ok_or(ProtocolError::malformed(
            "MQTT-3-8.3-4",
            "a subscription with reserved bits, or at quality of service 3",
        ))?;
        return Ok(SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        });
    }
    if byte & 0xc0 != 0 {
        return Err(ProtocolError::malformed(
            "MQTT-3.8.3-5",
            "a subscription with reserved bits",
        ));
    }
    let not_3 = |what| ProtocolError::forbidden("MQTT 5.0, 3.8.3.1", what);
    Ok(SubscriptionOptions {
        qos: Qos::from_number(byte & 3).ok_or(not_3("a subscription at quality of service 3"))?,
        no_local: byte & 4 != 0,
        retain_as_published: byte & 8 != 0,
        retain_handling: match (byte >> 4) & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(not_3("a subscription with retain handling 3")),
        },
    })
}
