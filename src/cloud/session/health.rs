//! The gateway's health as others read it under the presence topic.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::clock::{SharedClock, Skew, rfc3339};
use crate::credentials::Shelf;
use crate::overview::{self, Finding, Overview, Snapshot};
use crate::status::Board;

/// Where health is read from.
#[derive(Clone, Debug)]
pub struct Health {
    /// Every part's state.
    pub board: Board,
    /// Every role alias's credentials.
    pub shelf: Shelf,
    /// The clock.
    pub clock: SharedClock,
    /// When the daemon started, by the boottime clock.
    pub started: Duration,
    /// Rings when any part has changed its phase or its problem.
    pub bell: watch::Receiver<()>,
}

/// What there is to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Online,
    Offline,
}

/// The document; the will has only the first two.
#[derive(Serialize)]
struct Document<'a> {
    state: &'a str,
    version: &'a str,
    #[serde(flatten)]
    report: Option<Report>,
}

#[derive(Serialize)]
struct Report {
    /// The same as the status of the gateway's own socket.
    status: overview::State,
    summary: String,
    exit_code: u8,
    now: String,
    /// How many seconds `now` is ahead of AWS's clock; `None` before AWS has said its time.
    clock_skew_seconds: Option<i64>,
    uptime_seconds: u64,
    connects: u64,
    certificate_expires: Option<String>,
    role_aliases: Vec<Alias>,
    outbox: Depth,
    /// In the words of the status.
    problems: Vec<String>,
    /// The same with their identifiers, and who can mend them.
    problem_details: Vec<Finding>,
}

#[derive(Serialize)]
struct Alias {
    name: String,
    phase: String,
    expires: Option<String>,
}

#[derive(Serialize)]
struct Depth {
    queued: u64,
    queued_bytes: u64,
    parked: u64,
    dropped: u64,
}

impl Health {
    /// The payload that says so.
    pub(super) fn payload(&self, state: State, with_report: bool) -> Vec<u8> {
        let document = Document {
            state: match state {
                State::Online => "online",
                State::Offline => "offline",
            },
            version: env!("CARGO_PKG_VERSION"),
            report: with_report.then(|| self.report()),
        };
        // Strings and numbers cannot fail to become JSON.
        serde_json::to_vec(&document).unwrap_or_default()
    }

    fn report(&self) -> Report {
        let clock = &*self.clock;
        let messages = self.board.messages.borrow().clone();
        let session = self.board.session.borrow().clone();
        let aliases = self.shelf.parts(clock);
        let Overview {
            state,
            summary,
            exit_code,
            findings,
            ..
        } = Overview::new(&Snapshot::take(&self.board, &self.shelf, clock));
        Report {
            status: state,
            summary,
            exit_code,
            now: rfc3339(clock.wall()),
            clock_skew_seconds: clock.skew().map(Skew::whole_seconds),
            uptime_seconds: clock.boot().saturating_sub(self.started).as_secs(),
            connects: session.details.connects,
            certificate_expires: self.board.identity.borrow().details.not_after.clone(),
            role_aliases: aliases
                .into_iter()
                .map(|alias| Alias {
                    name: alias.details.name,
                    phase: alias.phase.to_string(),
                    expires: alias.details.expiration,
                })
                .collect(),
            outbox: Depth {
                queued: messages.details.queued,
                queued_bytes: messages.details.queued_bytes,
                parked: messages.details.parked,
                dropped: messages.details.dropped + messages.details.expired,
            },
            problems: findings.iter().map(|finding| finding.problem.to_string()).collect(),
            problem_details: findings,
        }
    }
}

#[cfg(test)]
impl Health {
    /// The health of a gateway that is well and has no role alias.
    pub(super) fn for_test(desk: &crate::status::Desk, clock: &SharedClock) -> Self {
        use crate::status::{
            ClockDetails, ClockPhase, ConfigurationDetails, ConfigurationPhase, IdentityDetails, IdentityPhase,
            MessagesDetails, MessagesPhase, NetworkDetails, NetworkPhase, ProvisioningDetails, ProvisioningPhase,
            SessionDetails, SessionPhase, TokenDetails, TokenPhase,
        };

        let board = Board {
            loopback: watch::channel(None).1,
            network: desk
                .reporter("network", NetworkPhase::Up, NetworkDetails::default())
                .watch(),
            configuration: desk
                .reporter(
                    "configuration",
                    ConfigurationPhase::Loaded,
                    ConfigurationDetails::default(),
                )
                .watch(),
            token: desk
                .reporter("token", TokenPhase::Ready, TokenDetails::default())
                .watch(),
            clock: desk.reporter("clock", ClockPhase::Set, ClockDetails::default()).watch(),
            identity: desk
                .reporter("identity", IdentityPhase::Ready, IdentityDetails::default())
                .watch(),
            provisioning: desk
                .reporter(
                    "provisioning",
                    ProvisioningPhase::Provisioned,
                    ProvisioningDetails::default(),
                )
                .watch(),
            session: desk
                .reporter("session", SessionPhase::Connected, SessionDetails::default())
                .watch(),
            messages: desk
                .reporter("messages", MessagesPhase::Ready, MessagesDetails::default())
                .watch(),
        };
        Self {
            board,
            shelf: Shelf::new([], None, desk).0,
            clock: clock.clone(),
            started: Duration::ZERO,
            bell: desk.bell(),
        }
    }
}
