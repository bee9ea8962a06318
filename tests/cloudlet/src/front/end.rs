//! The end of a connection, and its reason.

use crate::mqtt::reason;

/// The reason for the end of a connection, and the reason code for an MQTT 5 client.
#[derive(Debug)]
pub(super) struct ConnectionEnd {
    pub(super) code: Option<u8>,
    pub(super) cause: Cause,
    pub(super) reason: String,
}

/// `disconnectReason` of lifecycle events (developer guide, life-cycle-events).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    AuthError,
    ClientInitiated,
    ClientError,
    ConnectionLost,
    DuplicateClientId,
    KeepAliveTimeout,
    ServerError,
    ServerInitiated,
}

impl Cause {
    /// Returns the disconnect reason in AWS's lifecycle events.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AuthError => "AUTH_ERROR",
            Self::ClientInitiated => "CLIENT_INITIATED_DISCONNECT",
            Self::ClientError => "CLIENT_ERROR",
            Self::ConnectionLost => "CONNECTION_LOST",
            Self::DuplicateClientId => "DUPLICATE_CLIENTID",
            Self::KeepAliveTimeout => "MQTT_KEEP_ALIVE_TIMEOUT",
            Self::ServerError => "SERVER_ERROR",
            Self::ServerInitiated => "SERVER_INITIATED_DISCONNECT",
        }
    }

    /// Returns the cause that belongs to a reason code.
    pub(super) fn of(code: u8) -> Self {
        match code {
            reason::NOT_AUTHORIZED => Self::AuthError,
            reason::SESSION_TAKEN_OVER => Self::DuplicateClientId,
            reason::KEEP_ALIVE_TIMEOUT => Self::KeepAliveTimeout,
            reason::ADMINISTRATIVE_ACTION => Self::ServerInitiated,
            _ => Self::ClientError,
        }
    }
}

impl ConnectionEnd {
    /// Creates an end that is not announced to the client.
    pub(super) fn without_disconnect(cause: Cause, reason: impl Into<String>) -> Self {
        Self {
            code: None,
            cause,
            reason: reason.into(),
        }
    }

    /// Creates an end that is announced to an MQTT 5 client with this code.
    pub(super) fn with_disconnect(code: u8, reason: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            cause: Cause::of(code),
            reason: reason.into(),
        }
    }

    /// Creates the end of a connection that the client has closed.
    pub(super) fn client_gone() -> Self {
        Self::without_disconnect(Cause::ConnectionLost, "the client is gone")
    }

    /// Creates the end of a connection because the broker has failed.
    pub(super) fn broker_failed(reason: impl std::fmt::Display) -> Self {
        Self::without_disconnect(Cause::ServerError, format!("broker: {reason}"))
    }
}
