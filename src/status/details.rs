//! Status fields of each part besides its phase.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::latencies::Latencies;
use super::repeats::Repeats;
use crate::problem::Problem;

/// Status fields of a part besides its phase; some are fields in the journal too.
pub trait Details: Clone {
    /// Returns the role alias that the part is about.
    fn role_alias(&self) -> Option<&str> {
        None
    }

    /// Returns the thing name.
    fn thing_name(&self) -> Option<&str> {
        None
    }

    /// Returns a number that changes whenever the details change in a way that the verdict depends on. Listeners are notified then.
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
    /// Attempts to open the token since start.
    pub openings: u64,
    /// Checks since start whether the open token still has the key.
    pub checks: u64,
    /// Durations of the signatures.
    #[serde(skip)]
    pub latencies: Latencies,
}

/// Status fields of the clock besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ClockDetails {
    /// Seconds that the wall clock is ahead of AWS's, negative if it is behind; `None` before AWS's time is known.
    pub skew_seconds: Option<i64>,
}

/// Status fields of the identity besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct IdentityDetails {
    /// The certificate's common name.
    pub thing_name: Option<String>,
    /// The URI of the certificate's key in the token.
    pub key: Option<String>,
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
    /// State of the enrolment, if gatepost renews the certificate automatically.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<EnrolmentDetails>,
    /// State of the rotation by jobs of AWS IoT, if it is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationDetails>,
}

/// Status fields of a rotation that a job of AWS IoT asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RotationDetails {
    /// The job that is carried out; `None` while there is none.
    pub job_id: Option<String>,
    /// The step that it has reached.
    pub step: Option<&'static str>,
    /// Since when it is carried out, RFC 3339.
    pub since: Option<String>,
    /// Why the last job has brought no certificate, or why jobs cannot be received.
    pub problem: Option<Problem>,
    /// Why the certificate keeps its key, although a new one is wanted. With an automatic method, enrolment reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_problem: Option<Problem>,
}

/// Status fields of enrolment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnrolmentDetails {
    /// The method.
    pub method: &'static str,
    /// Attempts since the daemon was started.
    pub attempts: u64,
    /// Attempts since then that brought a certificate.
    pub issued: u64,
    /// Attempts since then that failed. The others were told to wait.
    pub failed: u64,
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
    /// Time of the next attempt to connect, RFC 3339.
    pub next_attempt: Option<String>,
}

/// Status fields of the session besides its phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionDetails {
    /// The MQTT endpoint.
    pub endpoint: String,
    /// The proxy through which it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The client ID: the thing name.
    pub client_id: Option<String>,
    /// The certificate ID of the certificate that AWS accepted at the last CONNACK.
    pub certificate_id: Option<String>,
    /// Whether AWS had kept the session at the last CONNACK.
    pub session_present: Option<bool>,
    /// Seconds for which AWS keeps the session after a disconnect, as granted.
    pub session_expiry_seconds: Option<u32>,
    /// The maximum packet size of AWS, from the last CONNACK.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_packet_size: Option<u32>,
    /// When the session was last discarded because something in it ended every connection, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded_at: Option<String>,
    /// Why the session was discarded, and what was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded_because: Option<String>,
    /// Time of the next attempt to connect, RFC 3339.
    pub next_attempt: Option<String>,
    /// Topic filters whose subscriptions are suspended, because messages that match them ended every connection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters_set_aside: Vec<SetAsideDetails>,
    /// Connections that AWS has accepted since start.
    pub connects: u64,
    /// Attempts to connect since start that have ended, accepted or not.
    pub attempts: u64,
    /// Requests of an operator on an open connection, on which AWS was asked again for what it had refused, since start.
    pub retries: u64,
    /// Messages of AWS at QoS 1 that no program and no durable subscription has taken, since start.
    pub not_taken: u64,
    /// Losses of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<Repeats>,
    /// Other clients that use this thing name, until the session has been stable for an hour.
    pub taken_over: Option<TakeoverDetails>,
}

/// A topic filter whose subscription is suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAsideDetails {
    /// The filter.
    pub filter: String,
    /// Start of the suspension, RFC 3339.
    pub since: String,
    /// Reason for the suspension.
    pub because: String,
}

/// Takeovers of the session by another client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakeoverDetails {
    /// Number of takeovers.
    pub times: u64,
    /// Time of the first one, RFC 3339.
    pub since: String,
    /// Time of the last one, RFC 3339.
    pub last: String,
}

/// Status fields of the outbox and the inbox besides their phase.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MessagesDetails {
    /// Whether the store has been opened since start. Before that, the numbers below are unknown.
    pub opened: bool,
    /// Messages that AWS has not acknowledged yet.
    pub queued: u64,
    /// Number of bytes of these messages.
    pub queued_bytes: u64,
    /// Messages that AWS did not accept, which are kept aside.
    pub parked: u64,
    /// Messages accepted since start.
    pub accepted: u64,
    /// Messages acknowledged since start.
    pub acknowledged: u64,
    /// Messages refused since start, because the outbox was full.
    pub refused: u64,
    /// Messages dropped since start, in favour of newer ones or by a purge.
    pub dropped: u64,
    /// Messages dropped since start because of their age.
    pub expired: u64,
    /// Messages of durable subscriptions that were lost since start for lack of space.
    pub inbox_dropped: u64,
    /// Durable subscriptions that no access rule allows any more.
    pub suspended: u64,
    /// Path to which a corrupt database was moved.
    pub set_aside: Option<String>,
}

/// Status fields of this machine's network besides its phase: none.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NetworkDetails {}
