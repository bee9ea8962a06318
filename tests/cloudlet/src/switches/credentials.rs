//! Faults of the credentials provider.

use std::collections::HashMap;
use std::time::Duration;

/// The response of the credentials provider to an accepted certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Answer {
    /// AWS's response.
    #[default]
    Normal,
    /// This status and body.
    Status(u16, String),
    /// Status 200 and this body.
    Body(String),
    /// Status 200 and a body of this many bytes.
    HugeBody(usize),
    /// Bytes that are not HTTP.
    Garbage,
    /// AWS's response, cut off in the middle of its body.
    Cut,
    /// AWS's response after a delay.
    Slow(Duration),
    /// Status 302 to this address.
    Redirect(String),
}

/// When issued credentials expire. STS refuses them from then on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// After the role alias's duration.
    #[default]
    Granted,
    /// After this many seconds; negative for expired ones.
    Seconds(i64),
    /// After the role alias's duration, shifted by this many seconds, as from a service whose clock is wrong.
    Skewed(i64),
    /// An expiration with this text. STS accepts the credentials for the role alias's duration.
    Malformed(String),
}

/// The Date header of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Date {
    /// AWS's time.
    #[default]
    Right,
    /// These Date header fields; if empty, there is none.
    Fields(Vec<String>),
}

/// Responses and lifetimes, for all role aliases or for one.
#[derive(Debug, Clone, Default)]
pub struct CredentialSwitches {
    /// The response for role aliases that have no response of their own.
    pub answer: Answer,
    /// The Date of all responses.
    pub date: Date,
    /// The lifetime of credentials of role aliases that have no lifetime of their own.
    pub lifetime: Lifetime,
    /// Responses by role alias.
    pub answer_of: HashMap<String, Answer>,
    /// Lifetimes by role alias.
    pub lifetime_of: HashMap<String, Lifetime>,
}

impl CredentialSwitches {
    pub(crate) fn answer_for(&self, alias: &str) -> Answer {
        self.answer_of.get(alias).unwrap_or(&self.answer).clone()
    }

    pub(crate) fn lifetime_for(&self, alias: &str) -> Lifetime {
        self.lifetime_of.get(alias).unwrap_or(&self.lifetime).clone()
    }
}
