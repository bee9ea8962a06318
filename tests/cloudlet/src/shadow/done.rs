//! The outcome of an operation.

use serde_json::Value;

/// The outcome of an operation.
#[derive(Debug)]
pub(crate) struct Done {
    /// The answer to the request.
    pub(crate) accepted: Value,
    /// Messages to the subscribers of the shadow: the end of each topic, and its payload.
    pub(crate) news: Vec<(&'static str, Value)>,
}
