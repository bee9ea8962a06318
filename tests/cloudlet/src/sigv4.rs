//! Verifies Signature Version 4: whether a request was signed with credentials that were issued.
//!
//! The algorithm is from the IAM User Guide, "Create a signed AWS API request". The error messages are from its page "Troubleshoot signed
//! requests for AWS APIs", and from what users see from STS.

mod canonical;
mod claim;
mod refusal;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::http::request::Parts;
use ring::hmac::{self, HMAC_SHA256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

pub use refusal::{Code, Refusal};

use crate::access_keys::{AccessKey, AccessKeys};
use claim::{Claim, Scope, TIMESTAMP};

/// Maximum clock skew of the signer ("Signature expired: … - 5 min." in STS's messages).
const SKEW: Duration = Duration::from_secs(5 * 60);
/// Maximum lifetime of a presigned URL (IAM User Guide, "Add the signature to the request": X-Amz-Expires).
const LONGEST_PRESIGNED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Returns the signing name in the scope of a request's signature, such as `sts`, which selects the service on an endpoint with several
/// services. It is not checked here; `None` if the request is not signed or its signature cannot be parsed.
pub fn service_of(request: &Parts) -> Option<String> {
    Claim::read(request).ok().map(|claim| claim.scope.service)
}

/// The scope that signatures must have.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The signing name, such as `sts`.
    pub service: String,
    /// The region that is served; `None` for any well-formed one.
    pub region: Option<String>,
}

/// Verifies the signature of a request (headers or presigned URL) and returns the access key that signed it.
pub fn verify(
    request: &Parts,
    body: &[u8],
    endpoint: &Endpoint,
    keys: &AccessKeys,
    now: SystemTime,
) -> Result<Arc<AccessKey>, Refusal> {
    let claim = Claim::read(request)?;
    check(&claim, request, body, endpoint, keys, now).map_err(|refusal| refusal.of(&claim.scope.access_key_id))
}

fn check(
    claim: &Claim,
    request: &Parts,
    body: &[u8],
    endpoint: &Endpoint,
    keys: &AccessKeys,
    now: SystemTime,
) -> Result<Arc<AccessKey>, Refusal> {
    let key = keys
        .get(&claim.scope.access_key_id)
        .ok_or_else(Refusal::unknown_credentials)?;
    check_scope(&claim.scope, &claim.timestamp, endpoint)?;
    check_time(claim, now)?;

    // Temporary credentials without their session token, or with another one, are invalid.
    let token = claim.session_token.as_deref().unwrap_or_default();
    let expected = key.session_token.as_deref().unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(expected.as_bytes())) {
        return Err(Refusal::unknown_credentials());
    }
    if key.expires.is_some_and(|expires| now >= expires) {
        return Err(Refusal::new(
            Code::ExpiredToken,
            "The security token included in the request is expired",
        ));
    }

    let string_to_sign = canonical::string_to_sign(request, body, claim)?;
    let signing_key = signing_key(&key.secret, &claim.scope);
    // Compares in constant time.
    hmac::verify(&signing_key, string_to_sign.as_bytes(), &claim.signature).map_err(|_| Refusal::wrong_signature())?;
    Ok(key)
}

fn check_scope(scope: &Scope, timestamp: &str, endpoint: &Endpoint) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(Code::SignatureDoesNotMatch, message));
    let date_of_timestamp = timestamp.get(..8).unwrap_or_default();
    if scope.terminator != "aws4_request" {
        let terminator = &scope.terminator;
        refuse(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator}'."
        ))
    } else if scope.service != endpoint.service {
        refuse(format!(
            "Credential should be scoped to correct service: '{}'. ",
            endpoint.service
        ))
    } else if !region_is_served(&scope.region, endpoint) {
        let valid = endpoint
            .region
            .as_ref()
            .map(|region| format!("This endpoint's is '{region}'. "));
        refuse(format!(
            "Credential should be scoped to a valid region, not '{}'. {}",
            scope.region,
            valid.unwrap_or_default()
        ))
    } else if scope.date != date_of_timestamp {
        refuse(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{}' != '{date_of_timestamp}', from '{timestamp}'.",
            scope.date
        ))
    } else {
        Ok(())
    }
}

fn region_is_served(region: &str, endpoint: &Endpoint) -> bool {
    match &endpoint.region {
        Some(served) => region == served,
        None => is_region(region),
    }
}

/// Returns whether the text looks like a Region's name (us-east-2, ap-southeast-4, us-gov-west-1): words, then a number.
pub fn is_region(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(words, number)| {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        words.contains('-') && words.split('-').all(word) && number.parse::<u8>().is_ok()
    })
}

fn check_time(claim: &Claim, now: SystemTime) -> Result<(), Refusal> {
    let now = OffsetDateTime::from(now);
    let shown = |time: OffsetDateTime| time.format(TIMESTAMP).unwrap_or_default();
    let signed = claim.signed_at;
    if signed > now + SKEW {
        return Err(Refusal::new(
            Code::SignatureDoesNotMatch,
            format!(
                "Signature not yet current: {} is still later than {} ({} + 5 min.)",
                claim.timestamp,
                shown(now + SKEW),
                shown(now)
            ),
        ));
    }
    match claim.lifetime {
        Some(lifetime) if lifetime > LONGEST_PRESIGNED => Err(Refusal::new(
            Code::IncompleteSignature,
            "X-Amz-Expires must be less than a week (in seconds)",
        )),
        Some(lifetime) if signed + lifetime <= now => Err(Refusal::new(Code::RequestExpired, "Request has expired.")),
        None if signed < now - SKEW => Err(Refusal::new(
            Code::SignatureDoesNotMatch,
            format!(
                "Signature expired: {} is now earlier than {} ({} - 5 min.)",
                claim.timestamp,
                shown(now - SKEW),
                shown(now)
            ),
        )),
        _ => Ok(()),
    }
}

fn signing_key(secret_access_key: &str, scope: &Scope) -> hmac::Key {
    let first = hmac::Key::new(HMAC_SHA256, format!("AWS4{secret_access_key}").as_bytes());
    [&scope.date, &scope.region, &scope.service, &scope.terminator]
        .into_iter()
        .fold(first, |key, part| {
            hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        })
}

#[cfg(test)]
mod tests;
