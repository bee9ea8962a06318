//! POST /v1/sign: AWS Signature Version 4 for a program that has no SDK.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::super::answer::{self, Answer, Refusal};
use super::super::body;
use super::super::caller::Caller;
use super::super::view::Shared;
use super::credentials;
use crate::clock::rfc3339;
use crate::credentials::Credentials;
use crate::secret::SecretBody;
use crate::sigv4::{LONGEST_EXPIRY, Request, Unsignable};

/// A request's body: what may be signed fits into a few kilobytes.
const MAX_BODY: usize = 32 * 1024;
/// Header fields that are signed. AWS's services read a dozen at most; S3 takes 2 KB of metadata besides.
const MAX_HEADERS: usize = 64;
/// Parameters of the URL, which are sorted and encoded anew for the signature.
const MAX_PARAMETERS: usize = 128;
/// How many requests for credentials take as long as a signature does, and each further kilobyte of what is signed.
const TURNS: u32 = 8;
const TURNS_PER_KILOBYTE: u32 = 2;

/// What is to be signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    role_alias: Option<String>,
    service: String,
    region: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    payload_hash: Option<String>,
    /// Seconds; a presigned URL is wanted.
    expires: Option<u64>,
}

/// What a caller gets.
#[derive(Serialize)]
#[serde(untagged)]
enum Signed {
    Headers { headers: BTreeMap<String, String> },
    Url { url: String, expires: String },
}

/// The signature, if a rule gives `caller` the role alias.
pub async fn post(shared: &Shared, caller: &Caller, body: Incoming) -> Result<Answer, Refusal> {
    let body = body::read(body, MAX_BODY).await?;
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| {
        Refusal::malformed(format!("the body is not what is to be signed: {error}")).hint(
            "a JSON object with service, region, method, url, and perhaps role_alias, headers, payload_hash, expires",
        )
    })?;
    let credentials = credentials::given(shared, caller, wanted.role_alias.as_deref())?;
    wanted.check_size()?;
    let kilobytes = u32::try_from(body.len() / 1024).unwrap_or(u32::MAX);
    let turns = TURNS.saturating_add(TURNS_PER_KILOBYTE.saturating_mul(kilobytes));
    shared.pace.charge(caller, turns).await?;
    let signed = wanted
        .sign(shared, &credentials)
        .map_err(|Unsignable(why)| Refusal::malformed(why))?;
    let json = serde_json::to_vec(&signed)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
    // The session token is in it.
    Ok(answer::ok("application/json", SecretBody::new(json).expose()))
}

impl Wanted {
    /// A signature takes the one thread that answers everybody, so what it is made of is bounded.
    fn check_size(&self) -> Result<(), Refusal> {
        let parameters = match self.url.split_once('?') {
            Some((_, query)) => query.split('&').count(),
            None => 0,
        };
        for (count, most, what) in [
            (self.headers.len(), MAX_HEADERS, "header fields"),
            (parameters, MAX_PARAMETERS, "parameters in its URL"),
        ] {
            if count > most {
                return Err(Refusal::malformed(format!(
                    "the request has {count} {what}, and {most} are the most that is signed"
                )));
            }
        }
        Ok(())
    }

    fn sign(&self, shared: &Shared, credentials: &Credentials) -> Result<Signed, Unsignable> {
        let without_body = matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE") || self.expires.is_some();
        if self.payload_hash.is_none() && !without_body {
            return Err(Unsignable(format!(
                "a {} has a body: payload_hash is needed, its SHA-256 in hex or \"UNSIGNED-PAYLOAD\"",
                self.method
            )));
        }
        let request = Request {
            service: &self.service,
            region: &self.region,
            method: &self.method,
            url: &self.url,
            headers: self.headers.iter().map(|(name, value)| (&**name, &**value)).collect(),
            payload_hash: self.payload_hash.as_deref(),
        };
        let now = shared.clock.wall();
        match self.expires {
            None => {
                let headers = request.headers(credentials, now)?.into_iter().collect();
                Ok(Signed::Headers { headers })
            }
            Some(seconds) => {
                let expiry = expiry(seconds, credentials.remaining(&*shared.clock))?;
                let url = request.presigned(credentials, now, expiry)?;
                let end = now.checked_add(expiry).unwrap_or(SystemTime::UNIX_EPOCH);
                let expires = rfc3339(end);
                Ok(Signed::Url { url, expires })
            }
        }
    }
}

/// How long a URL is good for: no longer than the credentials, and in whole seconds.
fn expiry(wanted: u64, remaining: Duration) -> Result<Duration, Unsignable> {
    let most = LONGEST_EXPIRY.as_secs();
    match (1..=most).contains(&wanted) {
        true => Ok(Duration::from_secs(wanted.min(remaining.as_secs()))),
        false => Err(Unsignable(format!(
            "expires is not between 1 and {most} seconds, which is AWS's limit"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_never_outlives_its_credentials() {
        let hour = Duration::from_secs(3600);
        for (wanted, remaining, given) in [
            (60, hour, Some(60)),
            (3600, hour, Some(3600)),
            (7200, hour, Some(3600)),
            (7200, hour - Duration::from_millis(1), Some(3599)),
            (604_800, 200 * hour, Some(604_800)),
            (604_801, 200 * hour, None),
            (0, hour, None),
        ] {
            let expiry = expiry(wanted, remaining).ok().map(|expiry| expiry.as_secs());
            assert_eq!(expiry, given, "{wanted} s of {remaining:?}");
        }
    }
}
