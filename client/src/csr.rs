//! `gatepost csr`: the certificate signing request.

use std::path::Path;

use crate::exit::{Exit, Failure};
use crate::{daemon, output};

/// Prints the request, once it looks like one: what is printed here goes to a certificate authority.
pub(crate) fn run(socket: &Path) -> Result<Exit, Failure> {
    let body = daemon::get(socket, "/v1/csr")?;
    let text = body.trim_ascii();
    let begins = text.starts_with(b"-----BEGIN CERTIFICATE REQUEST-----\n");
    let ends = text.ends_with(b"\n-----END CERTIFICATE REQUEST-----");
    match begins && ends && text.is_ascii() {
        true => output::print(&[text, b"\n"].concat()),
        false => Err(daemon::not_gatepost("no PEM certificate signing request")),
    }
}
