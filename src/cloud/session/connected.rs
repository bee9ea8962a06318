//! A connection for as long as it lasts: what comes and goes on it, and what ends it.

use std::ops::ControlFlow;
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, timeout};

use super::certificate_rollover::Successful;
use super::settings::Consequence;
use super::{FAREWELL, Session, ending, problems};
use crate::clock::rfc3339;
use crate::cloud::mqtt::{Connection, Event, Farewell, Lost, Terms};
use crate::event::{Event as JournalEvent, journal};
use crate::identity::Identity;
use crate::qos::Qos;
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
    pub(super) async fn connected(&mut self, terms: Terms) {
        if terms.limits.maximum_qos == Qos::AtMostOnce {
            let why = problems::acknowledges_nothing(&self.endpoint);
            self.reporters.session.report(SessionPhase::Connected, Some(why));
        }
        if let Some(breach) = self.traffic.connected(&terms.limits).await {
            let why = problems::discarded(breach);
            journal!(Level::Warn, JournalEvent::SessionDiscarded; "session: {why}");
            self.reporters.discarded(rfc3339(self.clock.wall()), why);
        }
    }

    /// Holds the connection for as long as it lasts, or until that of another certificate goes on in its place.
    pub(super) async fn stay(
        &mut self,
        mut connection: Connection,
        identity: &Identity,
    ) -> ControlFlow<Ended, Successful> {
        let thing = &identity.certificate.thing_name;
        let since = Instant::now();
        self.traffic.announce_online(&mut connection, thing);
        self.look_for_successor(identity, since);
        loop {
            self.traffic.subscriber.go_on(&mut connection).await;
            if self.traffic.subscriber.has_news() {
                self.report_standing_problem(thing);
            }
            tokio::select! {
                event = connection.next() => match event {
                    Ok(event) => if self.traffic.happened(event, &mut connection, thing).await {
                        self.report_standing_problem(thing);
                    },
                    Err(lost) => return self.lost_or_succeeded(lost, since, identity).await,
                },
                next = self.traffic.publisher.next() => self.traffic.send(next, &mut connection).await,
                taken = self.traffic.subscriber.something_to_do() => for packet_id in taken {
                    connection.acknowledge(packet_id);
                },
                () = self.traffic.presence.due() => self.traffic.announce_online(&mut connection, thing),
                () = self.takeovers.calm() => {
                    self.takeovers.forget();
                    self.reporters.taken_over(None);
                    self.report_standing_problem(thing);
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
                        let _ = timeout(FAREWELL, connection.close(Farewell::DiscardWill)).await;
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

    /// Publishes that we are going offline, or has the will say so where that cannot be sent, and ends the connection.
    async fn say_goodbye(&mut self, mut connection: Connection, thing: &str) {
        self.flush(&mut connection).await;
        let farewell = self.traffic.announce_offline(&mut connection, thing);
        let _ = timeout(FAREWELL, connection.close(farewell)).await;
    }

    /// Reports what is wrong although the session is up.
    fn report_standing_problem(&self, thing: &str) {
        self.reporters.set_aside(self.traffic.subscriber.all_set_aside());
        let problem = self.standing_problem(thing);
        self.reporters.session.report(SessionPhase::Connected, problem);
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

    /// Waits for a moment for what AWS has not acknowledged yet: it would be sent once more on the next connection.
    async fn flush(&mut self, connection: &mut Connection) {
        let flushing = async {
            while self.traffic.publisher.anything_under_way() {
                match connection.next().await {
                    Ok(Event::Acknowledged { packet_id, reason }) => {
                        self.traffic.publisher.answered(packet_id, &reason).await
                    }
                    // What comes now is not acknowledged, and comes again.
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        };
        let _ = timeout(FLUSH, flushing).await;
    }
}
