//! A connection for as long as it lasts: what comes and goes on it, and what ends it.

use std::ops::ControlFlow;
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, timeout};

use super::health::State;
use super::settings::Consequence;
use super::successor::Successful;
use super::{FAREWELL, Session, ending, words};
use crate::clock::rfc3339;
use crate::cloud::mqtt::{Connection, Event, Granted, Lost, ReasonCode};
use crate::event::{Event as JournalEvent, journal};
use crate::identity::Identity;
use crate::status::SessionPhase;

/// For acknowledgements that are on their way when the session is closed.
const FLUSH: Duration = Duration::from_millis(500);

/// What ended a stay.
pub(super) enum Ended {
    /// With how long it had lasted.
    Lost(Lost, Duration),
    IdentityChanged,
    /// Settings have changed that are agreed on when a connection is made.
    SettingsChanged,
    Shutdown,
}

impl Ended {
    /// How it was lost, where it was.
    pub(super) fn lost(&self) -> Option<&Lost> {
        match self {
            Self::Lost(lost, _) => Some(lost),
            Self::IdentityChanged | Self::SettingsChanged | Self::Shutdown => None,
        }
    }
}

impl Session {
    /// A connection, which everybody who has something to send is told of.
    pub(super) async fn connected(&mut self, granted: Granted) {
        self.publisher.connected(&granted.limits);
        if granted.limits.maximum_qos == 0 {
            let why = words::acknowledges_nothing(&self.endpoint);
            self.reporters.session.report(SessionPhase::Connected, Some(why));
        }
        if let Some(breach) = self.subscriber.connected(granted.limits).await {
            let why = words::discarded(breach);
            journal!(Level::Warn, JournalEvent::SessionDiscarded; "session: {why}");
            self.reporters.discarded(rfc3339(self.clock.wall()), why);
        }
    }

    /// Its end, and how it was lost, where it was.
    pub(super) async fn disconnected(&mut self, lost: Option<&Lost>) {
        let code = match lost {
            Some(Lost::Disconnected(reason)) => Some(reason.code),
            _ => None,
        };
        let suspicious = lost.is_some_and(may_be_a_message);
        let explained = self.publisher.disconnected(suspicious, code).await;
        self.presence.disconnected(code.filter(|_| !explained));
        self.subscriber.disconnected(suspicious && !explained, lost);
    }

    /// Holds the connection for as long as it lasts, or until that of another certificate goes on in its place.
    pub(super) async fn stay(
        &mut self,
        mut connection: Connection,
        identity: &Identity,
    ) -> ControlFlow<Ended, Successful> {
        let thing = &identity.certificate.thing_name;
        let since = Instant::now();
        self.presence.try_again_in_time();
        self.presence.announce(&mut connection, thing, State::Online);
        self.look_for_successor(identity, since);
        loop {
            self.subscriber.go_on(&mut connection).await;
            tokio::select! {
                event = connection.next() => match event {
                    Ok(event) => self.happened(event, &mut connection, thing).await,
                    Err(lost) => return self.lost_or_succeeded(lost, since, identity).await,
                },
                next = self.publisher.next() => self.publisher.send(next, &mut connection).await,
                taken = self.subscriber.something_to_do() => for packet_id in taken {
                    connection.acknowledge(packet_id);
                },
                () = self.presence.due() => {
                    self.presence.try_again_in_time();
                    self.presence.announce(&mut connection, thing, State::Online);
                }
                () = self.takeovers.calm() => {
                    self.takeovers.forget();
                    self.reporters.taken_over(None);
                    let problem = self.standing_problem(thing);
                    self.reporters.session.report(SessionPhase::Connected, problem);
                }
                () = self.inputs.recovery.network_changed() => connection.doubt(),
                () = self.successor.due() => self.try_successor(),
                (who, opened) = self.successor.opened() => match opened {
                    Ok(next) => {
                        // With the same client ID AWS has ended this one already.
                        if who.certificate.thing_name != *thing {
                            self.say_goodbye(connection, thing).await;
                        }
                        return ControlFlow::Continue(self.succeeded(who, next));
                    }
                    Err(error) => self.successor_failed(error, identity),
                },
                Ok(()) = self.inputs.identity.changed(), if !self.successor.is_under_way() => {
                    if !self.look_for_successor(identity, since) {
                        self.flush(&mut connection).await;
                        let _ = timeout(FAREWELL, connection.close()).await;
                        return ControlFlow::Break(Ended::IdentityChanged);
                    }
                }
                Ok(()) = self.inputs.settings.changed(), if !self.successor.is_under_way() => {
                    if self.consequence_of_settings() == Consequence::NewConnection {
                        // By the old settings: whoever reads the old presence topic sees that nothing comes there any more.
                        self.say_goodbye(connection, thing).await;
                        self.take_settings();
                        return ControlFlow::Break(Ended::SettingsChanged);
                    }
                    self.take_settings();
                }
                () = ending(&mut self.inputs.shutdown) => {
                    self.say_goodbye(connection, thing).await;
                    self.reporters.session.report(SessionPhase::Idle, None);
                    return ControlFlow::Break(Ended::Shutdown);
                }
            }
        }
    }

