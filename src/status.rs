//! What is, since when, and why: one part for each room, reported by the room, read by the local wing.
//!
//! Reporting is also where transitions are logged, once each, in the very words that the status shows.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use log::Level;
use serde::Serialize;
use tokio::sync::watch;

use crate::clock::{Clock, SharedClock, rfc3339};
use crate::problem::{Problem, Remedy};

/// One part's state at a moment.
#[derive(Clone, Debug)]
pub struct Part<P, D> {
    /// The state's name.
    pub phase: P,
    /// When the phase was entered, by the boottime clock (a wall clock set later would lie about it).
    pub since: Duration,
    /// What keeps the part from its best phase.
    pub problem: Option<Problem>,
    /// What else there is to know.
    pub details: D,
}

/// Where reporters come from: what they share.
#[derive(Clone, Debug)]
pub struct Desk {
    clock: SharedClock,
    bell: watch::Sender<()>,
}

impl Desk {
    /// A desk whose reporters tell time by `clock`.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            bell: watch::Sender::new(()),
        }
    }

    /// A part called `name` in the journal, starting in `phase`.
    pub fn reporter<P, D>(&self, name: impl Into<String>, phase: P, details: D) -> Reporter<P, D> {
        let part = Part {
            phase,
            since: self.clock.boot(),
            problem: None,
            details,
        };
        Reporter {
            name: name.into(),
            desk: self.clone(),
            sender: watch::Sender::new(part),
        }
    }

    /// Rings whenever any part has changed its phase or its problem.
    pub fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }
}

/// The reporting end of a part.
#[derive(Debug)]
pub struct Reporter<P, D> {
    name: String,
    desk: Desk,
    sender: watch::Sender<Part<P, D>>,
}

impl<P, D> Reporter<P, D>
where
    P: Copy + PartialEq + fmt::Display,
    D: Clone,
{
    /// A reading end.
    pub fn watch(&self) -> watch::Receiver<Part<P, D>> {
        self.sender.subscribe()
    }

    /// The phase as last reported.
    pub fn phase(&self) -> P {
        self.sender.borrow().phase
    }

    /// Enters `phase` (or stays in it) because of `problem`, and logs it if either is new.
    pub fn report(&self, phase: P, problem: Option<Problem>) {
        self.report_with(phase, problem, |_| {});
    }

    /// Like [`report`](Self::report), and changes the details in the same step.
    pub fn report_with(&self, phase: P, problem: Option<Problem>, change: impl FnOnce(&mut D)) {
        let news = {
            let part = self.sender.borrow();
            part.phase != phase || part.problem != problem
        };
        if news {
            self.log(phase, problem.as_ref());
        }
        let now = self.desk.clock.boot();
        self.sender.send_modify(|part| {
            if part.phase != phase {
                part.phase = phase;
                part.since = now;
            }
            part.problem = problem;
            change(&mut part.details);
        });
        if news {
            self.desk.bell.send_replace(());
        }
    }

    /// Changes the details only; nothing is logged.
    pub fn details(&self, change: impl FnOnce(&mut D)) {
        self.sender.send_modify(|part| change(&mut part.details));
    }

    fn log(&self, phase: P, problem: Option<&Problem>) {
        let level = match problem.map(|problem| problem.remedy) {
            None | Some(Remedy::None) => Level::Info,
            Some(Remedy::Wait) => Level::Warn,
            Some(Remedy::Configuration | Remedy::Factory) => Level::Error,
        };
        let name = &self.name;
        let event = name.as_str();
        match problem {
            Some(problem) => log::log!(level, GATEPOST_EVENT = event; "{name}: {phase}: {problem}"),
            None => log::log!(level, GATEPOST_EVENT = event; "{name}: {phase}"),
        }
    }
}

/// A part as the status document shows it.
#[derive(Debug, Serialize)]
pub struct PartDocument<D> {
    phase: String,
    since: String,
    problem: Option<Problem>,
    #[serde(flatten)]
    details: D,
}

impl<P: fmt::Display, D: Clone> Part<P, D> {
    /// The part in the form of the status document, its `since` told by today's wall clock.
    pub fn document(&self, clock: &dyn Clock) -> PartDocument<D> {
        let ago = clock.boot().saturating_sub(self.since);
        PartDocument {
            phase: self.phase.to_string(),
            since: rfc3339(clock.wall().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)),
            problem: self.problem.clone(),
            details: self.details.clone(),
        }
    }
}

/// Declares the phases of a part: an enum whose names in journal and status are given beside it.
macro_rules! phases {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }
    };
}

pub(crate) use phases;

phases! {
    /// The token's state.
    TokenPhase {
        /// Not there yet, or being opened again.
        Waiting = "waiting",
        /// Logged in, key found.
        Ready = "ready",
        /// Only hands can mend it.
        Failed = "failed",
    }
}

phases! {
    /// The wall clock's state.
    ClockPhase {
        /// Earlier than this program's build date.
        Unset = "unset",
        /// Plausible.
        Set = "set",
    }
}

