//! Encodes CONNECT and CONNACK.

use bytes::{BufMut, BytesMut};

use super::publish;
use crate::mqtt::packet::{Connack, Connect, Will};
use crate::mqtt::wire::{EncodeError, put_binary, put_variable};
use crate::mqtt::{ProtocolVersion, properties, version};

pub(super) fn connect(to: &mut BytesMut, connect: &Connect) -> Result<(), EncodeError> {
    let level = match (connect.version, connect.bridge) {
        (ProtocolVersion::V5, _) => 5,
        (ProtocolVersion::V3_1_1, false) => 4,
        (ProtocolVersion::V3_1_1, true) => 0x84,
    };
    to.put_slice(b"\x00\x04MQTT");
    to.put_u8(level);
    let will = connect
        .will
        .as_ref()
        .map_or(0, |will| 0x04 | (will.qos.number() << 3) | (u8::from(will.retain) << 5));
    to.put_u8(
        will | (u8::from(connect.clean_start) << 1)
            | (u8::from(connect.password.is_some()) << 6)
            | (u8::from(connect.user_name.is_some()) << 7),
    );
    to.put_u16(connect.keep_alive);
    properties::write(to, &connect.properties, connect.version)?;
    put_binary(to, connect.client_id.as_bytes())?;
    if let Some(will) = &connect.will {
        put_will(to, will, connect.version)?;
    }
    if let Some(user_name) = &connect.user_name {
        put_binary(to, user_name.as_bytes())?;
    }
    if let Some(password) = &connect.password {
        put_binary(to, &password.expose())?;
    }
    Ok(())
}

fn put_will(to: &mut BytesMut, will: &Will, version: ProtocolVersion) -> Result<(), EncodeError> {
    if version == ProtocolVersion::V5 {
        let mut all = BytesMut::new();
        if will.delay > 0 {
            all.put_u8(0x18);
            all.put_u32(will.delay);
        }
        publish::put_message_properties(&mut all, &will.properties)?;
        put_variable(to, all.len());
        to.unsplit(all);
    }
    put_binary(to, will.topic.as_bytes())?;
    put_binary(to, &will.payload)
}

pub(super) fn connack(to: &mut BytesMut, connack: &Connack, version: ProtocolVersion) -> Result<(), EncodeError> {
    to.put_u8(connack.session_present.into());
    to.put_u8(match version {
        ProtocolVersion::V5 => connack.code.0,
        ProtocolVersion::V3_1_1 => version::return_code(connack.code).ok_or(EncodeError::NotInVersion)?,
    });
    properties::write(to, &connack.properties, version)
}