    async fn say_goodbye(&mut self, mut connection: Connection, thing: &str) {
        self.flush(&mut connection).await;
        self.presence.announce(&mut connection, thing, State::Offline);
        let _ = timeout(FAREWELL, connection.close()).await;
    }

    /// A connection that is lost while a successor is tried was lost to it, as a rule.
    async fn lost_or_succeeded(
        &mut self,
        lost: Lost,
        since: Instant,
        identity: &Identity,
    ) -> ControlFlow<Ended, Successful> {
        match self.successor.decided().await {
            Some((who, Ok(next))) => return ControlFlow::Continue(self.succeeded(who, next)),
            Some((_, Err(error))) => self.successor_failed(error, identity),
            None => {}
        }
        ControlFlow::Break(Ended::Lost(lost, since.elapsed()))
    }

    /// What has come from AWS, to whom it concerns.
    async fn happened(&mut self, event: Event, connection: &mut Connection, thing: &str) {
        match event {
            Event::Received { packet_id, message } => {
                self.publisher.received();
                self.subscriber.receiver.received(packet_id, message);
            }
            Event::Skipped { packet_id, topic, why } => {
                self.publisher.received();
                self.subscriber.receiver.skipped(packet_id, &topic, &why);
            }
            Event::Subscribed {
                packet_id,
                codes,
                words,
            } => self.subscriber.subscribed(packet_id, &codes, words).await,
            Event::Unsubscribed { packet_id } => self.subscriber.unsubscribed(packet_id).await,
            Event::Room => self.publisher.room(),
            Event::Acknowledged { packet_id, reason } => match self.presence.answered(packet_id, reason.code).await {
                None => self.publisher.answered(packet_id, &reason).await,
                Some(false) => {}
                Some(true) => {
                    let problem = self.standing_problem(thing);
                    self.reporters.session.report(SessionPhase::Connected, problem);
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
        Lost::Disconnected(reason) => matches!(
            reason.code,
            ReasonCode::UNSPECIFIED_ERROR
                | ReasonCode::MALFORMED_PACKET
                | ReasonCode::PROTOCOL_ERROR
                | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
                | ReasonCode::NOT_AUTHORIZED
                | ReasonCode::TOPIC_FILTER_INVALID
                | ReasonCode::TOPIC_NAME_INVALID
                | ReasonCode::PACKET_TOO_LARGE
                | ReasonCode::PAYLOAD_FORMAT_INVALID
                | ReasonCode::RETAIN_NOT_SUPPORTED
                | ReasonCode::QOS_NOT_SUPPORTED
                | ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
                | ReasonCode::SUBSCRIPTION_IDS_NOT_SUPPORTED
                | ReasonCode::WILDCARDS_NOT_SUPPORTED
        ),
        Lost::Broken(_) => true,
        Lost::GivenUp(_) | Lost::Unanswered | Lost::Stale | Lost::Breach(_) => false,
    }
}
