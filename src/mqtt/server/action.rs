//! The decisions that a server's connection asks its driver for, and the ways in which it ends.

use std::time::Duration;

use crate::mqtt::packet::{Connect, Publish, Subscribe, Unsubscribe, Will};
use crate::mqtt::{ProtocolError, Reason, ReasonCode};

/// A packet of the client that the driver must decide about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// CONNECT. Answer with [`accept`](super::Server::accept) or [`refuse`](super::Server::refuse); no other packet is read
    /// before.
    Connect(Box<Connect>),
    /// A message, with its topic in full. Answer one with a packet identifier with [`puback`](super::Server::puback) once it is
    /// stored, or to refuse it.
    Publish(Publish),
    /// The client has acknowledged a message that was delivered with this packet identifier. A code from 0x80 on means that it does not
    /// accept the message; the message must not be sent again either (MQTT-4.4.0-2).
    Acknowledged(u16, ReasonCode),
    /// SUBSCRIBE. Answer with [`suback`](super::Server::suback). The options of a bridge include No Local and Retain As Published, as in
    /// mosquitto's treatment of bridges.
    Subscribe(Subscribe),
    /// UNSUBSCRIBE. Answer with [`unsuback`](super::Server::unsuback).
    Unsubscribe(Unsubscribe),
    /// The connection has ended. Write the rest of the output, then close.
    Close(Box<Close>),
}

/// How a connection has ended, and what remains of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The reason for the end.
    pub cause: CloseCause,
    /// The will to be published; `None` if there is none, or the client has cancelled it.
    pub will: Option<DueWill>,
    /// How many seconds the session is kept from now on; 0 discards it, [`SESSION_NEVER_EXPIRES`] keeps it.
    pub session_expiry: u32,
}

impl Close {
    /// The end of a connection that has neither a will nor a session.
    pub(super) fn without_session(cause: CloseCause) -> Self {
        Self {
            cause,
            will: None,
            session_expiry: 0,
        }
    }

    /// Returns what remains once the same client has connected again, and resumes the session or not.
    pub(super) fn taken_over(mut self, resumes: bool) -> Self {
        if resumes {
            self.will = self.will.filter(|due| due.will.delay == 0);
        } else {
            self.session_expiry = 0;
            if let Some(due) = &mut self.will {
                due.delay = Duration::ZERO;
            }
        }
        self
    }
}

/// The session expiry of sessions that never expire.
pub const SESSION_NEVER_EXPIRES: u32 = u32::MAX;

/// A will that is due after a delay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueWill {
    /// The message.
    pub will: Box<Will>,
    /// How long the client has to reconnect before it is published (MQTT-3.1.3-9). It is never longer than the session is kept.
    pub delay: Duration,
}

/// The reason for the end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The client has sent DISCONNECT.
    Disconnected(Reason),
    /// The client has made a protocol error.
    Protocol(ProtocolError),
    /// CONNECT was refused, or a request of MQTT 3.1.1 that cannot be refused otherwise.
    Refused(ReasonCode),
    /// Nothing was received for one and a half keep-alives (MQTT-3.1.2-22).
    KeepAlive,
    /// No CONNECT arrived in time.
    ConnectTimeout,
    /// The same client has connected again (MQTT-3.1.4-3).
    TakenOver,
    /// The server ends the connection with this code.
    ByServer(ReasonCode),
    /// The connection was lost without DISCONNECT.
    Lost,
    /// A mandatory packet is larger than the client accepts (MQTT-3.1.2-24).
    ClientTooNarrow,
}

impl std::fmt::Display for CloseCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disconnected(reason) => write!(f, "the client disconnected: {reason}"),
            Self::Protocol(error) => write!(f, "the client sent {} ({})", error.what, error.statement),
            Self::Refused(code) => write!(f, "the server refused: {code}"),
            Self::KeepAlive => write!(f, "the client sent nothing for one and a half keep-alives"),
            Self::ConnectTimeout => write!(f, "the client sent no CONNECT in time"),
            Self::TakenOver => write!(f, "the same client has connected again"),
            Self::ByServer(code) => write!(f, "the server disconnected: {code}"),
            Self::Lost => write!(f, "the client has gone without DISCONNECT"),
            Self::ClientTooNarrow => write!(f, "the client accepts no packet as large as the answer to its request"),
        }
    }
}
