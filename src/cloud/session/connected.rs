//! An open connection in use: what is sent and received over it, and what ends it.

use std::ops::ControlFlow;
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, timeout};

use super::certificate_rollover::Connected;
use super::refused_retry::RefusedRetry;
use super::rollover::{complete_rollover, find_successor, report_trial_failure, start_trial};
use super::settings::{self, Effect};
use super::state::{Session, wait_for_shutdown};
use super::timing::CLOSE_TIMEOUT;
use super::{problems, publisher, subscriber};
use crate::clock::rfc3339;
use crate::cloud::mqtt::{Connection, Event, Farewell, Lost, Terms};
use crate::event::{Event as JournalEvent, journal};
use crate::identity::Identity;
use crate::mqtt::ReasonCode;
use crate::qos::Qos;
use crate::status::SessionPhase;

/// Longest wait for outstanding acknowledgements before the connection is closed.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Maximum number of events that are handled before anything else gets its turn.
const MAX_TOGETHER: usize = 64;

/// Reason why the use of a connection ended.
pub(super) enum End {
    /// The connection was lost after this time.
    Lost(Lost, Duration),
    IdentityChanged,
    /// Settings have changed that are part of CONNECT.
    SettingsChanged,
    Shutdown,
}

impl End {
    /// Returns how the connection was lost, if it was.
    pub(super) fn lost(&self) -> Option<&Lost> {
        match self {
            Self::Lost(lost, _) => Some(lost),
            Self::IdentityChanged | Self::SettingsChanged | Self::Shutdown => None,
        }
    }
}

/// Informs the parts of the traffic of a new connection, and reports what is wrong with it.
pub(super) async fn report_connected(session: &mut Session, terms: Terms) {
    if terms.limits.maximum_qos == Qos::AtMostOnce {
        let problem = problems::acknowledges_nothing(&session.endpoint);
        session.reporters.session.report(SessionPhase::Connected, Some(problem));
    }
    if let Some(error) = session.traffic.connected(&terms.limits).await {
        let why = problems::discarded(error);
        journal!(Level::Warn, JournalEvent::SessionDiscarded; "session: {why}");
        session.reporters.discarded(rfc3339(session.clock.wall()), why);
    }
}

/// Uses a connection until it ends, or until a connection with another certificate replaces it.
pub(super) async fn use_connection(
    session: &mut Session,
    mut connection: Connection,
    identity: &Identity,
) -> ControlFlow<End, Connected> {
    let thing_name = &identity.certificate.thing_name;
    let since = Instant::now();
    session.traffic.announce_online(&mut connection, thing_name);
    find_successor(session, identity, since);
    let mut refused = RefusedRetry::default();
    loop {
        subscriber::requests::drive(&mut session.traffic.subscriber, &mut connection).await;
        if session.traffic.subscriber.take_changed() {
            report_standing_problem(session, thing_name);
        }
        if refused.has_ended(session.traffic.is_settled() && !session.rollover.is_under_way()) {
            report_standing_problem(session, thing_name);
            session.reporters.asked_again();
        }
        tokio::select! {
            event = connection.next() => {
                if let Err(lost) = handle_arrived(session, event, &mut connection, thing_name).await {
                    return handle_loss(session, lost, since, identity).await;
                }
            }
            next = publisher::next::next(&mut session.traffic.publisher) => {
                session.traffic.send(next, &mut connection).await
            }
            due = session.traffic.subscriber.ready() => acknowledge(session, &mut connection, due),
            () = session.traffic.presence.due() => session.traffic.announce_online(&mut connection, thing_name),
            () = session.takeovers.quiet_period_ends() => end_quiet_period(session, thing_name),
            () = session.inputs.recovery.network_changed() => connection.check_alive(),
            () = session.rollover.due() => start_trial(session),
            () = session.inputs.retry.requested() => refused.request(Instant::now()),
            () = refused.due() => {
                let has_asked = ask_again(session, &mut connection, thing_name);
                refused.carried_out(Instant::now(), has_asked);
            }
            (candidate, opened) = session.rollover.opened() => match opened {
                Ok(next) => {
                    // If both have the same client ID, AWS has closed this connection already.
                    if candidate.certificate.thing_name != *thing_name {
                        close_offline(session, connection, thing_name).await;
                    }
                    return ControlFlow::Continue(complete_rollover(session, candidate, next));
                }
                Err(error) => report_trial_failure(session, error, identity),
            },
            Ok(()) = session.inputs.identity.changed(), if !session.rollover.is_under_way() => {
                if !find_successor(session, identity, since) {
                    flush(session, &mut connection).await;
                    let _ = timeout(CLOSE_TIMEOUT, connection.close(Farewell::DiscardWill)).await;
                    return ControlFlow::Break(End::IdentityChanged);
                }
            }
            Ok(()) = session.inputs.settings.changed(), if !session.rollover.is_under_way() => {
                if settings::effect(session) == Effect::NewConnection {
                    // With the old settings, so that readers of the old presence topic see the gateway go offline.
                    close_offline(session, connection, thing_name).await;
                    settings::apply(session);
                    return ControlFlow::Break(End::SettingsChanged);
                }
                settings::apply(session);
            }
            () = wait_for_shutdown(&mut session.inputs.shutdown) => {
                close_offline(session, connection, thing_name).await;
                session.reporters.session.report(SessionPhase::Idle, None);
                return ControlFlow::Break(End::Shutdown);
            }
        }
    }
}

