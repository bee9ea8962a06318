//! The steps of a certificate rollover while the session is connected.

use std::sync::Arc;

use tokio::time::Instant;

use super::certificate_choice::start_provisioning;
use super::certificate_rollover::Connected;
use super::connecting::{may_concern_will, open, record_accepted};
use super::problems;
use super::state::Session;
use super::timing::CONNECT_INTERVAL;
use crate::cloud::mqtt::{ConnectError, Connection, Terms};
use crate::identity::Identity;

/// Looks for a certificate that should replace `identity`, at the start of its connection and when the newest certificate has
/// changed. Returns false if the newest identity cannot be tried beside this connection, so that it must be closed.
pub(super) fn find_successor(session: &mut Session, identity: &Identity, connected: Instant) -> bool {
    let Some(newest) = session.inputs.identity.borrow_and_update().clone() else {
        return false;
    };
    // A certificate for a new key is tried in the same way, as long as the token has the old key for another connection.
    if newest.key != identity.key && !identity.key.is_in_token() {
        return false;
    }
    session.rollover.set_candidate(None);
    if newest.certificate.id == identity.certificate.id {
        if !session.is_newest(&newest) {
            session.provisioning.begin(&newest.certificate.id);
            session.provisioning.accepted();
            session.reporters.provisioning(&session.provisioning, None, None);
        }
        return true;
    }
    start_provisioning(session, &newest);
    session.rollover.wait_at_least_until(connected + CONNECT_INTERVAL);
    session.rollover.set_candidate(Some(newest));
    true
}

/// Starts a trial connection with the candidate.
pub(super) fn start_trial(session: &mut Session) {
    let Some(candidate) = session.rollover.candidate() else {
        return;
    };
    let will = session.traffic.presence.will(&candidate.certificate.thing_name);
    let opening = open(session, &candidate, will.filter(|_| session.rollover.uses_will()));
    session.rollover.start(candidate, Box::pin(opening));
}

/// Makes the trial connection the connection of the session, after AWS has accepted the candidate.
pub(super) fn complete_rollover(
    session: &mut Session,
    identity: Arc<Identity>,
    (connection, terms): (Connection, Terms),
) -> Connected {
    session.rollover.set_candidate(None);
    record_accepted(session, &identity, terms);
    Connected {
        connection,
        terms,
        identity,
    }
}

/// Reports a failed trial, and schedules the next one. The connection as `identity` goes on.
pub(super) fn report_trial_failure(session: &mut Session, error: ConnectError, identity: &Identity) {
    let endpoint = &session.endpoint;
    let (problem, wait) = match &error {
        ConnectError::Unreachable(problem) => (Some(problem.clone()), session.next_backoff()),
        ConnectError::LostBeforeConnack(seen) => {
            let wait = session.provisioning.lost_before_connack();
            (session.provisioning.explain(seen, false), wait)
        }
        ConnectError::Protocol(error) => {
            let problem = problems::not_mqtt(endpoint, &error.to_string());
            (Some(problem), session.next_backoff())
        }
        ConnectError::NotMqtt(what) => (Some(problems::not_mqtt(endpoint, what)), session.next_backoff()),
        ConnectError::Refused(reason) => {
            if may_concern_will(reason.code) {
                session.rollover.toggle_will();
            }
            (Some(problems::refused(endpoint, reason, None)), session.next_backoff())
        }
    };
    // Provisioning has explained a loss before CONNACK already.
    let problem = match error {
        ConnectError::LostBeforeConnack(_) => problem,
        error => problem.map(|problem| session.rollover.judge(&error, problem)),
    };
    session.rollover.wait_until(Instant::now() + wait);
    let problem = problem.map(|problem| problems::meanwhile(problem, &identity.certificate));
    session
        .reporters
        .provisioning(&session.provisioning, problem, Some(session.clock.wall() + wait));
}
