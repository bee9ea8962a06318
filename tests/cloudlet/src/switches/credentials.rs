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
    /// 200 and this body.
    Body(String),
    /// 200 and a body of this many bytes.
    HugeBody(usize),
    /// Bytes that are not HTTP.
    Garbage,
    /// The normal answer, cut in the middle of its body.
    Cut,
    /// The normal answer after a while.
    Slow(Duration),
    /// 302 to this address.
    Redirect(String),
}

/// When issued credentials expire. What they say is so: STS refuses them from then on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// The role alias's duration from now.
    #[default]
    Granted,
    /// This many seconds from now; negative for expired ones.
    Seconds(i64),
    /// The role alias's duration from now, moved by this many seconds, as from a service whose clock is off.
    Skewed(i64),
    /// This text; STS takes them for as long as the role alias grants.
    Malformed(String),
}

/// The Date header of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Date {
    /// AWS's time.
    #[default]
    Right,
    /// These Date header fields; without any, none.
    Fields(Vec<String>),
}

/// Answers and lifetimes, for every role alias or for one.
#[derive(Debug, Clone, Default)]
pub struct CredentialSwitches {
    /// The response for every role alias that has no own one.
    pub answer: Answer,
    /// The Date of every answer.
    pub date: Date,
    /// The lifetime of what every alias issues that has none of its own.
    pub lifetime: Lifetime,
    /// Answers by role alias.
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
