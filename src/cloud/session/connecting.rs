//! One attempt to connect, and the report and the wait after an attempt or a connection has failed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::certificate_choice::alternate;
use super::problems;
use super::state::{Session, wait_for_shutdown};
use super::timing::{CONNECT_INTERVAL, STABLE};
use super::tls::tls_config;
use crate::cloud::mqtt::{ConnectError, ConnectOptions, Connection, Lost, ReasonCode, Terms};
use crate::identity::{Identity, SendChain};
use crate::messages::Message;

/// Makes one attempt as `identity`; `None` on shutdown.
pub(super) async fn connect(
    session: &mut Session,
    identity: &Arc<Identity>,
) -> Option<Result<(Connection, Terms), ConnectError>> {
    let thing_name = identity.certificate.thing_name.clone();
    let open_with_will = |session: &Session| open(session, identity, session.traffic.presence.will(&thing_name));
    let (mut opening, mut started) = (open_with_will(session), Instant::now());
    session.attempted = started;
    session.reporters.connecting(thing_name.clone());
    session.inputs.recovery.mark_heard();
    // An attempt that has hung since before the network returned is restarted, but only once. A certificate that AWS has never
    // accepted may hang because of just-in-time provisioning, which has its own schedule.
    let mut may_restart = session.provisioning.was_accepted() || !session.is_newest(identity);
    let outcome = loop {
        let pinned = std::pin::pin!(opening);
        let inputs = &mut session.inputs;
        tokio::select! {
            outcome = pinned => break outcome,
            () = inputs.recovery.wait_for_restart(started), if may_restart => {}
            () = wait_for_shutdown(&mut inputs.shutdown) => return None,
        }
        may_restart = false;
        (opening, started) = (open_with_will(session), Instant::now());
    };
    session.reporters.attempted();
    Some(outcome.inspect(|(_, terms)| record_accepted(session, identity, *terms)))
}

/// Opens a connection as `identity`. The future borrows nothing from the session.
pub(super) fn open(
    session: &Session,
    identity: &Identity,
    will: Option<Message>,
) -> impl Future<Output = Result<(Connection, Terms), ConnectError>> + Send + use<> {
    let chain = match session.is_newest(identity) {
        true => session.provisioning.send_chain(),
        false => SendChain::Leaf,
    };
    let tls = tls_config(session.alpn, identity, &session.roots, chain, &session.clock);
    let (connector, endpoint) = (session.connector.clone(), session.endpoint.clone());
    let options = ConnectOptions {
        client_id: identity.certificate.thing_name.clone(),
        clean_start: session.traffic.subscriber.wants_clean_start(),
        keep_alive: session.mqtt.keep_alive,
        session_expiry: session.mqtt.session_expiry,
        will,
    };
    async move { Connection::open(&connector, &endpoint, tls.map_err(ConnectError::Unreachable)?, &options).await }
}

/// Records and reports that AWS has accepted a connection as `identity`.
pub(super) fn record_accepted(session: &mut Session, identity: &Arc<Identity>, terms: Terms) {
    if session.is_newest(identity) {
        session.provisioning.accepted();
        session.publish_if_accepted(identity);
        session.reporters.provisioning(&session.provisioning, None, None);
    }
    session.last_accepted.keep(&identity.certificate);
    session.outage.end();
    session.rollover.accepted_one();
    session.recovery.announce_success();
    // The announcement is for other tasks.
    session.inputs.recovery.mark_heard();
    let client_id = identity.certificate.thing_name.clone();
    let problem = session.standing_problem(&client_id);
    session
        .reporters
        .connected(client_id, &identity.certificate.id, terms, problem);
    session.reporters.set_aside(session.traffic.subscriber.all_set_aside());
}

