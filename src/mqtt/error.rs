//! Protocol errors of the other side.

use super::ReasonCode;

/// An error of the other side: a malformed packet, or one that it must not send now. It ends the connection, with a DISCONNECT that
/// contains the reason (MQTT 5.0, 4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtocolError {
    /// The reason code of our DISCONNECT, one of those that our side may send (MQTT 5.0, 3.14.2.1).
    pub code: ReasonCode,
    /// The violated statement of the specification of the connection's version, or the section if there is no numbered statement.
    pub statement: &'static str,
    /// The error, as the rest of a sentence that begins with "the server sent" or "the client sent".
    pub what: &'static str,
}

impl ProtocolError {
    /// The first packet is not CONNACK.
    pub const BEFORE_CONNACK: Self = Self::forbidden("MQTT-3.2.0-1", "another packet before CONNACK");
    /// CONNACK reports an existing session after a clean start.
    pub const SESSION_AFTER_CLEAN_START: Self = Self::forbidden(
        "MQTT-3.2.2-2",
        "the previous session, although a clean start was requested",
    );

    /// Creates the error of a malformed packet.
    pub(super) const fn malformed(statement: &'static str, what: &'static str) -> Self {
        Self {
            code: ReasonCode::MALFORMED_PACKET,
            statement,
            what,
        }
    }

    /// Creates the error of a well-formed packet that is not permitted, or not at this time.
    pub(super) const fn forbidden(statement: &'static str, what: &'static str) -> Self {
        Self {
            code: ReasonCode::PROTOCOL_ERROR,
            statement,
            what,
        }
    }

    /// Creates an error with a specific reason code.
    pub(super) const fn with_code(code: ReasonCode, statement: &'static str, what: &'static str) -> Self {
        Self { code, statement, what }
    }
}

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server sent {} ({})", self.what, self.statement)
    }
}

impl std::error::Error for ProtocolError {}
