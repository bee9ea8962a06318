//! The topics of these tests.

use crate::support::THING;

/// Returns the prefix of the topics of programs that publish. The gateway's own health reports have another one.
pub(super) fn topic_prefix() -> String {
    format!("{THING}/data/")
}

/// The prefix of what sensors behind a bridge publish, as AWS sees it.
pub(super) fn sensor_prefix() -> String {
    format!("{THING}/sensors/")
}

/// The prefix of what comes from AWS.
pub(super) fn command_prefix() -> String {
    format!("{THING}/commands/")
}
