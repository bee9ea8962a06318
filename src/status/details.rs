//! Status fields of each part besides its phase.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{Latencies, Repeats};
use crate::problem::Problem;

/// Status fields of a part besides its phase; some are fields in the journal too.
pub trait Details: Clone {
    /// The role alias that it is about.
    fn role_alias(&self) -> Option<&str> {
        None
    }

    /// The thing that the gateway is to AWS.
    fn thing_name(&self) -> Option<&str> {
        None
    }

    /// Changes with what the verdict reads of the details: such a change is told to everybody who shows the verdict.
    fn verdict_input(&self) -> u64 {
        0
    }
}

/// Returns a number that changes with `value`.
pub(crate) fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Details for TokenDetails {
    fn verdict_input(&self) -> u64 {
        hash_of(&self.warning)
    }
}
impl Details for ClockDetails {}
impl Details for ProvisioningDetails {}
impl Details for MessagesDetails {
    fn verdict_input(&self) -> u64 {
        hash_of((self.parked, self.suspended, &self.set_aside))
    }
}
impl Details for IdentityDetails {
    fn thing_name(&self) -> Option<&str> {
        self.thing_name.as_deref()
    }
}
impl Details for SessionDetails {
    fn thing_name(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    fn verdict_input(&self) -> u64 {
        let taken_over = self.taken_over.as_ref().map(|takeovers| takeovers.times);
        let losses = self.losses.as_ref().map(|losses| losses.times);
        hash_of((taken_over, losses, &self.discarded_at))
    }
}
impl Details for LoopbackDetails {}
impl Details for NetworkDetails {}

/// Status fields of the token besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TokenDetails {
    /// The PKCS#11 module's path.
    pub module: String,
    /// The key's URI.
    pub key: String,
    /// The key's algorithm as the configuration names it.
    pub algorithm: Option<String>,
    /// Warning about a token that works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Whether the token has rejected the PIN, or is locked.
    #[serde(skip)]
    pub pin_rejected: bool,
    /// Signatures made since start.
    pub signatures: u64,
    /// How often it was tried since start to open the token.
    pub openings: u64,
    /// How often it was checked since start whether the key of the open token is still there.
    pub checks: u64,
    /// How long they took.
    #[serde(skip)]
    pub latencies: Latencies,
}

/// Status fields of the clock besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClockDetails {
    /// How many seconds the wall clock is ahead of AWS's, negative where it is behind; `None` before AWS has said its time.
    pub skew_seconds: Option<i64>,
}

/// Status fields of the identity besides its phase.
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
    /// Path at which the certificate is expected.
    pub certificate_path: String,
    /// Path of the signing request.
    pub csr_path: String,
    /// How far enrolment has come, where gatepost gets its certificates by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<EnrolmentDetails>,
    /// The signing request itself in PEM; it has a resource of its own on the socket.
    #[serde(skip)]
    pub csr: Option<Arc<str>>,
}

/// Status fields of enrolment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnrolmentDetails {
    /// The method.
    pub method: &'static str,
    /// Attempts since the daemon was started.
    pub attempts: u64,
    /// Since when a certificate is being asked for, RFC 3339; `None` while none is due.
    pub since: Option<String>,
    /// When it is asked for next, or when the renewal is due, RFC 3339.
    pub next_attempt: Option<String>,
    /// Why the last attempt brought no certificate.
    pub problem: Option<Problem>,
}

/// Status fields of provisioning besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProvisioningDetails {
    /// Connections lost before CONNACK since the first contact; 0 once provisioned.
    pub attempts: u32,
    /// When the next connection is made, RFC 3339.
    pub next_attempt: Option<String>,
}

/// Status fields of the session besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionDetails {
    /// The MQTT endpoint.
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
    /// Topic filters whose subscriptions are set aside, because what came with them ended every connection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters_set_aside: Vec<SetAsideDetails>,
    /// Connections that AWS has accepted since start.
    pub connects: u64,
    /// Attempts to connect since start that have ended, accepted or not.
    pub attempts: u64,
    /// How often the connection was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<Repeats>,
    /// Other clients that use this thing name, until the session has been stable for an hour.
    pub taken_over: Option<TakeoverDetails>,
}

/// A topic filter whose subscription is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAsideDetails {
    /// The filter.
    pub filter: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Why.
    pub because: String,
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

/// Status fields of the outbox and the inbox besides their phase.
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
    /// Path to which a broken database was moved.
    pub set_aside: Option<String>,
}

/// Status fields of the loopback listener besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoopbackDetails {
    /// Address and port.
    pub listen: String,
    /// The token files that are laid out.
    pub token_files: Vec<PathBuf>,
}

/// Status fields of this machine's network besides its phase: none.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NetworkDetails {}
