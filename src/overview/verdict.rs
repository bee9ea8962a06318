//! Verdict on the whole gateway: one state, one sentence, a list of problems and an exit code.

use std::time::Duration;

use serde::Serialize;

use super::expiry::Expiry;
use super::finding::{Finding, Severity, TOKEN_PIN};
use super::findings::{collect, validity};
use super::snapshot::Snapshot;
use crate::credentials::AliasPhase;
use crate::problem::{Exit, Problem};
use crate::status::{LoopbackPhase, MessagesPhase};

/// The whole gateway's state, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everything that is configured works, and nobody has to look at anything.
    Ready,
    /// Something is missing or unstable, and it heals by itself.
    Waiting,
    /// Somebody must act; programs may go on working meanwhile.
    Attention,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// In one word.
    pub state: State,
    /// In one sentence.
    pub summary: String,
    /// Whether everything that is configured works at this moment, whatever should be looked at.
    pub is_working: bool,
    /// The worst first; among equals, causes before what follows from them.
    pub findings: Vec<Finding>,
    /// The exit code of `gatepost status` and `gatepost check`; 0 if ready.
    pub exit_code: u8,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Waiting, Self::Attention];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Attention => "attention",
        }
    }
}

impl Overview {
    /// How long it takes until time alone may change the verdict: a step of the certificate's expiry, an hour without a
    /// failure, or the end of a set of credentials.
    pub fn look_again_in(snapshot: &Snapshot) -> Option<Duration> {
        let expiry = validity(snapshot)
            .and_then(|(not_before, not_after)| Expiry::next_step(snapshot.now, not_before, not_after));
        let losses = snapshot.session.details.losses.as_ref();
        let failures = snapshot
            .aliases
            .iter()
            .filter_map(|alias| alias.details.failures.as_ref());
        let calm = losses
            .into_iter()
            .chain(failures)
            .filter_map(|repeats| repeats.calm_in(snapshot.boot));
        expiry.into_iter().chain(calm).chain(snapshot.credentials_end_in).min()
    }

    /// Judges what the parts say.
    pub fn new(snapshot: &Snapshot) -> Self {
        let is_working = is_working(snapshot);
        let mut findings = collect(snapshot);
        for finding in &mut findings {
            // What was to be expected keeps nobody from anything while everything works.
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

    /// Judges a gateway whose daemon does not run, by what keeps it from running.
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

/// The exit code of several. A rejected PIN comes first: whoever reads the code must not start gatepost again before that is
/// mended. Then what somebody must change; then that nothing runs; then what comes by itself.
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
        && snapshot
            .loopback
            .as_ref()
            .is_none_or(|part| part.phase == LoopbackPhase::Listening)
}

/// While the gateway is online, that comes first, and what is wrong after it.
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
    // What only wants to be known says nothing about why the gateway is not online.
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
