//! CONNECT and CONNACK.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::pipe::Pipe;
use crate::cloud::connect_errors;
use crate::messages::Message;
use crate::mqtt::{
    ConnectRequest, Frame, Framer, Packet, ProtocolError, ProtocolVersion, Reason, Sender, ServerLimits, decode, encode,
};
use crate::problem::Problem;

/// Contents of CONNECT.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Client ID, which is the thing name.
    pub client_id: String,
    /// Whether AWS discards an existing session.
    pub clean_start: bool,
    /// Keep-alive interval.
    pub keep_alive: Duration,
    /// Time for which AWS should keep the session after a disconnect.
    pub session_expiry: Duration,
    /// Message that AWS publishes when the connection is lost.
    pub will: Option<Message>,
}

/// Terms that AWS granted in CONNACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Limits of the server, and whether it resumed the session.
    pub limits: ServerLimits,
    /// Time for which AWS keeps the session. CONNACK states it only if it differs from the requested one.
    pub session_expiry: Duration,
}

/// Reason why no connection was established.
#[derive(Clone, Debug)]
pub enum ConnectError {
    /// The network, the name service or TLS failed: AWS has not seen a CONNECT.
    Unreachable(Problem),
    /// The connection was lost, or silent, after TLS and before CONNACK; the symptom in one line. AWS treats certificates this
    /// way that it does not know yet, that are inactive, or whose policy forbids the connection.
    LostBeforeConnack(String),
    /// The server answered with something other than CONNACK, described here. AWS never does that because of a certificate.
    NotMqtt(String),
    /// CONNACK with a reason code of failure.
    Refused(Reason),
    /// The first packet is a protocol error.
    Protocol(ProtocolError),
}

/// Sends CONNECT and waits for CONNACK. `heard` becomes true with the first byte from the server.
///
/// # Errors
/// If there is no CONNACK, or if it reports a failure.
pub(super) async fn exchange(
    pipe: &mut Pipe,
    framer: &mut Framer,
    options: &ConnectOptions,
    heard: &AtomicBool,
) -> Result<Terms, ConnectError> {
    let request = ConnectRequest {
        client_id: &options.client_id,
        clean_start: options.clean_start,
        keep_alive: options.keep_alive,
        session_expiry: options.session_expiry,
        will: options.will.as_ref(),
    };
    let connect = Packet::Connect(Box::new(request.packet()));
    encode(&mut pipe.output, &connect, ProtocolVersion::V5).map_err(|_| {
        ConnectError::LostBeforeConnack("CONNECT cannot be encoded: one of its fields is too long".into())
    })?;
    let frame = loop {
        heard.fetch_or(!pipe.input.is_empty(), Ordering::Relaxed);
        match framer.next(&mut pipe.input).map_err(ConnectError::Protocol)? {
            Some(frame) => break frame,
            None => pipe.progress().await.map_err(|error| {
                let seen = connect_errors::alert(&error).unwrap_or_else(|| connect_errors::root_cause(&error));
                ConnectError::LostBeforeConnack(seen)
            })?,
        }
    };
    let connack = match read_packet(frame).map_err(ConnectError::Protocol)? {
        Packet::Connack(connack) => connack,
        Packet::Disconnect(disconnect) => {
            return Err(ConnectError::NotMqtt(format!(
                "DISCONNECT instead of CONNACK: {}",
                disconnect.reason()
            )));
        }
        _ => return Err(ConnectError::Protocol(ProtocolError::BEFORE_CONNACK)),
    };
    let limits = ServerLimits::read(&connack, &options.client_id)
        .map_err(ConnectError::Protocol)?
        .map_err(ConnectError::Refused)?;
    if limits.session_present && options.clean_start {
        return Err(ConnectError::Protocol(ProtocolError::SESSION_AFTER_CLEAN_START));
    }
    Ok(Terms {
        limits,
        session_expiry: limits.session_expiry.unwrap_or(options.session_expiry),
    })
}

/// Decodes a packet from the server.
pub(super) fn read_packet(frame: Frame) -> Result<Packet, ProtocolError> {
    decode(frame, Sender::Server, ProtocolVersion::V5)
}
