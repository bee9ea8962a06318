//! Messages of AWS fleet provisioning by claim (developer guide, "Device provisioning MQTT API"): builds requests and interprets answers,
//! without input and output.

use std::collections::BTreeMap;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::failure::{Failure, FailureKind};
use crate::config::check_thing_name;
use crate::foreign_text;
use crate::pem_file;
use crate::problem::Problem;

/// The topic for requesting a certificate.
pub const CREATE: &str = "$aws/certificates/create-from-csr/json";
/// Maximum length of a signing request for CreateCertificateFromCsr (API reference).
const MAX_REQUEST: usize = 4096;
/// Maximum number of characters of AWS's message that are shown.
const MAX_WORDS: usize = 200;

/// A step of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Request a certificate.
    Create,
    /// Register it with the template of this name.
    Register(&'a str),
}

/// A certificate that was created, but is not registered yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// The certificate (PEM).
    pub certificate_pem: String,
    /// Its certificate ID at AWS.
    #[serde(default)]
    pub certificate_id: String,
    /// The token that allows registering it, once, within an hour. It is a secret.
    pub certificate_ownership_token: String,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created")
            .field("certificate_id", &self.certificate_id)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    #[serde(default)]
    thing_name: Option<String>,
}

/// The fields of a rejection. All are optional, because AWS's message is only shown.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rejection {
    status_code: u16,
    error_code: String,
    error_message: String,
}

impl Step<'_> {
    /// Returns the topic of the request. Answers arrive on `accepted` and `rejected` below it.
    pub fn topic(self) -> String {
        match self {
            Self::Create => CREATE.to_owned(),
            Self::Register(template) => format!("$aws/provisioning-templates/{template}/provision/json"),
        }
    }

    /// Returns the action that the claim certificate's policy must allow, which is also the step's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CreateCertificateFromCsr",
            Self::Register(_) => "RegisterThing",
        }
    }

    fn next_step(self) -> String {
        match self {
            Self::Create => "look at the AWS side: CloudTrail and the log AWSIotLogsV2 show the refused request; `gatepost csr` prints the \
                             signing request, whose key must be RSA with 2048 bits or more, P-256 or P-384"
                .to_owned(),
            Self::Register(template) => format!(
                "look at the provisioning template {template} at AWS: is it enabled, does its role work, does it declare the parameters in \
                 enrolment.claim.parameters, and does its hook allow this gateway? CloudTrail shows RegisterThing"
            ),
        }
    }
}

/// Builds the request for a certificate.
///
/// # Errors
/// If the signing request is longer than AWS accepts.
pub fn create_payload(csr: &CertificateSigningRequestDer) -> Result<String, Failure> {
    let text = pem_file::encode("CERTIFICATE REQUEST", [csr.as_ref()]);
    if text.len() > MAX_REQUEST {
        let message = format!(
            "the signing request has {} characters, and AWS accepts at most {MAX_REQUEST}",
            text.len()
        );
        return Err(Failure::refused(
            Problem::configuration(message).next("shorten identity.subject, or use a shorter RSA key"),
        ));
    }
    Ok(serde_json::json!({ "certificateSigningRequest": text }).to_string())
}

/// Builds the request to register a certificate. It contains the ownership token.
pub fn register_payload(created: &Created, parameters: &BTreeMap<String, String>) -> Zeroizing<String> {
    let payload = serde_json::json!({
        "certificateOwnershipToken": created.certificate_ownership_token,
        "parameters": parameters,
    });
    Zeroizing::new(payload.to_string())
}

/// Reads the answer that contains the certificate.
///
/// # Errors
/// If the certificate or the token is missing.
pub fn read_created(payload: &[u8]) -> Result<Created, Failure> {
    let created: Option<Created> = serde_json::from_slice(payload).ok();
    let is_whole = |created: &Created| {
        !created.certificate_ownership_token.is_empty() && !certificates(&created.certificate_pem).is_empty()
    };
    created.filter(is_whole).ok_or_else(|| nonsense(Step::Create))
}

/// Parses the certificates in the text that AWS has sent.
pub fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .filter_map(Result::ok)
        .collect()
}

/// Reads the thing name from the answer of `template`; `None` if the template creates no thing.
///
/// # Errors
/// If the answer is malformed, or the name is not a valid thing name.
pub fn read_registered(payload: &[u8], template: &str) -> Result<Option<String>, Failure> {
    let step = Step::Register(template);
    let registered: Registered = serde_json::from_slice(payload).map_err(|_| nonsense(step))?;
    match registered.thing_name {
        None => Ok(None),
        Some(name) if check_thing_name(&name).is_ok() => Ok(Some(name)),
        Some(_) => Err(nonsense(step)),
    }
}

/// Returns whether a rejection says that the ownership token is invalid or has expired. A new certificate must then be created.
pub fn is_token_rejected(payload: &[u8]) -> bool {
    let rejection: Rejection = serde_json::from_slice(payload).unwrap_or_default();
    rejection.error_code == "InvalidCertificateOwnershipToken"
}

/// Returns the failure that a rejection means.
pub fn read_rejection(step: Step, payload: &[u8]) -> Failure {
    let rejection: Rejection = serde_json::from_slice(payload).unwrap_or_default();
    let kind = match rejection.status_code {
        401 | 403 => FailureKind::Unauthorized,
        408 | 409 | 429 | 500..=599 => FailureKind::Unavailable,
        _ => FailureKind::Refused,
    };
    let message = format!("AWS rejects {}{}", step.name(), words(&rejection));
    let problem = match kind {
        FailureKind::Unavailable => Problem::wait(message),
        _ => Problem::configuration(message).next(step.next_step()),
    };
    Failure::new(kind, problem)
}

/// Returns AWS's message, made safe to show.
fn words(rejection: &Rejection) -> String {
    let text = format!("{} {}", rejection.error_code, rejection.error_message);
    let short: String = text.trim().chars().take(MAX_WORDS).collect();
    match (rejection.status_code, foreign_text::may_be_secret(&short)) {
        (0, _) => String::new(),
        (status, true) => format!(" ({status})"),
        (status, false) if short.is_empty() => format!(" ({status})"),
        (status, false) => format!(" ({status}: {})", foreign_text::clean(short)),
    }
}

fn nonsense(step: Step) -> Failure {
    let message = format!("AWS answered {} with something that cannot be read", step.name());
    let problem = Problem::wait(message).next("check whether another broker answers in AWS's place");
    Failure::new(FailureKind::Unavailable, problem)
}

#[cfg(test)]
mod tests;
