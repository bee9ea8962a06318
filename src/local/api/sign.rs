//! POST /v1/sign: signs a request with AWS Signature Version 4, for a program that has no SDK.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::credentials;
use crate::clock::rfc3339;
use crate::credentials::Credentials;
use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, read_body};
use crate::secret::SecretBody;
use crate::sigv4::{LONGEST_EXPIRY, Request, SigningError};

/// Maximum size of the body. Requests that are signed take a few kilobytes.
const MAX_BODY: usize = 32 * 1024;
/// Maximum number of header fields that are signed. AWS's services read a dozen at most; S3 takes 2 KB of metadata besides.
const MAX_HEADERS: usize = 64;
/// Maximum number of parameters in the URL, which are sorted and encoded again for the signature.
const MAX_PARAMETERS: usize = 128;
/// Cost of a signature, and of each kilobyte that is signed, in requests for credentials that take as long.
const COST: u32 = 8;
const COST_PER_KILOBYTE: u32 = 2;

/// The body: the request that is to be signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignRequest {
    role_alias: Option<String>,
    service: String,
    region: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: Fields,
    payload_hash: Option<String>,
    /// Lifetime of a presigned URL in seconds; without it the header fields are signed.
    expires: Option<u64>,
}

/// Header fields in their order. In JSON they are an object whose values are strings, or lists of strings for a field that is sent
/// several times. A name may also occur several times.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a header field's value is a text, or a list of texts")]
enum FieldValue {
    One(String),
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the header fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = object.next_entry::<String, FieldValue>()? {
                    match value {
                        FieldValue::One(value) => fields.push((name, value)),
                        FieldValue::Several(values) => {
                            fields.extend(values.into_iter().map(|value| (name.clone(), value)));
                        }
                    }
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// The response's body.
#[derive(Serialize)]
#[serde(untagged)]
enum Signed {
    Headers {
        headers: BTreeMap<String, String>,
    },
    Url {
        url: String,
        expires: String,
        /// Explains a lifetime that is shorter than requested.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// Signs a request, if a rule grants `caller` the role alias.
pub async fn post(context: &ApiContext, caller: &Caller, body: Incoming) -> Result<Response, ApiError> {
    // The body names the alias. It is not read for a caller that may have none.
    let alias = context.cache.only_alias().unwrap_or_else(|| "*".to_owned());
    context.authorize_any(caller, Permission::RoleAlias(&alias))?;
    let body = read_body(body, MAX_BODY).await?;
    let to_sign: SignRequest = serde_json::from_slice(&body).map_err(|error| {
        ApiError::malformed(format!("the body does not describe a request: {error}")).hint(
            "a JSON object with service, region, method, url, and perhaps role_alias, headers, payload_hash, expires",
        )
    })?;
    let credentials = credentials::usable_credentials(context, caller, to_sign.role_alias.as_deref())?;
    to_sign.check_size()?;
    let kilobytes = u32::try_from(body.len() / 1024).unwrap_or(u32::MAX);
    let cost = COST.saturating_add(COST_PER_KILOBYTE.saturating_mul(kilobytes));
    context.rate_limiter.charge(caller, cost).await?;
    let signed = to_sign
        .sign(context, &credentials)
        .map_err(|SigningError(reason)| ApiError::malformed(reason))?;
    let json = serde_json::to_vec(&signed)
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
    // A presigned URL contains the session token.
    Ok(http::ok("application/json", SecretBody::new(json).expose()))
}

impl SignRequest {
    /// Bounds the number of fields and parameters, because the signature is made on the thread that serves all callers.
    fn check_size(&self) -> Result<(), ApiError> {
        let parameters = match self.url.split_once('?') {
            Some((_, query)) => query.split('&').count(),
            None => 0,
        };
        for (count, most, what) in [
            (self.headers.0.len(), MAX_HEADERS, "header fields"),
            (parameters, MAX_PARAMETERS, "parameters in its URL"),
        ] {
            if count > most {
                return Err(ApiError::malformed(format!(
                    "the request has {count} {what}, and at most {most} are signed"
                )));
            }
        }
        Ok(())
    }

    fn sign(&self, context: &ApiContext, credentials: &Credentials) -> Result<Signed, SigningError> {
        let request = Request {
            service: &self.service,
            region: &self.region,
            method: &self.method,
            url: &self.url,
            headers: self.headers.0.iter().map(|(name, value)| (&**name, &**value)).collect(),
            payload_hash: self.payload_hash.as_deref(),
        };
        // For an unknown method it is not known whether the request has a body.
        request.check_method()?;
        let without_body = matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE") || self.expires.is_some();
        if self.payload_hash.is_none() && !without_body {
            return Err(SigningError(format!(
                "a {} has a body: payload_hash is needed, its SHA-256 in hex or \"UNSIGNED-PAYLOAD\"",
                self.method
            )));
        }
        let now = context.clock.aws_now();
        match self.expires {
            None => {
                let headers = request.headers(credentials, now)?.into_iter().collect();
                Ok(Signed::Headers { headers })
            }
            Some(seconds) => {
                let expiry = expiry(seconds, credentials.remaining(&*context.clock))?;
                let url = request.presign(credentials, now, expiry)?;
                let end = now.checked_add(expiry).unwrap_or(SystemTime::UNIX_EPOCH);
                let expires = rfc3339(end);
                let note = (expiry.as_secs() < seconds).then(|| {
                    format!(
                        "the URL is good for {} s, not for {seconds} s: the credentials that sign it end at {expires}",
                        expiry.as_secs()
                    )
                });
                Ok(Signed::Url { url, expires, note })
            }
        }
    }
}

/// Returns the lifetime of a URL in whole seconds. It ends with the credentials at the latest.
fn expiry(requested: u64, remaining: Duration) -> Result<Duration, SigningError> {
    let most = LONGEST_EXPIRY.as_secs();
    match (1..=most).contains(&requested) {
        true => Ok(Duration::from_secs(requested.min(remaining.as_secs()))),
        false => Err(SigningError(format!(
            "expires is not between 1 and {most} seconds, which is AWS's limit"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_field_is_lost() {
        let fields = |text: &str| {
            let fields: Result<Fields, _> = serde_json::from_str(text);
            fields.ok().map(|Fields(fields)| {
                let fields = fields.into_iter().map(|(name, value)| format!("{name}:{value}"));
                fields.collect::<Vec<_>>().join(" ")
            })
        };
        for (text, found) in [
            ("{}", Some("")),
            (r#"{"a":"1"}"#, Some("a:1")),
            (r#"{"b":"1","a":"2"}"#, Some("b:1 a:2")),
            (r#"{"a":"1","a":"2"}"#, Some("a:1 a:2")),
            (r#"{"a":"2","b":"3","A":"1"}"#, Some("a:2 b:3 A:1")),
            (r#"{"a":["2","1"]}"#, Some("a:2 a:1")),
            (r#"{"a":[]}"#, Some("")),
            (r#"{"a":1}"#, None),
            (r#"{"a":null}"#, None),
            (r#"{"a":["1",2]}"#, None),
            (r#"["a"]"#, None),
            (r#""a: 1""#, None),
        ] {
            assert_eq!(fields(text).as_deref(), found, "{text}");
        }
    }

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
