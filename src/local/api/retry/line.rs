//! The response to a retry request: the outcome for each part.

use serde::Serialize;

/// Result of a retry request for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::local::api) enum Outcome {
    /// The next attempt starts now.
    Woken,
    /// An attempt is in progress.
    Busy,
    /// There is nothing to try.
    Nothing,
    /// An attempt is not permitted.
    Impossible,
}

/// The outcome for one part.
#[derive(Debug, Serialize)]
pub(in crate::local::api) struct Line {
    pub(in crate::local::api) part: &'static str,
    pub(in crate::local::api) name: Option<String>,
    pub(in crate::local::api) outcome: Outcome,
    pub(in crate::local::api) message: String,
}

/// The response's body.
#[derive(Serialize)]
pub(in crate::local::api) struct Document {
    pub(in crate::local::api) parts: Vec<Line>,
}

impl Line {
    /// Creates the line of a part. `name` is the role alias or the audience, for parts that exist several times.
    pub(super) fn new(part: &'static str, name: Option<String>, (outcome, message): (Outcome, String)) -> Self {
        Self {
            part,
            name,
            outcome,
            message,
        }
    }
}
