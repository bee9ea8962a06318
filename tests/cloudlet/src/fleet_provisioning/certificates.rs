//! Certificates that AWS IoT issues itself: for a signing request, or with a key that it creates.

use serde::Deserialize;
use serde_json::{Value, json};

use super::expiry::expire_tokens;
use super::function;
use super::rejection::Rejection;
use crate::account::{CertificateId, CertificateStatus};
use crate::device_services::Request;
use crate::json::joined;
use crate::x509::{ParsedCertificate, SigningRequest};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    certificate_signing_request: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Provided {
    certificate_pem: String,
}

/// CreateKeysAndCertificate. The request has no body.
pub(super) fn create_keys(request: &Request) -> Result<Value, Rejection> {
    let fleet = request.cloud.switches.get(|switches| switches.fleet.clone());
    let (pem, key) = request.cloud.device_authority.create_keys(&fleet)?;
    Ok(joined(keep(request, &pem)?, json!({ "privateKey": key })))
}

/// CreateCertificateFromCsr, by AWS's own CA or the account's certificate provider.
pub(super) async fn create_from_request(request: &Request) -> Result<Value, Rejection> {
    let body: Body = serde_json::from_slice(&request.payload)
        .map_err(|_| Rejection::invalid_payload("The payload has no certificateSigningRequest"))?;
    let text = &body.certificate_signing_request;
    let parsed = SigningRequest::from_pem(text)?;
    let fleet = request.cloud.switches.get(|switches| switches.fleet.clone());
    let pem = match &fleet.certificate_provider {
        None => request.cloud.device_authority.sign(&parsed, &fleet)?,
        Some(provider) => {
            let event = json!({
                "certificateSigningRequest": text,
                "principalId": request.certificate.as_str(),
                "clientId": request.client_id,
            });
            let result = function::invoke(&request.cloud, provider, &event).await;
            let provided = result
                .ok()
                .and_then(|result| serde_json::from_value::<Provided>(result).ok());
            let refuse = || Rejection::new(500, "InternalFailure", "The certificate provider gave no certificate");
            provided.ok_or_else(refuse)?.certificate_pem
        }
    };
    keep(request, &pem)
}

/// Registers a certificate that can be claimed with the ownership token in the answer.
fn keep(request: &Request, pem: &str) -> Result<Value, Rejection> {
    let cloud = &request.cloud;
    expire_tokens(cloud);
    let id = CertificateId::of(&ParsedCertificate::from_pem(pem.as_bytes())?);
    cloud
        .account
        .change(|account| account.register_certificate(pem, CertificateStatus::PendingActivation, false))?;
    // The length of AWS's tokens is not documented; observed ones have several hundred characters.
    let token: String = (0..8).map(|_| cloud.random_uuid().simple().to_string()).collect();
    cloud.ownership_tokens.add(token.clone(), id.clone());
    Ok(json!({ "certificateId": id.as_str(), "certificatePem": pem, "certificateOwnershipToken": token }))
}
