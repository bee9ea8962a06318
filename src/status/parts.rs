//! The parts of the status: which phases each goes through, and what else it shows.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::watch;

use super::{ConfigurationPart, Latencies, Part};
use crate::event::Event;
use crate::problem::Problem;

/// Declares the phases of a part: an enum whose names in the status, and whose events in the journal, are given beside it.
macro_rules! phases {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal, $event:ident;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }

        impl $crate::status::Phase for $name {
            fn event(self) -> $crate::event::Event {
                match self { $(Self::$variant => $crate::event::Event::$event,)+ }
            }
        }
    };
}

phases! {
    /// The token's state.
    TokenPhase {
        /// Not there yet, or being opened again.
        Waiting = "waiting", TokenWaiting;
        /// Logged in, key found.
        Ready = "ready", TokenReady;
        /// Only hands can mend it.
        Failed = "failed", TokenFailed;
    }
}

phases! {
    /// The wall clock's state.
    ClockPhase {
        /// Earlier than this program's build date.
        Unset = "unset", ClockUnset;
        /// Plausible.
        Set = "set", ClockSet;
    }
}

phases! {
    /// The state of key and certificate as one.
    IdentityPhase {
        /// The token has not shown the key yet.
        NoKey = "no-key", IdentityNoKey;
        /// The request is written; a certificate is awaited.
        NoCertificate = "no-certificate", IdentityNoCertificate;
        /// A certificate is there and cannot be used.
        Refused = "refused", IdentityRefused;
        /// Certificate and key belong together and are valid.
        Ready = "ready", IdentityReady;
    }
}

phases! {
    /// How far AWS knows this gateway (just-in-time provisioning).
    ProvisioningPhase {
        /// No key in the token.
        NoKey = "no-key", ProvisioningNoKey;
        /// No usable certificate.
        NoCertificate = "no-certificate", ProvisioningNoCertificate;
        /// The clock is unset, so TLS would refuse every server.
        WaitingForClock = "waiting-for-clock", ProvisioningWaitingForClock;
        /// The first connection is being made, or was not made yet.
        FirstContact = "first-contact", ProvisioningFirstContact;
        /// AWS dropped the first connection and registers the certificate meanwhile.
        Pending = "pending", ProvisioningPending;
        /// AWS has accepted a connection.
        Provisioned = "provisioned", Provisioned;
    }
}

phases! {
    /// The MQTT session's state.
    SessionPhase {
        /// Nothing to connect with yet.
        Idle = "idle", SessionIdle;
        /// A connection is being made.
        Connecting = "connecting", SessionConnecting;
        /// CONNACK received.
        Connected = "connected", SessionConnected;
        /// Between two attempts.
        Waiting = "waiting", SessionWaiting;
    }
}

/// A state that a part can be in.
pub trait Phase: Copy + PartialEq + fmt::Display {
    /// What the journal calls it when the part enters it.
    fn event(self) -> Event;
}

/// What there is to know of a part besides its phase; some of it is a field in the journal.
pub trait Details: Clone {
    /// The role alias that it is about.
    fn role_alias(&self) -> Option<&str> {
        None
    }

    /// The thing that the gateway is to AWS.
    fn thing_name(&self) -> Option<&str> {
        None
    }
}

impl Details for TokenDetails {}
impl Details for ClockDetails {}
impl Details for ProvisioningDetails {}
impl Details for MessagesDetails {}

impl Details for IdentityDetails {
    fn thing_name(&self) -> Option<&str> {
        self.thing_name.as_deref()
    }
}

impl Details for SessionDetails {
    fn thing_name(&self) -> Option<&str> {
        self.client_id.as_deref()
    }
}

phases! {
    /// The message store's state.
    MessagesPhase {
        /// The database is being read.
        Opening = "opening", MessagesOpening;
        /// Messages are accepted.
        Ready = "ready", MessagesReady;
        /// The database cannot be used now.
        Failed = "failed", MessagesFailed;
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
    /// What somebody should look at though the token works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Signatures made since start.
    pub signatures: u64,
    /// How often it was tried since start to open the token.
    pub openings: u64,
    /// How long they took.
    #[serde(skip)]
    pub latencies: Latencies,
}

/// What the status says of the clock besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClockDetails {
    /// How many seconds the wall clock is ahead of AWS's, negative where it is behind; `None` before AWS has said its time.
    pub skew_seconds: Option<i64>,
}

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
    /// Connections lost before CONNACK since the first contact; 0 once provisioned.
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
    /// The certificate ID of the certificate that AWS accepted at the last CONNACK.
    pub certificate_id: Option<String>,
    /// Whether AWS had kept the session at the last CONNACK.
    pub session_present: Option<bool>,
    /// How long AWS keeps the session after a disconnect, as granted, in seconds.
    pub session_expiry_seconds: Option<u32>,
    /// The largest packet that AWS takes, as it said at the last CONNACK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_packet_size: Option<u32>,
    /// When the session was last discarded because something in it ended every connection, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded_at: Option<String>,
    /// Why that was done, and what was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded_because: Option<String>,
    /// When the next connection is made, RFC 3339.
    pub next_attempt: Option<String>,
    /// Connections that AWS has accepted since start.
    pub connects: u64,
    /// Attempts to connect since start that have ended, accepted or not.
    pub attempts: u64,
    /// Other clients that use this thing name, until the session has been stable for an hour.
    pub taken_over: Option<TakeoverDetails>,
}

/// How often another client has taken the session over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakeoverDetails {
    /// How many times.
    pub times: u64,
    /// The first time, RFC 3339.
    pub since: String,
    /// The last time, RFC 3339.
    pub last: String,
}

/// What the status says of the outbox and the inbox besides their phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MessagesDetails {
    /// Whether the store has been opened since start: before that no number here is known.
    pub opened: bool,
    /// Messages that AWS has not acknowledged yet.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Messages that AWS did not take, kept aside.
    pub parked: u64,
    /// Messages accepted since start.
    pub accepted: u64,
    /// Messages acknowledged since start.
    pub acknowledged: u64,
    /// Messages refused since start, because there was no room.
    pub refused: u64,
    /// Messages dropped since start: for newer ones, or purged.
    pub dropped: u64,
    /// Messages dropped since start because of their age.
    pub expired: u64,
    /// Messages that durable subscriptions have lost since start, because there was no room.
    pub inbox_dropped: u64,
    /// Durable subscriptions that no access rule gives their owners any more.
    pub suspended: u64,
    /// Where a database that was broken is now.
    pub set_aside: Option<String>,
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
/// The message store's part.
pub type MessagesPart = Part<MessagesPhase, MessagesDetails>;

/// The reading ends of all parts.
#[derive(Clone, Debug)]
pub struct Board {
    /// The configuration.
    pub configuration: watch::Receiver<ConfigurationPart>,
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
    /// The outbox and the inbox.
    pub messages: watch::Receiver<MessagesPart>,
}

impl Board {
    /// What keeps this gateway offline, the deepest cause first: whoever waits for anything waits for this.
    pub fn obstacle(&self) -> Option<Problem> {
        let token = self.token.borrow().problem.clone();
        // A clock that is wrong keeps nobody offline; one that is not set does.
        let clock = || {
            let part = self.clock.borrow();
            part.problem.clone().filter(|_| part.phase == ClockPhase::Unset)
        };
        let identity = || self.identity.borrow().problem.clone();
        let provisioning = || self.provisioning.borrow().problem.clone();
        token.or_else(identity).or_else(clock).or_else(provisioning)
    }
}

pub(crate) use phases;
