//! RegisterThing over MQTT: with the template, creates a thing and a policy for the certificate that belongs to the ownership token.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::expiry::expire_tokens;
use super::hook::{self, Registration};
use super::rejection::Rejection;
use crate::account::CertificateId;
use crate::device_services::Request;
use crate::events::Event;
use crate::provisioning::{self, Plan};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    certificate_ownership_token: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// The names of parameters that AWS sets itself.
const RESERVED: &str = "AWS::IoT::Certificate::";

/// Carries out the request.
pub(super) async fn carry_out(request: &Request, template: &str) -> Result<Value, Rejection> {
    let cloud = &request.cloud;
    let body: Body = serde_json::from_slice(&request.payload)
        .map_err(|_| Rejection::invalid_payload("The payload is not the JSON of a RegisterThing request"))?;
    if body.certificate_ownership_token.is_empty() {
        return Err(Rejection::invalid_token("Certificate ownership token cannot be empty."));
    }
    if let Some(name) = body.parameters.keys().find(|name| name.starts_with(RESERVED)) {
        return Err(Rejection::new(
            400,
            "InvalidParameters",
            format!("Parameter {name} is reserved"),
        ));
    }
    expire_tokens(cloud);
    let token = &body.certificate_ownership_token;
    let certificate = cloud
        .ownership_tokens
        .find(token)
        .ok_or_else(|| Rejection::invalid_token("The certificate ownership token is invalid or expired."))?;
    let (plan, arn, pem) = cloud.account.read(|account| {
        let plan = account.templates.fleet_plan(template)?;
        let pem = account
            .certificates
            .get(&certificate)
            .and_then(|known| known.pem.clone());
        Ok::<_, crate::Error>((plan, account.iot_arn("provisioningtemplate", template), pem))
    })?;
    let parameters = match &plan.hook {
        None => body.parameters,
        Some(target) => {
            let registration = Registration {
                template_arn: &arn,
                certificate_id: certificate.as_str(),
                certificate_pem: pem.as_deref(),
                parameters: body.parameters,
            };
            hook::ask(request, target, registration).await?
        }
    };
    let answer = register(request, &certificate, &plan.registration, parameters)?;
    cloud.ownership_tokens.use_up(token);
    Ok(answer)
}

fn register(
    request: &Request,
    certificate: &CertificateId,
    plan: &crate::account::RegistrationPlan,
    mut parameters: BTreeMap<String, String>,
) -> Result<Value, Rejection> {
    parameters.insert(format!("{RESERVED}Id"), certificate.as_str().to_owned());
    let (steps, thing_name, configuration) = request.cloud.account.change(|account| {
        provisioning::check_role(account, plan.role_arn.as_deref())?;
        let plan = Plan::from_template(&plan.template, &parameters)?;
        let registered = provisioning::register(account, &plan)?;
        Ok((
            registered.steps,
            plan.thing_name().map(str::to_owned),
            plan.device_configuration,
        ))
    })?;
    for step in steps {
        request.cloud.events.push(Event::Jitp {
            certificate: certificate.clone(),
            step,
        });
    }
    Ok(json!({ "thingName": thing_name, "deviceConfiguration": configuration }))
}
