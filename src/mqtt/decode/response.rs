//! Decodes packets that answer others or end the connection: a packet identifier, reason codes, properties.

use crate::mqtt::packet::{Acknowledgement, Auth, Connack, Disconnect, Suback};
use crate::mqtt::properties::{self, Property, Section};
use crate::mqtt::wire::Reader;
use crate::mqtt::{ProtocolError, ProtocolVersion, ReasonCode, Sender, codes, version};

pub(super) fn connack(mut reader: Reader) -> Result<Connack, ProtocolError> {
    let flags = reader.u8()?;
    if flags > 1 {
        let statement = reader.cite("MQTT-3.2.2-1", "MQTT 3.1.1, 3.2.2.1");
        return Err(ProtocolError::malformed(statement, "CONNACK with reserved flags"));
    }
    let byte = reader.u8()?;
    let (properties, _) = properties::read(&mut reader, Section::Connack, Sender::Server)?;
    reader.finish()?;
    let code = match reader.version() {
        ProtocolVersion::V5 => Some(ReasonCode(byte)),
        ProtocolVersion::V3_1_1 => version::reason_code(byte),
    };
    let code = code
        .filter(|code| *code == ReasonCode::SUCCESS || code.is_failure())
        .ok_or(ProtocolError::malformed(
            reader.cite("MQTT-3.2.2-8", "MQTT 3.1.1, 3.2.2.3"),
            "CONNACK with a reason code of another packet",
        ))?;
    if code.is_failure() && flags == 1 {
        return Err(ProtocolError::forbidden(
            reader.cite("MQTT-3.2.2-6", "MQTT-3.2.2-4"),
            "a refusal with a session present",
        ));
    }
    Ok(Connack {
        session_present: flags == 1,
        code,
        properties,
    })
}

/// Decodes PUBACK and PUBREC.
pub(super) fn acknowledgement(
    reader: Reader,
    sender: Sender,
    statement: &'static str,
) -> Result<Acknowledgement, ProtocolError> {
    numbered(reader, sender, codes::PUBACK, statement)
}

/// Decodes PUBREL and PUBCOMP.
pub(super) fn release(
    reader: Reader,
    sender: Sender,
    statement: &'static str,
) -> Result<Acknowledgement, ProtocolError> {
    numbered(reader, sender, codes::PUBREL, statement)
}

fn numbered(
    mut reader: Reader,
    sender: Sender,
    codes: &[u8],
    statement: &'static str,
) -> Result<Acknowledgement, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-5")?;
    let (code, properties) = reason(reader, Section::Acknowledgement, sender)?;
    check_code(code, sender, codes, statement)?;
    Ok(Acknowledgement {
        packet_id,
        code,
        properties,
    })
}

pub(super) fn disconnect(reader: Reader, sender: Sender) -> Result<Disconnect, ProtocolError> {
    let (code, properties) = reason(reader, Section::Disconnect, sender)?;
    check_code(code, sender, codes::CLIENT_DISCONNECT, "MQTT-3.14.2-1")?;
    Ok(Disconnect { code, properties })
}

pub(super) fn auth(reader: Reader, sender: Sender) -> Result<Auth, ProtocolError> {
    let (code, properties) = reason(reader, Section::Auth, sender)?;
    check_code(code, sender, codes::AUTH, "MQTT-3.15.2-1")?;
    Ok(Auth { code, properties })
}

/// Reads a reason code and the properties after it. Both may be left out, and MQTT 3.1.1 has neither (MQTT 5.0, 3.4.2.2.1).
fn reason(mut reader: Reader, section: Section, sender: Sender) -> Result<(ReasonCode, Vec<Property>), ProtocolError> {
    if reader.version() == ProtocolVersion::V3_1_1 || reader.is_empty() {
        reader.finish()?;
        return Ok((ReasonCode::SUCCESS, Vec::new()));
    }
    let code = ReasonCode(reader.u8()?);
    if reader.is_empty() {
        return Ok((code, Vec::new()));
    }
    let (properties, _) = properties::read(&mut reader, section, sender)?;
    reader.finish()?;
    Ok((code, properties))
}

/// Checks a reason code. A client must use one that its packet may have. A server's code is only shown, and a newer server may use codes
/// that this program does not know.
fn check_code(code: ReasonCode, sender: Sender, codes: &[u8], statement: &'static str) -> Result<(), ProtocolError> {
    match sender == Sender::Server || codes.contains(&code.0) {
        true => Ok(()),
        false => Err(ProtocolError::malformed(statement, "a reason code of another packet")),
    }
}

pub(super) fn suback(reader: &mut Reader) -> Result<Suback, ProtocolError> {
    let mut suback = answers(reader)?;
    suback.codes = read_codes(reader)?;
    let version = reader.version();
    let is_allowed = |code: &ReasonCode| match version {
        ProtocolVersion::V5 => code.0 <= 2 || code.is_failure(),
        ProtocolVersion::V3_1_1 => matches!(code.0, 0..=2 | 0x80),
    };
    match suback.codes.iter().all(is_allowed) {
        true => Ok(suback),
        false => Err(ProtocolError::malformed(
            "MQTT-3.9.3-2",
            "SUBACK with a reason code of another packet",
        )),
    }
}

pub(super) fn unsuback(reader: &mut Reader) -> Result<Suback, ProtocolError> {
    let mut unsuback = answers(reader)?;
    match reader.version() {
        ProtocolVersion::V5 => unsuback.codes = read_codes(reader)?,
        ProtocolVersion::V3_1_1 => reader.finish()?,
    }
    Ok(unsuback)
}

fn answers(reader: &mut Reader) -> Result<Suback, ProtocolError> {
    let packet_id = reader.packet_id("MQTT-2.2.1-6")?;
    let (properties, _) = properties::read(reader, Section::Acknowledgement, Sender::Server)?;
    Ok(Suback {
        packet_id,
        codes: Vec::new(),
        properties,
    })
}

fn read_codes(reader: &mut Reader) -> Result<Vec<ReasonCode>, ProtocolError> {
    let mut codes = Vec::new();
    while !reader.is_empty() {
        codes.push(ReasonCode(reader.u8()?));
    }
    Ok(codes)
}