/// Asks AWS again for what it has refused, and tries a waiting certificate at once. Returns whether there was anything to ask for.
fn ask_again(session: &mut Session, connection: &mut Connection, thing_name: &str) -> bool {
    let has_refused = session.traffic.ask_again(connection, thing_name);
    let has_candidate = session.rollover.is_waiting();
    if has_candidate {
        start_trial(session);
    }
    has_refused || has_candidate
}

/// Forgets the takeovers, because the connection has lasted for the quiet period.
fn end_quiet_period(session: &mut Session, thing_name: &str) {
    session.takeovers.forget();
    session.reporters.taken_over(None);
    report_standing_problem(session, thing_name);
}

/// Acknowledges received messages with their codes, and reports how many messages nobody has taken so far.
fn acknowledge(session: &Session, connection: &mut Connection, due: Vec<(u16, ReasonCode)>) {
    for (packet_id, code) in due {
        connection.acknowledge(packet_id, code);
    }
    session
        .reporters
        .not_taken(session.traffic.subscriber.inbound.not_taken.total());
}

/// Handles an event, and those of the packets that have arrived with it, so that their messages reach the inbox together: to wake up the
/// local thread costs as much as several messages do.
async fn handle_arrived(
    session: &mut Session,
    first: Result<Event, Lost>,
    connection: &mut Connection,
    thing_name: &str,
) -> Result<(), Lost> {
    let (mut next, mut handled, mut has_changed, mut outcome) = (Some(first), 0, false, Ok(()));
    while let Some(event) = next {
        match event {
            Ok(event) => has_changed |= session.traffic.handle(event, connection, thing_name).await,
            Err(lost) => {
                outcome = Err(lost);
                break;
            }
        }
        handled += 1;
        next = match handled < MAX_TOGETHER {
            true => connection.next_arrived(),
            false => None,
        };
    }
    session.traffic.subscriber.inbound.pass_on();
    if has_changed {
        report_standing_problem(session, thing_name);
    }
    outcome
}

/// Announces that the gateway goes offline, and closes the connection. If the announcement cannot be sent, AWS publishes the will.
async fn close_offline(session: &mut Session, mut connection: Connection, thing_name: &str) {
    flush(session, &mut connection).await;
    let farewell = session.traffic.announce_offline(&mut connection, thing_name);
    let _ = timeout(CLOSE_TIMEOUT, connection.close(farewell)).await;
}

/// Reports the problem that exists although the session is connected.
fn report_standing_problem(session: &Session, thing_name: &str) {
    session.reporters.set_aside(session.traffic.subscriber.all_set_aside());
    let problem = session.standing_problem(thing_name);
    session.reporters.session.report(SessionPhase::Connected, problem);
}

/// Handles the loss of a connection. If a trial of another certificate is under way, its connection has usually replaced this one.
async fn handle_loss(
    session: &mut Session,
    lost: Lost,
    since: Instant,
    identity: &Identity,
) -> ControlFlow<End, Connected> {
    match session.rollover.decided().await {
        Some((candidate, Ok(next))) => return ControlFlow::Continue(complete_rollover(session, candidate, next)),
        Some((_, Err(error))) => report_trial_failure(session, error, identity),
        None => {}
    }
    ControlFlow::Break(End::Lost(lost, since.elapsed()))
}

/// Waits briefly for outstanding acknowledgements: unacknowledged messages would be sent again on the next connection.
async fn flush(session: &mut Session, connection: &mut Connection) {
    let publisher = &mut session.traffic.publisher;
    let flushing = async {
        while publisher.has_unacknowledged() {
            match connection.next().await {
                Ok(Event::Acknowledged { packet_id, reason }) => {
                    publisher::answers::handle_answer(publisher, packet_id, &reason).await
                }
                // Messages that arrive now are not acknowledged, so AWS sends them again.
                Ok(_) => {}
                Err(_) => return,
            }
        }
    };
    let _ = timeout(FLUSH_TIMEOUT, flushing).await;
}
