//! The phases of a server's connection, and what exists in each of them.

use std::time::Duration;

use super::action::{Close, CloseCause};
use super::connected::Connected;
use super::options::ServerOptions;
use super::output::Output;
use super::terms::Terms;
use crate::mqtt::{ProtocolVersion, ReasonCode};

/// The phase of a connection.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing was received yet.
    New,
    /// The driver is deciding about CONNECT.
    Connecting(Terms),
    /// CONNECT was accepted.
    Connected(Connected),
    /// No packet is read or written any more. The packet identifiers of a connection that was accepted belong to its session.
    Ended(Option<Connected>),
}

impl Phase {
    /// Ends the phase in which the driver decides about CONNECT; `None` in another phase.
    pub(super) fn take_terms(&mut self) -> Option<Terms> {
        match std::mem::replace(self, Self::Ended(None)) {
            Self::Connecting(terms) => Some(terms),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Returns the connection that was accepted, even if it has ended.
    pub(super) fn accepted(&self) -> Option<&Connected> {
        match self {
            Self::Connected(connected) => Some(connected),
            Self::Ended(connected) => connected.as_ref(),
            Self::New | Self::Connecting(_) => None,
        }
    }

    /// Returns whether packets wait for answers of the driver.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Self::Connecting(_) => true,
            Self::Connected(connected) => connected.requests.is_blocking(),
            Self::New | Self::Ended(_) => false,
        }
    }

    /// Returns the client's version; MQTT 5 before it is known.
    pub(super) fn version(&self) -> ProtocolVersion {
        match self {
            Self::Connecting(terms) => terms.version,
            Self::Connected(connected) => connected.terms.version,
            Self::New | Self::Ended(_) => ProtocolVersion::V5,
        }
    }

    /// Returns how long the client may be silent.
    pub(super) fn silence_limit(&self, options: &ServerOptions) -> Option<Duration> {
        match self {
            Self::New => Some(options.connect_timeout),
            Self::Connected(connected) => connected.terms.silence_limit(),
            Self::Connecting(_) | Self::Ended(_) => None,
        }
    }

    /// Returns the cause of the end after such a silence.
    pub(super) fn silence_cause(&self) -> CloseCause {
        match self {
            Self::New => CloseCause::ConnectTimeout,
            Self::Connecting(_) | Self::Connected(_) | Self::Ended(_) => CloseCause::KeepAlive,
        }
    }

    /// Writes DISCONNECT to a connected client.
    pub(super) fn put_disconnect(&self, code: ReasonCode, words: Option<&str>, output: &mut Output) {
        if let Self::Connected(connected) = self {
            connected.put_disconnect(code, words, output);
        }
    }

    /// Writes the DISCONNECT for the cause, and ends.
    pub(super) fn end(&mut self, cause: CloseCause, output: &mut Output) -> Close {
        let code = match &cause {
            CloseCause::Protocol(error) => Some(error.code),
            CloseCause::KeepAlive => Some(ReasonCode::KEEP_ALIVE_TIMEOUT),
            CloseCause::ClientTooNarrow => Some(ReasonCode::PACKET_TOO_LARGE),
            _ => None,
        };
        if let Some(code) = code {
            self.put_disconnect(code, None, output);
        }
        let (close, connected) = match std::mem::replace(self, Self::Ended(None)) {
            Self::Connected(mut connected) => (connected.terms.close(cause), Some(connected)),
            Self::Ended(connected) => (Close::without_session(cause), connected),
            Self::New | Self::Connecting(_) => (Close::without_session(cause), None),
        };
        *self = Self::Ended(connected);
        close
    }
}
