//! Parses the signature of a request, from its Authorization header or the query of a presigned URL.

use std::collections::HashMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::refusal::{Code, Refusal};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// X-Amz-Date: ISO 8601's basic form, always UTC.
pub(super) const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// The credential scope of a signature: key, date, Region and service.
pub(super) struct Scope {
    pub(super) access_key_id: String,
    pub(super) date: String,
    pub(super) region: String,
    pub(super) service: String,
    pub(super) terminator: String,
}

/// The signature, and everything that is needed to verify it.
pub(super) struct Claim {
    pub(super) scope: Scope,
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: Vec<u8>,
    /// X-Amz-Date as written, and as a time.
    pub(super) timestamp: String,
    pub(super) signed_at: OffsetDateTime,
    /// X-Amz-Expires: the lifetime of a presigned URL.
    pub(super) lifetime: Option<Duration>,
    pub(super) session_token: Option<String>,
}

impl Claim {
    /// Parses the signature in either form.
    pub(super) fn read(request: &Parts) -> Result<Self, Refusal> {
        let query: HashMap<String, String> = form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());

        match (request.headers.get(AUTHORIZATION), query.get("X-Amz-Algorithm")) {
            (None, None) => Err(Refusal::new(
                Code::MissingAuthenticationToken,
                "Request is missing Authentication Token",
            )),
            (Some(_), Some(_)) => Err(Refusal::incomplete(
                "Only one way of authentication may be used per request",
            )),
            (Some(value), None) => {
                let value = value
                    .to_str()
                    .map_err(|_| Refusal::incomplete("Authorization header is not ASCII"))?;
                let fields = authorization_fields(value)?;
                let field = |name: &str| {
                    let missing = || Refusal::incomplete(format!("Authorization header requires '{name}' parameter."));
                    fields.get(name).copied().ok_or_else(missing)
                };
                let date = header("x-amz-date").ok_or_else(|| {
                    Refusal::incomplete("Authorization header requires existence of a 'X-Amz-Date' header.")
                })?;
                let token = header("x-amz-security-token");
                Self::assemble(
                    field("Credential")?,
                    field("SignedHeaders")?,
                    field("Signature")?,
                    date,
                    None,
                    token,
                )
            }
            (None, Some(algorithm)) => {
                let field = |name: &str| {
                    let missing = || {
                        Refusal::incomplete(format!(
                            "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
                        ))
                    };
                    query.get(name).map(String::as_str).ok_or_else(missing)
                };
                check_algorithm(algorithm)?;
                let lifetime = query.get("X-Amz-Expires").map(|seconds| {
                    let seconds = seconds
                        .parse()
                        .map_err(|_| Refusal::incomplete("X-Amz-Expires should be a number"));
                    seconds.map(Duration::from_secs)
                });
                let token = query.get("X-Amz-Security-Token").map(String::as_str);
                let (credential, headers) = (field("X-Amz-Credential")?, field("X-Amz-SignedHeaders")?);
                let (signature, date) = (field("X-Amz-Signature")?, field("X-Amz-Date")?);
                Self::assemble(credential, headers, signature, date, lifetime.transpose()?, token)
            }
        }
    }

    fn assemble(
        credential: &str,
        signed_headers: &str,
        signature: &str,
        timestamp: &str,
        lifetime: Option<Duration>,
        session_token: Option<&str>,
    ) -> Result<Self, Refusal> {
        let signed_at = PrimitiveDateTime::parse(timestamp, TIMESTAMP)
            .map_err(|_| Refusal::incomplete("Date must be in ISO-8601 'basic format'."))?
            .assume_utc();
        // A signature that is not 64 hexadecimal digits can never match.
        let signature = HEXLOWER
            .decode(signature.as_bytes())
            .map_err(|_| Refusal::wrong_signature())?;
        Ok(Self {
            scope: Scope::read(credential)?,
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature,
            timestamp: timestamp.to_owned(),
            signed_at,
            lifetime,
            session_token: session_token.map(str::to_owned),
        })
    }
}

impl Scope {
    fn read(credential: &str) -> Result<Self, Refusal> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, terminator] = parts.try_into().map_err(|_| {
            Refusal::incomplete(
                "Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/term",
            )
        })?;
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            terminator: terminator.to_owned(),
        })
    }
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
fn authorization_fields(value: &str) -> Result<HashMap<&str, &str>, Refusal> {
    let (algorithm, fields) = value.trim().split_once(' ').unwrap_or((value, ""));
    check_algorithm(algorithm)?;
    fields
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
        .map(|field| {
            field.split_once('=').ok_or_else(|| {
                Refusal::incomplete("Not a valid key=value pair (missing equal-sign) in Authorization header.")
            })
        })
        .collect()
}

fn check_algorithm(algorithm: &str) -> Result<(), Refusal> {
    match algorithm == ALGORITHM {
        true => Ok(()),
        false => Err(Refusal::incomplete(format!(
            "Unsupported AWS 'algorithm': only {ALGORITHM} is taken."
        ))),
    }
}
