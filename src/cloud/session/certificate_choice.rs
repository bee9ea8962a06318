//! The choice of the certificate for the next attempt: while AWS has not accepted the newest one, it alternates with its
//! predecessor, which AWS accepted before. The two may have different keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::certificate_rollover::ALTERNATION_INTERVAL;
use super::state::Session;
use crate::identity::Identity;

/// Starts provisioning of the newest certificate, or resumes it from its record.
pub(super) fn start_provisioning(session: &mut Session, newest: &Arc<Identity>) {
    if !session.is_newest(newest) {
        session.rollover.restart();
    }
    session.provisioning.begin(&newest.certificate.id);
    if session.accepted.borrow().is_none()
        && !session.provisioning.was_accepted()
        && let Some(accepted) = session.last_accepted.load(&newest.key, &*session.clock)
    {
        session.accepted.send_replace(Some(Arc::new(accepted)));
    }
    session.publish_if_accepted(newest);
    session.reporters.provisioning(&session.provisioning, None, None);
}

/// Chooses the identity for the next attempt: the newest one, or its predecessor while the newest one has to wait.
pub(super) fn choose_identity(session: &Session, newest: Arc<Identity>) -> Arc<Identity> {
    match predecessor(session, &newest) {
        Some(predecessor) if !session.rollover.is_its_turn() => predecessor,
        _ => newest,
    }
}

/// Gives the next attempt to the other certificate, if there is one, after an attempt as `failed`. Returns the wait before it.
pub(super) fn alternate(session: &mut Session, failed: &Identity, wait: Duration) -> Duration {
    let Some(newest) = session.inputs.identity.borrow().clone() else {
        return wait;
    };
    if predecessor(session, &newest).is_none() {
        return wait;
    }
    if !session.is_newest(failed) {
        session.rollover.predecessor_failed();
        return wait.max(ALTERNATION_INTERVAL);
    }
    // AWS drops the first connection of a certificate that it has never seen, so the second attempt follows at once.
    let is_first_drop = session.provisioning.attempts() == 1;
    session.rollover.newest_failed(Instant::now() + wait, is_first_drop);
    match is_first_drop {
        true => wait,
        false => session.rollover.wait_of_predecessor(wait),
    }
}

/// Returns the identity that AWS accepted last, if it can be used while AWS has not accepted `newest`.
fn predecessor(session: &Session, newest: &Identity) -> Option<Arc<Identity>> {
    let accepted = session.accepted.borrow().clone()?;
    let is_usable = !session.provisioning.was_accepted()
        && accepted.certificate.id != newest.certificate.id
        && accepted.key.is_in_token()
        && accepted.certificate.not_after > session.clock.aws_now();
    is_usable.then_some(accepted)
}
