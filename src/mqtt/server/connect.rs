//! Reads CONNECT, and refuses it.

use super::options::ServerOptions;
use super::output::{Output, PacketFormat};
use crate::mqtt::decode::announced_version;
use crate::mqtt::packet::{Connack, Connect, Packet};
use crate::mqtt::{Frame, ProtocolError, ProtocolVersion, ReasonCode, Sender, codes, decode};

/// A first packet that is no CONNECT which the server supports.
#[derive(Debug)]
pub(super) struct ConnectError {
    pub(super) error: ProtocolError,
    /// The version in which the client understands CONNACK, if it understands any (MQTT-3.1.4-1).
    pub(super) version: Option<ProtocolVersion>,
}

impl ConnectError {
    /// Writes CONNACK, if the client understands one.
    pub(super) fn answer(&self, output: &mut Output) {
        if let Some(version) = self.version {
            let format = PacketFormat {
                version,
                maximum_size: usize::MAX,
            };
            put_refusal(output, self.error.code, None, format);
        }
    }
}

/// Reads the first packet, which must be CONNECT.
///
/// # Errors
/// If it is another packet, violates the protocol, or requests what a server with these options does not support.
pub(super) fn read_connect(frame: Frame, options: &ServerOptions) -> Result<Box<Connect>, ConnectError> {
    let other = || ConnectError {
        error: ProtocolError::forbidden("MQTT-3.1.0-1", "another packet before CONNECT"),
        version: None,
    };
    let Frame::Packet { first: 0x10, body } = &frame else {
        return Err(other());
    };
    let version = announced_version(body);
    let with_version = |error| ConnectError { error, version };
    let Packet::Connect(connect) = decode(frame, Sender::Client, ProtocolVersion::V5).map_err(with_version)? else {
        return Err(other());
    };
    options.check(&connect).map_err(with_version)?;
    Ok(connect)
}

/// Writes CONNACK with a failure code. In MQTT 3.1.1 the code is converted to the return code with the same meaning, or nothing is written
/// (MQTT-3.2.2-6).
pub(super) fn put_refusal(output: &mut Output, code: ReasonCode, words: Option<&str>, format: PacketFormat) {
    let code = match format.version {
        ProtocolVersion::V5 => codes::allowed(code, codes::CONNACK),
        ProtocolVersion::V3_1_1 => code,
    };
    output.put_with_words(words, format, |properties| {
        Packet::Connack(Connack {
            session_present: false,
            code,
            properties,
        })
    });
}
