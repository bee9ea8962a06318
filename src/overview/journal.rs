//! Logs the verdict: a line for each change of the state, and for each finding that no part logs itself.

use log::Level;

use super::expiry::Expiry;
use super::finding::{
    CERTIFICATE_EXPIRED, CERTIFICATE_EXPIRING, Finding, ROLE_ALIAS_UNSTABLE, SESSION_UNSTABLE, Severity,
};
use super::findings::validity;
use super::snapshot::Snapshot;
use super::verdict::{Overview, State};
use crate::event::{Event, journal};
use crate::log_limiter::ProblemLimiter;

/// Logs the changes of the verdict.
#[derive(Debug, Default)]
pub struct OverviewJournal {
    state: Option<State>,
    /// The findings of the last verdict that were logged here.
    known: Vec<Key>,
    limiter: ProblemLimiter<(State, Option<&'static str>)>,
}

/// Identifies a finding that is logged once: its kind, its role alias, and for a certificate the stage before its expiry.
type Key = (&'static str, Option<String>, Option<Expiry>);

impl OverviewJournal {
    /// Logs what has changed since the last call; returns whether anything has.
    pub fn write(&mut self, snapshot: &Snapshot, overview: &Overview) -> bool {
        let own: Vec<(Key, &Finding)> = overview
            .findings
            .iter()
            .filter_map(|finding| Some((key(finding, snapshot)?, finding)))
            .collect();
        let mut has_changed = false;
        for (key, finding) in &own {
            if !self.known.contains(key) {
                has_changed = true;
                write_finding(key, finding);
            }
        }
        has_changed |= own.len() != self.known.len();
        self.known = own.into_iter().map(|(key, _)| key).collect();
        if self.state != Some(overview.state) {
            has_changed = true;
            self.state = Some(overview.state);
            let worst = overview.findings.first().map(|finding| finding.id);
            self.limiter.write((overview.state, worst), Level::Info, |level, end| {
                journal!(
                    level, Event::State, STATE = overview.state.word(), EXIT_CODE = overview.exit_code;
                    "state: {}: {}{end}", overview.state.word(), overview.summary
                );
            });
        }
        has_changed
    }
}

/// Returns the key of a finding; `None` if a part has logged it itself.
fn key(finding: &Finding, snapshot: &Snapshot) -> Option<Key> {
    let expiry = match finding.id {
        CERTIFICATE_EXPIRED if snapshot.identity.problem.as_ref() == Some(&finding.problem) => return None,
        CERTIFICATE_EXPIRING | CERTIFICATE_EXPIRED => {
            let (not_before, not_after) = validity(snapshot)?;
            Some(Expiry::at(snapshot.now, not_before, not_after))
        }
        SESSION_UNSTABLE | ROLE_ALIAS_UNSTABLE => None,
        _ => return None,
    };
    Some((finding.id, finding.role_alias.clone(), expiry))
}

fn write_finding((id, role_alias, expiry): &Key, finding: &Finding) {
    let event = match *id {
        SESSION_UNSTABLE => Event::SessionUnstable,
        ROLE_ALIAS_UNSTABLE => Event::AliasUnstable,
        _ => Event::CertificateExpiring,
    };
    let level = match (finding.severity, expiry) {
        (_, Some(Expiry::Near)) => Level::Warn,
        (Severity::Attention, _) => Level::Error,
        _ => Level::Warn,
    };
    let problem = &finding.problem;
    journal!(
        level, event,
        ROLE_ALIAS = role_alias.as_deref().unwrap_or_default(),
        NEXT_STEP = problem.next_step.as_deref().unwrap_or("nothing");
        "{}: {problem}", finding.part
    );
}
