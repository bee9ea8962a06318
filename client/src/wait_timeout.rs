//! The longest wait of a command that has both --wait and --timeout.

use std::time::Duration;

use crate::command_line::Matches;
use crate::exit::Failure;
use crate::words::number;

/// Returns --timeout, or `default` seconds.
///
/// # Errors
/// If it is no number, or was given without --wait.
pub(crate) fn wait_timeout(matches: &Matches, default: u64) -> Result<Duration, Failure> {
    let seconds = matches.value("--timeout");
    if seconds.is_some() && !matches.flag("--wait") {
        return Err(matches.usage_error("--timeout needs --wait"));
    }
    let seconds = seconds.map_or(Ok(default), |word| number("--timeout", word, "seconds"))?;
    Ok(Duration::from_secs(seconds))
}
