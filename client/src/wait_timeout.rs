//! The time limit of commands that have both --wait and --timeout.

use std::time::Duration;

use crate::command_line::Matches;
use crate::exit::Failure;
use crate::words::number;

/// Returns the value of --timeout, or `default` seconds.
///
/// # Errors
/// If it is not a number, or was given without --wait.
pub(crate) fn wait_timeout(matches: &Matches, default: u64) -> Result<Duration, Failure> {
    let seconds = matches.value("--timeout");
    if seconds.is_some() && !matches.flag("--wait") {
        return Err(matches.usage_error("--timeout needs --wait"));
    }
    let seconds = seconds.map_or(Ok(default), |word| number("--timeout", word, "seconds"))?;
    Ok(Duration::from_secs(seconds))
}
