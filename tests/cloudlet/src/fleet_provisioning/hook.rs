//! The pre-provisioning hook of a template.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::function;
use super::rejection::Rejection;
use crate::device_services::Request;

/// The result of a hook (developer guide, pre-provisioning-hook).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    allow_provisioning: bool,
    #[serde(default)]
    parameter_overrides: BTreeMap<String, String>,
}

/// A certificate to be registered, with its template and parameters.
pub(super) struct Registration<'a> {
    pub(super) template_arn: &'a str,
    pub(super) certificate_id: &'a str,
    pub(super) certificate_pem: Option<&'a str>,
    pub(super) parameters: BTreeMap<String, String>,
}

/// Calls the hook, and returns the parameters with its changes.
pub(super) async fn ask(
    request: &Request,
    target: &str,
    registration: Registration<'_>,
) -> Result<BTreeMap<String, String>, Rejection> {
    let event = json!({
        "claimCertificateId": request.certificate.as_str(),
        "certificateId": registration.certificate_id,
        "certificatePem": registration.certificate_pem,
        "templateArn": registration.template_arn,
        "clientId": request.client_id,
        "parameters": registration.parameters,
    });
    let refuse = |message: String| Rejection::new(400, "InvalidRequest", message);
    let result = function::invoke(&request.cloud, target, &event).await.map_err(refuse)?;
    let verdict: Verdict =
        serde_json::from_value(result).map_err(|_| refuse("the hook's result has no allowProvisioning".to_owned()))?;
    if !verdict.allow_provisioning {
        return Err(Rejection::new(
            400,
            "AccessDenied",
            "Provisioning was not allowed by the hook",
        ));
    }
    let mut parameters = registration.parameters;
    parameters.extend(verdict.parameter_overrides);
    Ok(parameters)
}
