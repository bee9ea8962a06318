//! Reports of the session and of provisioning to the status.

use std::time::SystemTime;

use super::subscriber::SetAside;
use crate::clock::{Clock, rfc3339};
use crate::cloud::jitp::Provisioning;
use crate::cloud::mqtt::Terms;
use crate::problem::Problem;
use crate::status::{
    ProvisioningDetails, ProvisioningPhase, Reporter, SessionDetails, SessionPhase, SetAsideDetails, TakeoverDetails,
};

/// Status parts that the session task writes.
#[derive(Debug)]
pub struct SessionReporters {
    /// Part of the session.
    pub session: Reporter<SessionPhase, SessionDetails>,
    /// Part of provisioning.
    pub provisioning: Reporter<ProvisioningPhase, ProvisioningDetails>,
}

impl SessionReporters {
    /// Reports the start of an attempt. The problem of the last failure stays visible meanwhile.
    pub(super) fn connecting(&self, client_id: String) {
        let problem = self.session.watch().borrow().problem.clone();
        self.session.report_with(SessionPhase::Connecting, problem, |details| {
            details.client_id = Some(client_id);
            details.next_attempt = None;
        });
    }

    /// Counts an attempt that has ended.
    pub(super) fn attempted(&self) {
        self.session.details(|details| details.attempts += 1);
    }

    /// Counts a request of an operator on an open connection, once AWS has answered everything that it was asked for again.
    pub(super) fn asked_again(&self) {
        self.session.details(|details| details.retries += 1);
    }

    /// Reports a connection after CONNACK.
    pub(super) fn connected(&self, client_id: String, certificate_id: &str, terms: Terms, problem: Option<Problem>) {
        self.session.report_with(SessionPhase::Connected, problem, |details| {
            details.client_id = Some(client_id);
            details.connects += 1;
            details.certificate_id = Some(certificate_id.to_owned());
            details.maximum_packet_size = Some(terms.limits.maximum_packet_size);
            details.session_present = Some(terms.limits.session_present);
            details.session_expiry_seconds = u32::try_from(terms.session_expiry.as_secs()).ok();
        });
    }

    /// Reports that the previous session was discarded, with the messages that AWS had queued.
    pub(super) fn discarded(&self, at: String, why: String) {
        let problem = self.session.watch().borrow().problem.clone();
        self.session.report_with(SessionPhase::Connected, problem, |details| {
            details.discarded_at = Some(at);
            details.discarded_because = Some(why);
        });
    }

    /// Reports the filters that are set aside.
    pub(super) fn set_aside(&self, filters: Vec<SetAside>) {
        let details = filters.into_iter().map(|set_aside| SetAsideDetails {
            filter: set_aside.filter,
            since: rfc3339(set_aside.since),
            because: set_aside.why.message,
        });
        let details: Vec<SetAsideDetails> = details.collect();
        self.session.details(|known| known.filters_set_aside = details);
    }

    /// Reports the number of messages that nobody has taken, if it has changed.
    pub(super) fn not_taken(&self, total: u64) {
        if self.session.watch().borrow().details.not_taken != total {
            self.session.details(|details| details.not_taken = total);
        }
    }

    /// Reports takeovers by other clients.
    pub(super) fn taken_over(&self, takeovers: Option<TakeoverDetails>) {
        self.session.details(|details| details.taken_over = takeovers);
    }

    /// Counts a lost connection.
    pub(super) fn lost(&self, clock: &dyn Clock) {
        self.session
            .details(|details| details.losses.get_or_insert_default().add(clock));
    }

    /// Reports the wait for the next attempt.
    pub(super) fn waiting(&self, problem: Option<Problem>, next: SystemTime) {
        self.session.report_with(SessionPhase::Waiting, problem, |details| {
            details.next_attempt = Some(rfc3339(next))
        });
    }

    /// Reports the progress of provisioning. Until the phase changes, the last problem stays visible.
    pub(super) fn provisioning(&self, machine: &Provisioning, why: Option<Problem>, next: Option<SystemTime>) {
        let phase = machine.phase();
        let last = self.provisioning.watch().borrow().clone();
        let is_same = phase != ProvisioningPhase::Provisioned && last.phase == phase;
        let why = why.or_else(|| last.problem.filter(|_| is_same));
        let details = ProvisioningDetails {
            attempts: machine.attempts(),
            next_attempt: next.map(rfc3339),
        };
        self.provisioning.report_with(phase, why, |shown| *shown = details);
    }
}
