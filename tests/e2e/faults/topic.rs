//! The topics of these tests.

use crate::support::THING;

/// What is published has topics that begin so; the gateway's own health reports have not.
pub(super) fn topic_prefix() -> String {
    format!("{THING}/data/")
}
