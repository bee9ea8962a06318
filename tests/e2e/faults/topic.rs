//! The topics of these tests.

use crate::support::THING;

/// Returns the prefix of the topics of published messages. The gateway's own health reports have another one.
pub(super) fn topic_prefix() -> String {
    format!("{THING}/data/")
}
