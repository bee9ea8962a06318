//! The report of the gateway's health that presence publishes.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::clock::{SharedClock, Skew, rfc3339};
use crate::credentials::CredentialCache;
use crate::overview::{self, Finding, Overview, Snapshot};
use crate::status::StatusBoard;

/// Sources of the report.
#[derive(Clone, Debug)]
pub struct PresenceReport {
    /// Status of all components.
    pub board: StatusBoard,
    /// Credentials of all role aliases.
    pub cache: CredentialCache,
    /// Clock.
    pub clock: SharedClock,
    /// Start of the daemon by the boottime clock.
    pub started: Duration,
    /// Signals that a component has changed its phase or its problem.
    pub changed: watch::Receiver<()>,
}

/// State to announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Online,
    Offline,
}

/// The published JSON document. The will has only the first two fields.
#[derive(Serialize)]
struct Document<'a> {
    state: &'a str,
    version: &'a str,
    #[serde(flatten)]
    report: Option<Report>,
}

#[derive(Serialize)]
struct Report {
    /// Same value as in the status on the socket.
    status: overview::State,
    summary: String,
    exit_code: u8,
    now: String,
    /// Seconds by which `now` is ahead of AWS's clock; `None` until AWS's time is known.
    clock_skew_seconds: Option<i64>,
    uptime_seconds: u64,
    connects: u64,
    certificate_expires: Option<String>,
    role_aliases: Vec<Alias>,
    outbox: Depth,
    /// Problems in the words of the status.
    problems: Vec<String>,
    /// The same problems with identifiers, and who can resolve them.
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

impl PresenceReport {
    /// Returns the payload for `state`.
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
        let aliases = self.cache.parts(clock);
        let Overview {
            state,
            summary,
            exit_code,
            findings,
            ..
        } = Overview::new(&Snapshot::take(&self.board, &self.cache, clock));
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
impl PresenceReport {
    /// Creates the report of a healthy gateway without role aliases.
    pub(super) fn for_test(hub: &crate::status::StatusHub, clock: &SharedClock) -> Self {
        use crate::status::{
            AcceptingDetails, AcceptingPhase, ClockDetails, ClockPhase, ConfigurationDetails, ConfigurationPhase,
            CredentialsFilesDetails, CredentialsFilesPhase, IdentityDetails, IdentityPhase, LocalMqttDetails,
            LocalMqttPhase, MessagesDetails, MessagesPhase, NetworkDetails, NetworkPhase, ProvisioningDetails,
            ProvisioningPhase, SessionDetails, SessionPhase, TokenDetails, TokenPhase,
        };

        let board = StatusBoard {
            loopback: watch::channel(None).1,
            local_mqtt: hub
                .reporter("local-mqtt", LocalMqttPhase::Off, LocalMqttDetails::default())
                .watch(),
            accepting: hub
                .reporter("connections", AcceptingPhase::Accepting, AcceptingDetails::default())
                .watch(),
            credentials_files: hub
                .reporter(
                    "credentials files",
                    CredentialsFilesPhase::Written,
                    CredentialsFilesDetails::default(),
                )
                .watch(),
            network: hub
                .reporter("network", NetworkPhase::Up, NetworkDetails::default())
                .watch(),
            configuration: hub
                .reporter(
                    "configuration",
                    ConfigurationPhase::Loaded,
                    ConfigurationDetails::default(),
                )
                .watch(),
            token: hub
                .reporter("token", TokenPhase::Ready, TokenDetails::default())
                .watch(),
            clock: hub.reporter("clock", ClockPhase::Set, ClockDetails::default()).watch(),
            identity: hub
                .reporter("identity", IdentityPhase::Ready, IdentityDetails::default())
                .watch(),
            provisioning: hub
                .reporter(
                    "provisioning",
                    ProvisioningPhase::Provisioned,
                    ProvisioningDetails::default(),
                )
                .watch(),
            session: hub
                .reporter("session", SessionPhase::Connected, SessionDetails::default())
                .watch(),
            messages: hub
                .reporter("messages", MessagesPhase::Ready, MessagesDetails::default())
                .watch(),
        };
        Self {
            board,
            cache: CredentialCache::new([], None, hub).0,
            clock: clock.clone(),
            started: Duration::ZERO,
            changed: hub.changed(),
        }
    }
}
