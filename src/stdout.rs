//! Prints the results of commands.

use std::io::Write as _;

use crate::problem::Fatal;

/// Prints `text` to standard output. A reader that has closed its end early is not an error.
///
/// # Errors
/// Never. The return type is that of the commands, which end with this call.
pub fn print(text: &str) -> Result<(), Fatal> {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
