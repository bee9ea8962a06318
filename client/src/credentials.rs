//! `gatepost credentials`: the credential_process of SDKs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::{daemon, output, percent};

/// Members that the SDKs read (AWS SDKs and Tools Reference Guide, "Process credential provider"). Without the last two they would sign
/// wrongly, or never refresh.
const REQUIRED: [&str; 4] = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];

/// Prints the credentials of a role alias, or of the default one.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let (body, _) = ask(socket, matches.operand(0))?;
    output::print(&one_line(&body))
}

/// Requests the credentials of a role alias; returns the response unchanged and parsed.
pub(crate) fn ask(socket: &Path, alias: Option<&OsStr>) -> Result<(Vec<u8>, Value), Failure> {
    let body = daemon::get(socket, &target("/v1/credentials", alias))?;
    let document = Value::parse(&body).map_err(daemon::not_gatepost)?;
    if document.get("Version").whole_number() != Some(1) {
        return Err(daemon::not_gatepost("\"Version\" is not the number 1"));
    }
    if let Some(missing) = REQUIRED
        .iter()
        .find(|name| document.get(name).text().is_none_or(str::is_empty))
    {
        return Err(daemon::not_gatepost(format!("{missing:?} is missing")));
    }
    Ok((body, document))
}

/// Returns the same JSON in one line. A line break inside a string would have been refused, so all others are white space.
fn one_line(body: &[u8]) -> Vec<u8> {
    let space = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
    let mut line: Vec<u8> = body.trim_ascii().iter().map(space).collect();
    line.push(b'\n');
    line
}

/// Returns the path of a role alias, or of the default one, below `resource`.
pub(crate) fn target(resource: &str, alias: Option<&OsStr>) -> String {
    match alias {
        Some(alias) => format!("{resource}/{}", percent::encode(alias.as_bytes())),
        None => resource.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn any_answer_becomes_one_line() {
        assert_eq!(one_line(b"{\r\n \"a\": \"b\\n\"\n}\n\n"), b"{   \"a\": \"b\\n\" }\n");
    }
}
