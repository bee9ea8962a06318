//! `gatepost csr`: the certificate signing request.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::command_line::Matches;
use crate::exit::{Exit, Failure};
use crate::http::Request;
use crate::{daemon, output};

/// Time limit for the daemon to create it: a TPM takes seconds for an EC key, and for an RSA key sometimes minutes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints the request, after checking its form: the output goes to a certificate authority.
pub(crate) fn run(socket: &Path, _: &Matches) -> Result<Exit, Failure> {
    let body = wait(socket)?;
    let text = body.trim_ascii();
    let begins = text.starts_with(b"-----BEGIN CERTIFICATE REQUEST-----\n");
    let ends = text.ends_with(b"\n-----END CERTIFICATE REQUEST-----");
    match begins && ends && text.is_ascii() {
        true => output::print(&[text, b"\n"].concat()),
        false => Err(daemon::not_gatepost("no PEM certificate signing request")),
    }
}

/// Repeats the query while the daemon is creating the request: people want it right after the first start.
fn wait(socket: &Path) -> Result<Vec<u8>, Failure> {
    let until = Instant::now() + PATIENCE;
    let mut connection = daemon::Connection::to(socket);
    let mut told = false;
    loop {
        let response = connection.ask(Request::get("/v1/csr").keep_open(), daemon::QUICK)?;
        if response.status == 200 {
            return Ok(response.body);
        }
        let again = Duration::from_secs(response.retry_after.unwrap_or(1).into());
        if !daemon::is_coming(&response) || Instant::now() + again > until {
            return Err(daemon::refusal(&response));
        }
        if !told {
            output::note("the signing request is being made; waiting for it");
            told = true;
        }
        sleep(again);
    }
}
