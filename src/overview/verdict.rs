//! The verdict on the whole gateway: one state, one sentence, a list of problems and an exit code.

use std::time::Duration;

use serde::Serialize;

use super::expiry::Expiry;
use super::finding::{Finding, Severity, TOKEN_PIN};
use super::findings::{collect, validity};
use super::snapshot::Snapshot;
use crate::credentials::AliasPhase;
use crate::problem::{Exit, Problem};
use crate::status::{AcceptingPhase, LocalMqttPhase, LoopbackPhase, MessagesPhase};

/// The state of the whole gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everything that is configured works, and nothing requires action.
    Ready,
    /// Something is missing or unstable, and is expected to resolve itself.
    Waiting,
    /// An administrator must act. Programs may still be working.
    Attention,
}

/// The verdict on the whole gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The state.
    pub state: State,
    /// A summary in one sentence.
    pub summary: String,
    /// Whether everything that is configured works now, even if something requires action.
    pub is_working: bool,
    /// The findings, the worst first. Among equals, causes come before their consequences.
    pub findings: Vec<Finding>,
    /// The exit code of `gatepost status` and `gatepost check`; 0 if ready.
    pub exit_code: u8,
}

impl State {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Waiting, Self::Attention];

    /// Returns the state as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Attention => "attention",
        }
    }
}

impl Overview {
    /// Returns the time until the verdict may change without any report: at a stage before the certificate's expiry, an hour after a
    /// failure, or when credentials expire.
    pub fn next_change_in(snapshot: &Snapshot) -> Option<Duration> {
        let expiry = validity(snapshot)
            .and_then(|(not_before, not_after)| Expiry::time_to_next(snapshot.now, not_before, not_after));
        let losses = snapshot.session.details.losses.as_ref();
        let failures = snapshot
            .aliases
            .iter()
            .filter_map(|alias| alias.details.failures.as_ref());
        let quiet = losses
            .into_iter()
            .chain(failures)
            .filter_map(|repeats| repeats.quiet_in(snapshot.boot));
        expiry.into_iter().chain(quiet).chain(snapshot.credentials_end_in).min()
    }

    /// Derives the verdict from the status of all parts.
    pub fn new(snapshot: &Snapshot) -> Self {
        let is_working = is_working(snapshot);
        let mut findings = collect(snapshot);
        for finding in &mut findings {
            // While everything works, an expected condition is for information only.
            if is_working && finding.severity == Severity::Expected {
                finding.severity = Severity::Notice;
            }
        }
        let state = state(&findings, is_working);
        Self {
            state,
            summary: summary(snapshot, &findings),
            is_working,
            exit_code: exit_code(state, &findings),
            findings,
        }
    }

    /// Returns the verdict on a gateway whose daemon is not running because of `problem`.
    pub fn of_stopped(exit: Exit, problem: Problem) -> Self {
        let finding = Finding::of_stopped(exit, problem);
        Self {
            state: match finding.severity {
                Severity::Attention => State::Attention,
                _ => State::Waiting,
            },
            summary: finding.problem.to_string(),
            is_working: false,
            exit_code: exit as u8,
            findings: vec![finding],
        }
    }
}

fn state(findings: &[Finding], is_working: bool) -> State {
    match findings.first().map(|worst| worst.severity) {
        Some(Severity::Attention) => State::Attention,
        Some(Severity::Waiting) => State::Waiting,
        _ if is_working => State::Ready,
        _ => State::Waiting,
    }
}

fn exit_code(state: State, findings: &[Finding]) -> u8 {
    let pin = findings.iter().any(|finding| finding.id == TOKEN_PIN);
    let exits = [
        pin.then_some(Exit::Pin),
        (state == State::Attention).then_some(Exit::Configuration),
        (state != State::Ready).then_some(Exit::Unavailable),
    ];
    worst_exit(exits.into_iter().flatten()).map_or(0, |exit| exit as u8)
}

/// Returns the most important of several exit codes: first a rejected PIN, because gatepost must not be started again before that is
/// fixed, then what an administrator must fix, then a daemon that is not running, then what resolves itself.
pub fn worst_exit(exits: impl Iterator<Item = Exit>) -> Option<Exit> {
    exits.max_by_key(|exit| match exit {
        Exit::Pin => 4,
        Exit::Configuration => 3,
        Exit::NotRunning => 2,
        _ => 1,
    })
}

fn is_working(snapshot: &Snapshot) -> bool {
    snapshot.is_online()
        && snapshot.messages.phase == MessagesPhase::Ready
        && snapshot.aliases.iter().all(|alias| alias.phase == AliasPhase::Valid)
        && snapshot.local_mqtt.phase != LocalMqttPhase::Waiting
        && snapshot.accepting.phase == AcceptingPhase::Accepting
        && snapshot
            .loopback
            .as_ref()
            .is_none_or(|part| part.phase == LoopbackPhase::Listening)
}

/// Returns the summary. It begins with whether the gateway is online, if it is.
fn summary(snapshot: &Snapshot, findings: &[Finding]) -> String {
    let valid = snapshot
        .aliases
        .iter()
        .filter(|alias| alias.phase == AliasPhase::Valid)
        .count();
    let counts = match snapshot.aliases.len() {
        0 => "no role alias configured".to_owned(),
        all => format!("{valid} of {all} role aliases valid"),
    };
    let serious = findings
        .iter()
        .filter(|finding| finding.severity.changes_state())
        .count();
    let more = match serious.saturating_sub(1) {
        0 => String::new(),
        1 => " (and one more problem)".to_owned(),
        more => format!(" (and {more} more problems)"),
    };
    // A notice does not explain why the gateway is not online.
    let first = findings.iter().find(|finding| finding.severity != Severity::Notice);
    let words = |finding: &Finding| match finding.severity {
        Severity::Attention => format!("{}{more}", finding.problem),
        _ => format!("{}{more}", finding.problem.message),
    };
    if !snapshot.is_online() {
        return first.map_or_else(|| format!("session {}; {counts}", snapshot.session.phase), words);
    }
    let thing = snapshot.session.details.client_id.as_deref().unwrap_or_default();
    let online = format!("online as {thing}; {counts}");
    match first {
        Some(finding) => format!("{online}; but {}", words(finding)),
        None => online,
    }
}
