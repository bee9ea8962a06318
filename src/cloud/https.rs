//! HTTPS requests: the settings that all clients share, and bodies of bounded size.

use reqwest::{Client, ClientBuilder, Response, redirect};
use rustls::ClientConfig;
use zeroize::Zeroizing;

/// Capacity of a body at first. Up to this size nothing is copied, so that wiping the body leaves no second copy of a secret.
const INITIAL_CAPACITY: usize = 16 * 1024;

/// Returns the builder of a client with this TLS configuration. Timeouts are the caller's.
pub fn client_builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        // A redirect would give another origin what is meant for this one.
        .redirect(redirect::Policy::none())
        // The environment does not decide where secrets go.
        .no_proxy()
        .http1_only()
}

/// Error while reading the body of a response.
#[derive(Debug)]
pub enum BodyError {
    /// The body is larger than the limit.
    TooLarge,
    /// The connection failed before the body's end.
    Broken(reqwest::Error),
}

/// Reads the body of a response, up to `limit` bytes.
///
/// # Errors
/// If the body is larger, or ends early. The rest of a larger body is not read.
pub async fn read_body(response: &mut Response, limit: usize) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    let mut body = Zeroizing::new(Vec::with_capacity(limit.min(INITIAL_CAPACITY)));
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
