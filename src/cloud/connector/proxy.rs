//! A tunnel through an HTTP proxy (CONNECT). The host name goes to the proxy, so this machine needs no name service for it, and TLS goes
//! through the tunnel unopened.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::{Parsed, parse};
use super::problems::{Cause, problem};
use super::race;
use crate::cloud::secret_file::SecretFile;
use crate::config;
use crate::problem::Problem;
use crate::secret::ExposeSecret as _;

/// The name under which systemd hands the password over (`LoadCredential=proxy-secret:...`).
const SYSTEMD_CREDENTIAL: &str = "proxy-secret";
/// Time limit of the answer to CONNECT. A proxy answers once it is connected, which may take it several attempts; squid gives up after
/// a minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes read at once.
const READ_SIZE: usize = 4096;

/// A proxy, and what it is told about this gateway.
#[derive(Debug)]
pub(super) struct ProxyTunnels {
    settings: config::Proxy,
    secret: SecretFile,
}

impl ProxyTunnels {
    pub(super) fn new(settings: &config::Proxy, credentials: Option<&std::path::Path>) -> Self {
        Self {
            secret: SecretFile::new(settings.secret_file.as_deref(), credentials, SYSTEMD_CREDENTIAL),
            settings: settings.clone(),
        }
    }

    pub(super) fn settings(&self) -> &config::Proxy {
        &self.settings
    }

    /// Opens a tunnel to a host.
    pub(super) async fn open(&self, host: &str, port: u16) -> Result<TcpStream, Problem> {
        // An IPv6 address stands in brackets (RFC 9110, 9.3.6).
        let target = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let request = self.request(&target)?;
        let failed = |cause: Cause| problem(&self.settings, &target, cause);
        let config::ProxyAddress { host, port } = &self.settings.address;
        let connected = race::connect(host, *port).await;
        let mut stream = connected.map_err(|error| failed(Cause::Unreachable(&error)))?;
        let answered = timeout(ANSWER_TIMEOUT, exchange(&mut stream, &request)).await;
        match answered {
            Err(_) => Err(failed(Cause::Silent(ANSWER_TIMEOUT))),
            Ok(Err(error)) => Err(failed(Cause::Broken(&error))),
            Ok(Ok(parsed)) => match parsed {
                Parsed::Open => Ok(stream),
                Parsed::Incomplete => Err(failed(Cause::Closed)),
                Parsed::Refused(refusal) => Err(failed(Cause::Refused(&refusal))),
                Parsed::NotATunnel(status) => Err(failed(Cause::NotATunnel(status))),
                Parsed::Malformed(fault) => Err(failed(Cause::Malformed(fault))),
            },
        }
    }

    /// Makes the request, which is wiped when it has been sent. The password is read each time, so that a new one is used at once.
    fn request(&self, target: &str) -> Result<Zeroizing<String>, Problem> {
        let agent = env!("CARGO_PKG_VERSION");
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: gatepost/{agent}\r\n");
        let mut request = Zeroizing::new(String::with_capacity(head.len() + 4096));
        request.push_str(&head);
        if let Some(user) = &self.settings.user {
            let secret = self
                .secret
                .read()
                .map_err(|why| problem(&self.settings, target, Cause::NoPassword(&why)))?;
            let plain = Zeroizing::new(format!("{user}:{}", secret.expose_secret()));
            request.push_str("Proxy-Authorization: Basic ");
            STANDARD.encode_string(plain.as_bytes(), &mut request);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Ok(request)
    }
}

/// Sends the request and reads the answer, up to the tunnel's first byte or the end of the connection.
async fn exchange(stream: &mut TcpStream, request: &str) -> std::io::Result<Parsed> {
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::with_capacity(READ_SIZE);
    loop {
        received.reserve(READ_SIZE);
        let read = stream.read_buf(&mut received).await?;
        let parsed = parse(&received);
        if parsed != Parsed::Incomplete || read == 0 {
            return Ok(parsed);
        }
    }
}

#[cfg(test)]
mod tests;
