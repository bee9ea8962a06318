//! `gatepost env`: what an SDK's container provider must find in its environment.

use std::path::Path;

use crate::command_line::Matches;
use crate::credentials::target;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::{daemon, output};

/// The daemon's names and the SDKs' (AWS SDKs and Tools Reference Guide, "Container credential provider").
const SETTINGS: [(&str, &str); 2] = [
    ("uri", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ("token_file", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
];

/// Prints the settings as a shell takes them.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let body = daemon::get(socket, &target("/v1/loopback", matches.operand(0)))?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    let mut lines = String::new();
    for (name, variable) in SETTINGS {
        let value = document.get(name).text();
        let value = value.ok_or_else(|| daemon::not_gatepost(format!("{name:?} is missing")))?;
        lines.push_str(&format!("export {variable}={}\n", quoted(value)));
    }
    output::print(lines.as_bytes())
}

/// As one word of a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        for word in ["/run/gatepost/loopback/user-camera", "a b$(c)`d`\"", "it's"] {
            let line = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