/// Reports a lost connection, and returns the wait before the next attempt.
pub(super) fn report_loss(session: &mut Session, lost: &Lost, lasted: Duration) -> Duration {
    // While the search for the message that drops connections makes progress, the waits need not grow.
    let makes_progress = session.traffic.take_progress();
    // If AWS leaves something unanswered, the next connection is likely to end in the same way, however long it lasts.
    let is_stable = lasted >= STABLE && !matches!(lost, Lost::Unanswered);
    if makes_progress || is_stable {
        session.backoff.reset();
        session.provisioning.stable();
    }
    let repeats = session.outage.lost(lost, lasted);
    session.reporters.lost(&*session.clock);
    let is_takeover = matches!(lost, Lost::Disconnected(reason) if reason.code == ReasonCode::SESSION_TAKEN_OVER);
    let by_ourselves = is_takeover && session.rollover.may_have_taken_over();
    if is_takeover && !by_ourselves {
        session.takeovers.record(session.clock.wall());
        session.reporters.taken_over(session.takeovers.details());
    }
    let wait = match lost {
        // No full backoff: network changes are announced at most once in ten seconds, which limits how often this happens.
        Lost::Stale => {
            session.backoff.reset();
            CONNECT_INTERVAL + session.backoff.next_wait() / 2
        }
        _ => session.next_backoff(),
    };
    let problem = match by_ourselves {
        true => problems::taken_over_by_ourselves(),
        false => problems::lost(&session.endpoint, lost, repeats),
    };
    session.reporters.waiting(Some(problem), session.clock.wall() + wait);
    wait
}

/// Reports a failed attempt, and returns the wait before the next one.
pub(super) fn report_failure(session: &mut Session, error: ConnectError, identity: &Identity) -> Duration {
    session.traffic.connect_failed();
    let is_newest = session.is_newest(identity);
    let has_connected = session.accepted.borrow().is_some();
    session.outage.failed(&error, has_connected, Instant::now());
    let endpoint = &session.endpoint;
    let (problem, wait) = match error {
        ConnectError::Unreachable(problem) => (Some(session.outage.judge(problem)), session.next_backoff()),
        ConnectError::LostBeforeConnack(seen) if is_newest => {
            let wait = session.provisioning.lost_before_connack();
            let why = session.provisioning.explain(&seen, session.is_active(identity));
            // If provisioning reports the problem, the session does not repeat it.
            let problem = why.is_none().then(|| problems::dropped(endpoint, &seen));
            session
                .reporters
                .provisioning(&session.provisioning, why, Some(session.clock.wall() + wait));
            (problem, wait)
        }
        ConnectError::Protocol(error) => {
            let problem = session.outage.judge(problems::not_mqtt(endpoint, &error.to_string()));
            (Some(problem), session.next_backoff())
        }
        ConnectError::NotMqtt(what) => {
            let problem = session.outage.judge(problems::not_mqtt(endpoint, &what));
            (Some(problem), session.next_backoff())
        }
        ConnectError::LostBeforeConnack(seen) => (Some(problems::dropped(endpoint, &seen)), session.next_backoff()),
        ConnectError::Refused(reason) => {
            session.provisioning.answered();
            let will = session.traffic.presence.will(&identity.certificate.thing_name);
            let problem = problems::refused(endpoint, &reason, will.as_ref());
            // AWS refuses the whole connection if the policy forbids the topic of the will.
            if may_concern_will(reason.code) {
                session.traffic.presence.change_will();
            }
            (Some(problem), session.next_backoff())
        }
    };
    let wait = alternate(session, identity, wait);
    session.reporters.waiting(problem, session.clock.wall() + wait);
    wait
}

/// Returns whether CONNACK with this code may reject the will rather than the client: the topic of the will, its retain flag, or its QoS.
pub(super) fn may_concern_will(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::NOT_AUTHORIZED
            | ReasonCode::TOPIC_NAME_INVALID
            | ReasonCode::RETAIN_NOT_SUPPORTED
            | ReasonCode::QOS_NOT_SUPPORTED
    )
}
