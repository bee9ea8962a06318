//! What the session reports, of itself and of provisioning.

use std::time::SystemTime;

use super::subscriber::SetAside;
use crate::clock::{Clock, rfc3339};
use crate::cloud::jitp::Provisioning;
use crate::cloud::mqtt::Terms;
use crate::problem::Problem;
use crate::status::{
    ProvisioningDetails, ProvisioningPhase, Reporter, SessionDetails, SessionPhase, SetAsideDetails, TakeoverDetails,
};

/// The reporting ends that this task writes.
#[derive(Debug)]
pub struct SessionReporters {
    /// The session's part.
    pub session: Reporter<SessionPhase, SessionDetails>,
    /// Provisioning's part.
    pub provisioning: Reporter<ProvisioningPhase, ProvisioningDetails>,
}

impl SessionReporters {
    /// A connection is being made. The reason for the last failure stays visible meanwhile.
    pub(super) fn connecting(&self, client_id: String) {
        let problem = self.session.watch().borrow().problem.clone();
        self.session.report_with(SessionPhase::Connecting, problem, |details| {
            details.client_id = Some(client_id);
            details.next_attempt = None;
        });
    }

    /// An attempt has ended, whichever way.
    pub(super) fn attempted(&self) {
        self.session.details(|details| details.attempts += 1);
    }

    /// CONNACK received.
    pub(super) fn connected(&self, client_id: String, certificate_id: &str, granted: Terms, problem: Option<Problem>) {
        self.session.report_with(SessionPhase::Connected, problem, |details| {
            details.client_id = Some(client_id);
            details.connects += 1;
            details.certificate_id = Some(certificate_id.to_owned());
            details.maximum_packet_size = Some(granted.limits.maximum_packet_size);
            details.session_present = Some(granted.limits.session_present);
            details.session_expiry_seconds = u32::try_from(granted.session_expiry.as_secs()).ok();
        });
    }

    /// The session of before was discarded at this time, with what AWS had queued in it.
    pub(super) fn discarded(&self, at: String, why: String) {
        let problem = self.session.watch().borrow().problem.clone();
        self.session.report_with(SessionPhase::Connected, problem, |details| {
            details.discarded_at = Some(at);
            details.discarded_because = Some(why);
        });
    }

    /// The filters whose subscriptions are set aside.
    pub(super) fn set_aside(&self, all: Vec<SetAside>) {
        let details = all.into_iter().map(|one| SetAsideDetails {
            filter: one.filter,
            since: rfc3339(one.since),
            because: one.why.message,
        });
        let details: Vec<SetAsideDetails> = details.collect();
        self.session.details(|known| known.filters_set_aside = details);
    }

    /// What is known of other clients that have taken the session over.
    pub(super) fn taken_over(&self, takeovers: Option<TakeoverDetails>) {
        self.session.details(|details| details.taken_over = takeovers);
    }

    /// The connection was lost.
    pub(super) fn lost(&self, clock: &dyn Clock) {
        self.session
            .details(|details| details.losses.get_or_insert_default().add(clock));
    }

    /// The next connection is made at `next`.
    pub(super) fn waiting(&self, problem: Option<Problem>, next: SystemTime) {
        self.session.report_with(SessionPhase::Waiting, problem, |details| {
            details.next_attempt = Some(rfc3339(next))
        });
    }

    /// How far AWS knows us. Until that changes, the last reason stays visible.
    pub(super) fn provisioning(&self, machine: &Provisioning, why: Option<Problem>, next: Option<SystemTime>) {
        let phase = machine.phase();
        let last = self.provisioning.watch().borrow().clone();
        let stays = phase != ProvisioningPhase::Provisioned && last.phase == phase;
        let why = why.or_else(|| last.problem.filter(|_| stays));
        let details = ProvisioningDetails {
            attempts: machine.attempts(),
            next_attempt: next.map(rfc3339),
        };
        self.provisioning.report_with(phase, why, |shown| *shown = details);
    }
}