phases! {
    /// The state of key and certificate as one.
    IdentityPhase {
        /// The token has not shown the key yet.
        NoKey = "no-key",
        /// The request is written; a certificate is awaited.
        NoCertificate = "no-certificate",
        /// A certificate is there and cannot be used.
        Refused = "refused",
        /// Certificate and key belong together and are valid.
        Ready = "ready",
    }
}

phases! {
    /// How far AWS knows this gateway (just-in-time provisioning).
    ProvisioningPhase {
        /// No key in the token.
        NoKey = "no-key",
        /// No usable certificate.
        NoCertificate = "no-certificate",
        /// The clock is unset, so TLS would refuse every server.
        WaitingForClock = "waiting-for-clock",
        /// The first connection is being made, or was not made yet.
        FirstContact = "first-contact",
        /// AWS dropped the first connection and registers the certificate meanwhile.
        Pending = "pending",
        /// AWS has accepted a connection.
        Provisioned = "provisioned",
    }
}

phases! {
    /// The MQTT session's state.
    SessionPhase {
        /// Nothing to connect with yet.
        Idle = "idle",
        /// A connection is being made.
        Connecting = "connecting",
        /// CONNACK received.
        Connected = "connected",
        /// Between two attempts.
        Waiting = "waiting",
    }
}

/// What the status says of the token besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TokenDetails {
    /// The PKCS#11 module's path.
    pub module: String,
    /// The key's URI.
    pub key: String,
    /// The key's algorithm as the configuration names it.
    pub algorithm: Option<String>,
    /// Signatures made since start.
    pub signatures: u64,
}

/// What the status says of the clock besides its phase: nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClockDetails {}

/// What the status says of the identity besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IdentityDetails {
    /// The certificate's common name.
    pub thing_name: Option<String>,
    /// SHA-256 of the certificate in hex: AWS's certificate ID.
    pub certificate_id: Option<String>,
    /// The subject as text.
    pub subject: Option<String>,
    /// Start of validity, RFC 3339.
    pub not_before: Option<String>,
    /// End of validity, RFC 3339.
    pub not_after: Option<String>,
    /// Where the certificate is looked for.
    pub certificate_path: String,
    /// Where the signing request is written.
    pub csr_path: String,
    /// The signing request itself in PEM; it has a resource of its own on the socket.
    #[serde(skip)]
    pub csr: Option<Arc<str>>,
}

/// What the status says of provisioning besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProvisioningDetails {
    /// Connections lost before CONNACK since the first contact.
    pub attempts: u32,
    /// When the next connection is made, RFC 3339.
    pub next_attempt: Option<String>,
}

/// What the status says of the session besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionDetails {
    /// Where to.
    pub endpoint: String,
    /// The client ID: the thing name.
    pub client_id: Option<String>,
    /// Whether AWS had kept the session at the last CONNACK.
    pub session_present: Option<bool>,
    /// How long AWS keeps the session after a disconnect, as granted.
    pub session_expiry_seconds: Option<u32>,
    /// When the next connection is made, RFC 3339.
    pub next_attempt: Option<String>,
}

/// The token's part.
pub type TokenPart = Part<TokenPhase, TokenDetails>;
/// The clock's part.
pub type ClockPart = Part<ClockPhase, ClockDetails>;
/// The identity's part.
pub type IdentityPart = Part<IdentityPhase, IdentityDetails>;
/// Provisioning's part.
pub type ProvisioningPart = Part<ProvisioningPhase, ProvisioningDetails>;
/// The session's part.
pub type SessionPart = Part<SessionPhase, SessionDetails>;

/// The reading ends of all parts.
#[derive(Clone, Debug)]
pub struct Board {
    /// The token.
    pub token: watch::Receiver<TokenPart>,
    /// The clock.
    pub clock: watch::Receiver<ClockPart>,
    /// Key and certificate.
    pub identity: watch::Receiver<IdentityPart>,
    /// Provisioning.
    pub provisioning: watch::Receiver<ProvisioningPart>,
    /// The MQTT session.
    pub session: watch::Receiver<SessionPart>,
}

impl Board {
    /// What keeps this gateway offline, the deepest cause first: whoever waits for anything waits for this.
    pub fn obstacle(&self) -> Option<Problem> {
        let token = self.token.borrow().problem.clone();
        let clock = || self.clock.borrow().problem.clone();
        let identity = || self.identity.borrow().problem.clone();
        let provisioning = || self.provisioning.borrow().problem.clone();
        token.or_else(identity).or_else(clock).or_else(provisioning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    #[test]
    fn since_is_when_the_phase_began_and_survives_a_clock_step() {
        let clock = ManualClock::at(100);
        let reporter = Desk::new(clock.clone()).reporter("clock", ClockPhase::Unset, ClockDetails {});
        clock.pass(Duration::from_secs(50));
        reporter.report(ClockPhase::Unset, Some(Problem::wait("not yet")));
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        clock.step_to(today);
        let document = reporter.watch().borrow().document(&*clock);
        assert_eq!(document.since, rfc3339(today - Duration::from_secs(50)));
        reporter.report(ClockPhase::Set, None);
        assert_eq!(reporter.watch().borrow().document(&*clock).since, rfc3339(today));
    }
}
