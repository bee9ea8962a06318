//! A finding: one problem of the gateway, with an identifier that is the same in every version.

use serde::Serialize;

use crate::event::Event;
use crate::problem::{Exit, Problem, Remedy};
use crate::status::{Part, Phase};

/// Declares the identifiers of findings.
macro_rules! identifiers {
    ($($name:ident = $id:literal;)+) => {
        $(pub(super) const $name: &str = $id;)+

        /// All identifiers of findings. docs/operations.md explains each.
        pub const IDENTIFIERS: &[&str] = &[$($id,)+];
    };
}

identifiers! {
    DAEMON_STOPPED = "daemon-stopped";
    DAEMON_FAILED = "daemon-failed";
    DAEMON_STARTING = "daemon-starting";
    CONFIGURATION_WRONG = "configuration-wrong";
    CONFIGURATION_LAST_GOOD = "configuration-last-good";
    CONFIGURATION_DIFFERS = "configuration-differs";
    CONFIGURATION_RESTART_NEEDED = "configuration-restart-needed";
    CONFIGURATION_PROBLEM = "configuration-problem";
    TOKEN_PIN = "token-pin";
    TOKEN_FAILED = "token-failed";
    TOKEN_WAITING = "token-waiting";
    TOKEN_PROBLEM = "token-problem";
    TOKEN_OTHER_KEYS = "token-other-keys";
    CERTIFICATE_REQUEST = "certificate-request";
    CERTIFICATE_AWAITED = "certificate-awaited";
    CERTIFICATE_REFUSED = "certificate-refused";
    CERTIFICATE_PROBLEM = "certificate-problem";
    CERTIFICATE_EXPIRING = "certificate-expiring";
    CERTIFICATE_EXPIRED = "certificate-expired";
    CLOCK_UNSET = "clock-unset";
    CLOCK_SKEWED = "clock-skewed";
    NETWORK_DOWN = "network-down";
    NOT_PROVISIONED = "not-provisioned";
    CERTIFICATE_NOT_ACCEPTED = "certificate-not-accepted";
    SESSION_DOWN = "session-down";
    SESSION_PROBLEM = "session-problem";
    SESSION_TAKEN_OVER = "session-taken-over";
    SESSION_UNSTABLE = "session-unstable";
    SESSION_DISCARDED = "session-discarded";
    ROLE_ALIAS_WAITING = "role-alias-waiting";
    ROLE_ALIAS_FAILING = "role-alias-failing";
    ROLE_ALIAS_REFRESH = "role-alias-refresh";
    ROLE_ALIAS_UNSTABLE = "role-alias-unstable";
    WEB_TOKEN_FAILING = "web-token-failing";
    MESSAGES_UNAVAILABLE = "messages-unavailable";
    MESSAGES_PROBLEM = "messages-problem";
    MESSAGES_PARKED = "messages-parked";
    MESSAGES_SET_ASIDE = "messages-set-aside";
    SUBSCRIPTIONS_SUSPENDED = "subscriptions-suspended";
    LOOPBACK_DOWN = "loopback-down";
    LOOPBACK_PROBLEM = "loopback-problem";
    LOCAL_MQTT_DOWN = "local-mqtt-down";
    LOCAL_MQTT_PROBLEM = "local-mqtt-problem";
    CONNECTIONS_NOT_ACCEPTED = "connections-not-accepted";
    CREDENTIALS_FILE_PROBLEM = "credentials-file-problem";
}

/// The severity of a finding. The worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information only.
    Notice,
    /// Expected at this time.
    Expected,
    /// Resolves itself.
    Waiting,
    /// An administrator must act.
    Attention,
}

/// One problem of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The identifier of its kind, the same in every version.
    pub id: &'static str,
    /// The affected part of the status: `daemon`, or a key of the status document.
    pub part: &'static str,
    /// The affected role alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_alias: Option<String>,
    /// The severity.
    pub severity: Severity,
    /// The event in the journal.
    pub event: Event,
    /// The cause, who can fix it, and the next step.
    #[serde(flatten)]
    pub problem: Problem,
}

impl Severity {
    /// Returns whether it keeps the gateway from being ready.
    pub fn changes_state(self) -> bool {
        self >= Self::Waiting
    }

    /// Parses a severity. An unknown one, from a newer version, counts as `Attention`.
    pub fn parse(word: &str) -> Self {
        match word {
            "notice" => Self::Notice,
            "expected" => Self::Expected,
            "waiting" => Self::Waiting,
            _ => Self::Attention,
        }
    }

    /// Returns the exit code if no finding is worse; `None` if it does not affect the exit code.
    pub fn exit(self) -> Option<Exit> {
        match self {
            Self::Notice => None,
            Self::Expected | Self::Waiting => Some(Exit::Unavailable),
            Self::Attention => Some(Exit::Configuration),
        }
    }

    /// Returns the severity as a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Expected => "expected",
            Self::Waiting => "waiting",
            Self::Attention => "attention",
        }
    }
}

impl From<Remedy> for Severity {
    fn from(remedy: Remedy) -> Self {
        match remedy {
            Remedy::None => Self::Expected,
            Remedy::Wait => Self::Waiting,
            Remedy::Configuration | Remedy::Factory => Self::Attention,
        }
    }
}

impl Finding {
    /// Creates a finding whose severity follows from who can fix the problem.
    pub(super) fn new(id: &'static str, part: &'static str, event: Event, problem: Problem) -> Self {
        Self {
            id,
            part,
            role_alias: None,
            severity: problem.remedy.into(),
            event,
            problem,
        }
    }

    /// Creates a finding from the problem that a part has reported and logged.
    pub(super) fn reported<P: Phase, D>(
        id: &'static str,
        name: &'static str,
        part: &Part<P, D>,
        problem: Problem,
    ) -> Self {
        Self::new(id, name, problem.event.unwrap_or_else(|| part.phase.event()), problem)
    }

    /// Creates a finding for information only.
    pub(super) fn notice(id: &'static str, part: &'static str, event: Event, message: String) -> Self {
        Self {
            severity: Severity::Notice,
            ..Self::new(id, part, event, Problem::configuration(message))
        }
    }

    pub(super) fn next(mut self, step: &str) -> Self {
        self.problem.next_step = Some(step.to_owned());
        self
    }

    pub(super) fn about(self, role_alias: &str) -> Self {
        Self {
            role_alias: Some(role_alias.to_owned()),
            ..self
        }
    }

    /// Returns whether the problem of another part is caused by this finding.
    pub(super) fn is_cause_of(&self, problem: &Problem) -> bool {
        self.role_alias.is_none() && self.problem.message == problem.message
    }

    /// Creates the finding for a daemon that is not running. The exit code tells whether it will be restarted automatically.
    pub(super) fn of_stopped(exit: Exit, problem: Problem) -> Self {
        let (id, severity) = match exit {
            Exit::Pin => (TOKEN_PIN, Severity::Attention),
            Exit::NotRunning => (DAEMON_STOPPED, Severity::Attention),
            Exit::Unavailable => (DAEMON_STARTING, Severity::Waiting),
            _ => (DAEMON_FAILED, Severity::Attention),
        };
        Self {
            severity,
            ..Self::new(
                id,
                "daemon",
                if exit == Exit::NotRunning {
                    Event::Stop
                } else {
                    exit.event()
                },
                problem,
            )
        }
    }
}
