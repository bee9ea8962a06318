//! Events of a connection, and the ways in which it ends.

use crate::messages::Received;
use crate::mqtt::{Granted, Incoming, ProtocolError, Reason, ReasonCode};

/// An event on an open connection.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message has arrived. At QoS 1 it must be acknowledged.
    Received {
        /// Packet identifier of the acknowledgement; `None` at QoS 0.
        packet_id: Option<u16>,
        /// The message.
        message: Received,
    },
    /// A message was skipped. At QoS 1 it must be acknowledged with a failure.
    Skipped {
        /// Packet identifier of the acknowledgement; `None` at QoS 0.
        packet_id: Option<u16>,
        /// Topic of the message.
        topic: String,
        /// Reason for skipping it.
        why: String,
    },
    /// AWS has answered a SUBSCRIBE, each filter separately.
    Subscribed {
        /// Packet identifier that [`PacketSink::subscribe`](super::PacketSink::subscribe) returned.
        packet_id: u16,
        /// Results, in the order of the filters.
        granted: Vec<Granted>,
        /// AWS's reason string.
        words: Option<String>,
    },
    /// AWS has answered an UNSUBSCRIBE.
    Unsubscribed {
        /// Packet identifier that [`PacketSink::unsubscribe`](super::PacketSink::unsubscribe) returned.
        packet_id: u16,
    },
    /// AWS has answered a PUBLISH. Codes below 0x80 mean success.
    Acknowledged {
        /// Packet identifier that [`PacketSink::publish`](super::PacketSink::publish) returned.
        packet_id: u16,
        /// AWS's reason.
        reason: Reason,
    },
    /// The send buffer has room again, after a message was rejected because it was full.
    Room,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub enum Lost {
    /// AWS sent DISCONNECT.
    Disconnected(Reason),
    /// The network failed; the cause in one line.
    Broken(String),
    /// We closed it, because AWS showed no sign of life; the symptom in one line.
    GivenUp(String),
    /// We closed it, because AWS answers PINGREQ but not an earlier packet.
    Unanswered,
    /// We closed it, because this machine's network changed and nothing was received since.
    Stale,
    /// We closed it because of a protocol error of AWS.
    Protocol(ProtocolError),
}

/// Effect of our DISCONNECT on the will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server discards the will.
    DiscardWill,
    /// The server publishes the will (MQTT 5.0, 3.14.2.1).
    PublishWill,
}

impl Farewell {
    pub(super) fn reason_code(self) -> ReasonCode {
        match self {
            Self::DiscardWill => ReasonCode::SUCCESS,
            Self::PublishWill => ReasonCode::DISCONNECT_WITH_WILL,
        }
    }
}

/// Converts an incoming packet to an event or to the end of the connection; `None` if the session need not know of it.
pub(super) fn convert(incoming: Incoming) -> Option<Result<Event, Lost>> {
    Some(match incoming {
        Incoming::Message(packet_id, message) => Ok(Event::Received { packet_id, message }),
        Incoming::Skipped(packet_id, topic, why) => Ok(Event::Skipped { packet_id, topic, why }),
        Incoming::Acknowledged(packet_id, reason) => Ok(Event::Acknowledged { packet_id, reason }),
        Incoming::Subscribed(packet_id, granted, words) => Ok(Event::Subscribed {
            packet_id,
            granted,
            words,
        }),
        Incoming::Unsubscribed(packet_id) => Ok(Event::Unsubscribed { packet_id }),
        Incoming::Disconnected(reason) => Err(Lost::Disconnected(reason)),
        Incoming::Pong | Incoming::Nothing => return None,
    })
}
