//! Device certificates.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::page::{Dialect, page};
use crate::Error;
use crate::account::{Account, Certificate, CertificateId, CertificateMode, CertificateStatus, Refusal};
use crate::json::joined;
use crate::x509::{ParsedCertificate, SigningRequest};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    certificate_pem: String,
    status: Option<CertificateStatus>,
}

pub(super) fn register(call: &Call<'_>) -> Result<Value, Error> {
    register_as(call, initial_status(call.flag("setAsActive")?), true)
}

pub(super) fn register_without_ca(call: &Call<'_>) -> Result<Value, Error> {
    register_as(call, CertificateStatus::Inactive, false)
}

fn register_as(call: &Call<'_>, default: CertificateStatus, needs_ca: bool) -> Result<Value, Error> {
    let body: Registration = call.body()?;
    let status = body.status.unwrap_or(default);
    call.change(|account| {
        let id = account.register_certificate(&body.certificate_pem, status, needs_ca)?;
        Ok(json!({ "certificateArn": arn(account, &id), "certificateId": id }))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningRequestBody {
    certificate_signing_request: String,
}

pub(super) fn create_keys(call: &Call<'_>) -> Result<Value, Error> {
    let created = call.cloud.create_keys_and_certificate(call.flag("setAsActive")?)?;
    // API reference, KeyPair: no client needs the public key, which the certificate also contains.
    let keys = json!({ "PrivateKey": created.private_key });
    call.read_account(|account| {
        Ok(joined(
            created_answer(account, &created.id, &created.certificate),
            json!({ "keyPair": keys }),
        ))
    })
}

pub(super) fn create_from_request(call: &Call<'_>) -> Result<Value, Error> {
    let body: SigningRequestBody = call.body()?;
    let request = SigningRequest::from_pem(&body.certificate_signing_request)?;
    let fleet = call.cloud.switches.get(|switches| switches.fleet.clone());
    let pem = call.cloud.device_authority.sign(&request, &fleet)?;
    let status = initial_status(call.flag("setAsActive")?);
    call.change(|account| {
        let id = account.register_certificate(&pem, status, false)?;
        Ok(created_answer(account, &id, &pem))
    })
}

fn created_answer(account: &Account, id: &CertificateId, pem: &str) -> Value {
    json!({ "certificateArn": arn(account, id), "certificateId": id, "certificatePem": pem })
}

fn initial_status(is_active: bool) -> CertificateStatus {
    match is_active {
        true => CertificateStatus::Active,
        false => CertificateStatus::Inactive,
    }
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let certificate = account.certificate_named(call.resource())?;
        let validity = match &certificate.pem {
            Some(pem) => Some(ParsedCertificate::from_pem(pem.as_bytes())?.validity()),
            None => None,
        };
        let more = json!({
            "caCertificateId": certificate.ca,
            "certificatePem": certificate.pem,
            "ownedBy": account.id(),
            "lastModifiedDate": certificate.modified,
            "customerVersion": 1,
            "validity": validity.map(|(not_before, not_after)| json!({ "notBefore": not_before, "notAfter": not_after })),
        });
        let description = joined(summary(account, certificate), more);
        Ok(json!({ "certificateDescription": description }))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let certificates = call.read_account(|account| {
        let certificates = account.certificates.iter();
        certificates.map(|certificate| summary(account, certificate)).collect()
    });
    page(call, Dialect::Marker, "certificates", certificates)
}

pub(super) fn summary(account: &Account, certificate: &Certificate) -> Value {
    let mode = certificate.ca.as_ref().and_then(|ca| account.cas.get(ca));
    json!({
        "certificateArn": arn(account, &certificate.id),
        "certificateId": certificate.id,
        "status": certificate.status,
        "certificateMode": mode.map_or(CertificateMode::SniOnly, |ca| ca.mode),
        "creationDate": certificate.created,
    })
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Error> {
    let status = match call.query("newStatus") {
        Some("ACTIVE") => CertificateStatus::Active,
        Some("INACTIVE") => CertificateStatus::Inactive,
        Some("REVOKED") => CertificateStatus::Revoked,
        // Callers cannot set PENDING_ACTIVATION and the transfer states (API reference, UpdateCertificate).
        other => return Err(Refusal::invalid(format!("newStatus {:?}", other.unwrap_or_default())).into()),
    };
    let id = named(call)?;
    call.cloud.set_certificate_status(&id, status)?;
    Ok(json!({}))
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    let (id, force) = (named(call)?, call.flag("forceDelete")?);
    call.change(|account| account.certificates.delete(&id, force))?;
    Ok(json!({}))
}

fn named(call: &Call<'_>) -> Result<CertificateId, Error> {
    call.read_account(|account| {
        let certificate = account.certificate_named(call.resource());
        certificate.map(|certificate| certificate.id.clone())
    })
}

/// Returns a certificate's ARN.
pub(super) fn arn(account: &Account, id: &CertificateId) -> String {
    account.iot_arn("cert", id.as_str())
}
