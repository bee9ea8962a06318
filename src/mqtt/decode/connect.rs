//! Decodes CONNECT.

use bytes::Bytes;

use super::publish::take_property;
use crate::mqtt::names;
use crate::mqtt::packet::{Connect, Will};
use crate::mqtt::properties::{self, Property, Section};
use crate::mqtt::wire::Reader;
use crate::mqtt::{Password, ProtocolError, ProtocolVersion, ReasonCode, Sender};
use crate::qos::Qos;

/// The protocol level of MQTT 3.1.1 with the bit that mosquitto sets for bridges.
const BRIDGE_LEVEL: u8 = 0x84;

pub(super) fn connect(mut reader: Reader) -> Result<Connect, ProtocolError> {
    let (version, bridge) = version(&mut reader)?;
    reader.set_version(version);
    let flags = Flags::read(&mut reader)?;
    let keep_alive = reader.u16()?;
    let (properties, _) = properties::read(&mut reader, Section::Connect, Sender::Client)?;
    check_authentication(&properties)?;
    let client_id = reader.text()?;
    if version == ProtocolVersion::V3_1_1 && client_id.is_empty() && !flags.clean_start {
        return Err(ProtocolError::with_code(
            ReasonCode::CLIENT_ID_NOT_VALID,
            "MQTT-3.1.3-8",
            "an empty client identifier without a clean session",
        ));
    }
    let connect = Connect {
        version,
        bridge,
        clean_start: flags.clean_start,
        keep_alive,
        client_id,
        will: flags
            .will
            .map(|(qos, retain)| will(&mut reader, qos, retain))
            .transpose()?,
        user_name: flags.user_name.then(|| reader.text()).transpose()?,
        password: flags
            .password
            .then(|| reader.binary())
            .transpose()?
            .map(|bytes| Password::new(bytes.to_vec())),
        properties,
    };
    reader.finish()?;
    Ok(connect)
}

/// Returns the version in which to answer a malformed CONNECT; `None` if it is not MQTT.
pub(in crate::mqtt) fn announced_version(body: &Bytes) -> Option<ProtocolVersion> {
    let mut reader = Reader::new(body.clone(), ProtocolVersion::V5);
    let name = reader.text().ok()?;
    let level = reader.u8().ok()?;
    match (name.as_str(), level) {
        ("MQTT", 5..0x80) => Some(ProtocolVersion::V5),
        ("MQTT" | "MQIsdp", _) => Some(ProtocolVersion::V3_1_1),
        _ => None,
    }
}

fn version(reader: &mut Reader) -> Result<(ProtocolVersion, bool), ProtocolError> {
    let code = ReasonCode::UNSUPPORTED_PROTOCOL_VERSION;
    if reader.text()? != "MQTT" {
        return Err(ProtocolError::with_code(
            code,
            "MQTT-3.1.2-1",
            "a protocol name that is not MQTT",
        ));
    }
    match reader.u8()? {
        5 => Ok((ProtocolVersion::V5, false)),
        4 => Ok((ProtocolVersion::V3_1_1, false)),
        BRIDGE_LEVEL => Ok((ProtocolVersion::V3_1_1, true)),
        _ => Err(ProtocolError::with_code(
            code,
            "MQTT-3.1.2-2",
            "a protocol version other than 3.1.1 and 5",
        )),
    }
}

/// The flags of CONNECT (MQTT 5.0, 3.1.2.3).
struct Flags {
    clean_start: bool,
    will: Option<(Qos, bool)>,
    user_name: bool,
    password: bool,
}

impl Flags {
    fn read(reader: &mut Reader) -> Result<Self, ProtocolError> {
        let flags = reader.u8()?;
        let is_set = |bit: u8| flags & (1 << bit) != 0;
        let will_qos = (flags >> 3) & 3;
        let fault = match flags {
            _ if is_set(0) => Some(("MQTT-3.1.2-3", "MQTT-3.1.2-3", "CONNECT with the reserved flag")),
            _ if !is_set(2) && will_qos != 0 => Some((
                "MQTT-3.1.2-11",
                "MQTT-3.1.2-13",
                "the quality of service of a will and no will",
            )),
            _ if !is_set(2) && is_set(5) => Some((
                "MQTT-3.1.2-13",
                "MQTT-3.1.2-15",
                "the retain flag of a will and no will",
            )),
            _ if will_qos == 3 => Some(("MQTT-3.1.2-12", "MQTT-3.1.2-14", "a will at quality of service 3")),
            _ if reader.version() == ProtocolVersion::V3_1_1 && is_set(6) && !is_set(7) => {
                Some(("MQTT-3.1.2-22", "MQTT-3.1.2-22", "a password without a user name"))
            }
            _ => None,
        };
        if let Some((v5, v3, what)) = fault {
            return Err(ProtocolError::malformed(reader.cite(v5, v3), what));
        }
        Ok(Self {
            clean_start: is_set(1),
            will: Qos::from_number(will_qos)
                .filter(|_| is_set(2))
                .map(|qos| (qos, is_set(5))),
            user_name: is_set(7),
            password: is_set(6),
        })
    }
}

fn will(reader: &mut Reader, qos: Qos, retain: bool) -> Result<Will, ProtocolError> {
    let mut will = Will {
        qos,
        retain,
        ..Will::default()
    };
    let (properties, left_out) = properties::read(reader, Section::Will, Sender::Client)?;
    if left_out > 0 {
        return Err(ProtocolError::with_code(
            ReasonCode::QUOTA_EXCEEDED,
            "MQTT 5.0, 4.13.1",
            "a will with more user properties than are accepted",
        ));
    }
    for property in properties {
        match property {
            Property::WillDelayInterval(seconds) => will.delay = seconds,
            other => take_property(other, Sender::Client, &mut will.properties)?,
        }
    }
    will.topic = reader.text()?;
    names::check_name(&will.topic)?;
    will.payload = Bytes::copy_from_slice(&reader.binary()?);
    Ok(will)
}

fn check_authentication(properties: &[Property]) -> Result<(), ProtocolError> {
    let has = |is: fn(&Property) -> bool| properties.iter().any(is);
    match has(|one| matches!(one, Property::AuthenticationData(_)))
        && !has(|one| matches!(one, Property::AuthenticationMethod(_)))
    {
        true => Err(ProtocolError::forbidden(
            "MQTT 5.0, 3.1.2.11.10",
            "authentication data without a method",
        )),
        false => Ok(()),
    }
}
