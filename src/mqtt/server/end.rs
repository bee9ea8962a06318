//! Ends a connection: its last packet, its will, its session.

use tokio::time::Instant;

use super::action::{Action, Close, CloseCause};
use super::{Phase, Server};
use crate::mqtt::packet::{Disconnect, Packet};
use crate::mqtt::properties::Property;
use crate::mqtt::{ProtocolError, ProtocolVersion, Reason, ReasonCode, codes};

impl Server {
    /// Ends the connection if the client has been silent for too long.
    pub fn check_time(&mut self, now: Instant) -> Option<Close> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let cause = match self.phase {
            Phase::New => CloseCause::ConnectTimeout,
            _ => CloseCause::KeepAlive,
        };
        Some(self.finish(cause))
    }

    /// Ends the connection because the socket was closed. Nothing can be written any more.
    pub fn lost(&mut self) -> Close {
        self.finish(CloseCause::Lost)
    }

    /// Ends the connection by a decision of the server, with a text for people.
    pub fn disconnect(&mut self, code: ReasonCode, words: Option<&str>) -> Close {
        self.put_disconnect(codes::allowed(code, codes::SERVER_DISCONNECT), words);
        self.finish(CloseCause::ByServer(code))
    }

    /// Ends the connection because the same client has connected again. If `resumes`, the new connection resumes the session, and a will
    /// with a delay is not published (MQTT-3.1.3-9); otherwise the session ends here.
    pub fn take_over(&mut self, resumes: bool) -> Close {
        self.put_disconnect(ReasonCode::SESSION_TAKEN_OVER, None);
        let mut close = self.finish(CloseCause::TakenOver);
        if resumes {
            close.will = close.will.filter(|due| due.will.delay == 0);
        } else {
            close.session_expiry = 0;
            if let Some(due) = &mut close.will {
                due.delay = std::time::Duration::ZERO;
            }
        }
        close
    }

    /// Ends the connection because of a protocol error.
    pub(super) fn protocol_error(&mut self, error: ProtocolError) -> Action {
        self.close(CloseCause::Protocol(error))
    }

    pub(super) fn close(&mut self, cause: CloseCause) -> Action {
        Action::Close(Box::new(self.finish(cause)))
    }

    /// Writes the DISCONNECT for the cause, and ends.
    pub(super) fn finish(&mut self, cause: CloseCause) -> Close {
        if let Some(close) = self.due_close.take() {
            return *close;
        }
        match &cause {
            CloseCause::Protocol(error) => self.put_disconnect(error.code, None),
            CloseCause::KeepAlive => self.put_disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT, None),
            CloseCause::ClientTooNarrow => self.put_disconnect(ReasonCode::PACKET_TOO_LARGE, None),
            _ => {}
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        let Phase::Connected(mut terms) = phase else {
            return Close {
                cause,
                will: None,
                session_expiry: 0,
            };
        };
        // MQTT 3.1.1 has no other code, and discards the will as well (MQTT-3.14.4-3).
        let is_discarded =
            matches!(&cause, CloseCause::Disconnected(Reason { code, .. }) if *code == ReasonCode::SUCCESS);
        Close {
            will: terms.due_will().filter(|_| !is_discarded),
            session_expiry: terms.session_expiry,
            cause,
        }
    }

    /// Writes DISCONNECT, which servers may send only in MQTT 5, and only after CONNACK (MQTT-3.14.0-1).
    fn put_disconnect(&mut self, code: ReasonCode, words: Option<&str>) {
        let Phase::Connected(terms) = &self.phase else {
            return;
        };
        let (version, most) = (terms.version, terms.maximum_packet_size);
        if version == ProtocolVersion::V3_1_1 {
            return;
        }
        let with_words = words.map(|words| vec![Property::ReasonString(words.to_owned())]);
        for properties in [with_words, Some(Vec::new())].into_iter().flatten() {
            let disconnect = Packet::Disconnect(Disconnect { code, properties });
            if self.put_within(&disconnect, version, most) {
                return;
            }
        }
    }
}
