//! A breach of the protocol by the other side.

use super::ReasonCode;

/// A breach of the protocol by the other side. It ends the connection: we say why in a DISCONNECT and close (MQTT 5.0, 4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtocolError {
    /// The reason code of our DISCONNECT, one of those that our side may send (MQTT 5.0, 3.14.2.1).
    pub code: ReasonCode,
    /// The statement of the specification of the connection's version, or the section where no numbered statement says it.
    pub statement: &'static str,
    /// The breach, in words that go on from "the server sent" or "the client sent".
    pub what: &'static str,
}

impl ProtocolError {
    /// Something else than CONNACK is the first packet.
    pub const BEFORE_CONNACK: Self = Self::forbidden("MQTT-3.2.0-1", "another packet before CONNACK");
    /// CONNACK answers a clean start with a session of before.
    pub const SESSION_AFTER_CLEAN_START: Self =
        Self::forbidden("MQTT-3.2.2-2", "the session of before, though it was told to forget it");

    /// A packet that cannot be read.
    pub(super) const fn malformed(statement: &'static str, what: &'static str) -> Self {
        Self {
            code: ReasonCode::MALFORMED_PACKET,
            statement,
            what,
        }
    }

    /// A packet that can be read and may not come, or not now.
    pub(super) const fn forbidden(statement: &'static str, what: &'static str) -> Self {
        Self {
            code: ReasonCode::PROTOCOL_ERROR,
            statement,
            what,
        }
    }

    /// A breach that has a reason code of its own.
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
