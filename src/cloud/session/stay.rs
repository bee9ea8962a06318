//! A connection for as long as it lasts: what comes and goes on it, and what ends it.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::health::State;
use super::{FAREWELL, Session, ending};
use crate::cloud::mqtt::{Connection, Event, Granted, Lost};
use crate::identity::Identity;
use crate::status::SessionPhase;

/// For acknowledgements that are on their way when the session is closed.
const FLUSH: Duration = Duration::from_millis(500);

/// What ended a stay.
pub(super) enum Ended {
    /// With how long it had lasted.
    Lost(Lost, Duration),
    IdentityChanged,
    Shutdown,
}

impl Session {
    /// A connection, which everybody who has something to send is told of.
    pub(super) async fn connected(&mut self, granted: Granted) {
        self.publisher.connected(granted.receive_maximum);
        self.subscriber.connected(granted.session_present).await;
    }

    /// Its end.
    pub(super) async fn disconnected(&mut self, ended: &Ended) {
        let lost = matches!(ended, Ended::Lost(lost, _) if may_be_a_message(lost));
        self.presence.disconnected(match ended {
            Ended::Lost(Lost::Disconnected(reason), _) => Some(reason.code),
            _ => None,
        });
        self.subscriber.disconnected(lost);
        self.publisher.disconnected(lost).await;
    }

    /// Holds the connection for as long as it lasts.
    pub(super) async fn stay(&mut self, mut connection: Connection, identity: &Identity) -> Ended {
        let thing = &identity.certificate.thing_name;
        let since = Instant::now();
        self.presence.announce(&mut connection, thing, State::Online);
        loop {
            self.subscriber.go_on(&mut connection);
            tokio::select! {
                event = connection.next() => match event {
                    Ok(event) => self.happened(event, &mut connection, thing).await,
                    Err(lost) => return Ended::Lost(lost, since.elapsed()),
                },
                next = self.publisher.next() => self.publisher.send(next, &mut connection).await,
                taken = self.subscriber.something_to_do() => for packet_id in taken {
                    connection.acknowledge(packet_id);
                },
                () = self.presence.due() => {
                    self.presence.try_again_in_time();
                    self.presence.announce(&mut connection, thing, State::Online);
                }
                Ok(()) = self.inputs.identity.changed() => {
                    self.flush(&mut connection).await;
                    let _ = timeout(FAREWELL, connection.close()).await;
                    return Ended::IdentityChanged;
                }
                () = ending(&mut self.inputs.shutdown) => {
                    self.flush(&mut connection).await;
                    self.presence.announce(&mut connection, thing, State::Offline);
                    let _ = timeout(FAREWELL, connection.close()).await;
                    self.reporters.session.report(SessionPhase::Idle, None);
                    return Ended::Shutdown;
                }
            }
        }
    }

    /// What has come from AWS, to whom it concerns.
    async fn happened(&mut self, event: Event, connection: &mut Connection, thing: &str) {
        match event {
            Event::Received { packet_id, message } => {
                self.publisher.spent();
                self.subscriber.receiver.received(packet_id, message);
            }
            Event::Subscribed {
                packet_id,
                codes,
                words,
            } => self.subscriber.subscribed(packet_id, &codes, words).await,
            Event::Unsubscribed { packet_id } => self.subscriber.unsubscribed(packet_id).await,
            Event::Acknowledged { packet_id, reason } => match self.presence.answered(packet_id, reason.code).await {
                None => self.publisher.answered(packet_id, &reason).await,
                Some(false) => {}
                Some(true) => {
                    self.reporters
                        .session
                        .report(SessionPhase::Connected, self.presence.refusal());
                    // Perhaps it is allowed in another manner.
                    self.presence.announce(connection, thing, State::Online);
                }
            },
        }
    }

    /// Waits for a moment for what AWS has not acknowledged yet: it would be sent once more on the next connection.
    async fn flush(&mut self, connection: &mut Connection) {
        let flushing = async {
            while self.publisher.anything_under_way() {
                match connection.next().await {
                    Ok(Event::Acknowledged { packet_id, reason }) => self.publisher.answered(packet_id, &reason).await,
                    // What comes now is not acknowledged, and comes again.
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        };
        let _ = timeout(FLUSH, flushing).await;
    }
}

/// Whether AWS may have ended the connection because of what was sent on it. What it says of other matters (taken over, busy,
/// a quota, maintenance), and what we have ended ourselves, is nobody's fault.
fn may_be_a_message(lost: &Lost) -> bool {
    match lost {
        // Malformed packet, protocol error, not authorized, topic filter or name invalid, packet too large, payload format
        // invalid, retain or quality of service not supported (MQTT 5.0, 3.14.2.1).
        Lost::Disconnected(reason) => matches!(
            reason.code,
            0x80..=0x83 | 0x87 | 0x8f | 0x90 | 0x95 | 0x99..=0x9b | 0xa1 | 0xa2
        ),
        Lost::Broken(_) => true,
        Lost::GivenUp(_) => false,
    }
}
