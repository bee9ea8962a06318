//! CA certificates and the registration code.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::certificate;
use super::page::{Dialect, page};
use crate::Error;
use crate::account::{Account, CaCertificate, CertificateMode, NewCa, Refusal, RegistrationConfig};
use crate::json::joined;
use crate::provisioning::Template;
use crate::x509::ParsedCertificate;

/// `registrationConfig`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    template_body: Option<String>,
    role_arn: Option<String>,
    template_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    ca_certificate: String,
    verification_certificate: Option<String>,
    registration_config: Option<Config>,
    certificate_mode: Option<CertificateMode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    registration_config: Option<Config>,
    #[serde(default)]
    remove_auto_registration: bool,
}

pub(super) fn registration_code(call: &Call<'_>) -> Result<Value, Error> {
    Ok(json!({ "registrationCode": call.read_account(|account| account.registration_code().to_owned()) }))
}

pub(super) fn delete_registration_code(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        account.delete_registration_code();
        Ok(json!({}))
    })
}

pub(super) fn register(call: &Call<'_>) -> Result<Value, Error> {
    let body: Registration = call.body()?;
    let (active, auto_registration) = (call.flag("setAsActive")?, call.flag("allowAutoRegistration")?);
    call.change(|account| {
        let config = body.registration_config.map(|config| checked(account, config));
        let id = account.register_ca(NewCa {
            pem: &body.ca_certificate,
            verification: body.verification_certificate.as_deref(),
            mode: body.certificate_mode.unwrap_or(CertificateMode::Default),
            active,
            auto_registration,
            registration_config: config.transpose()?,
        })?;
        Ok(json!({ "certificateArn": account.iot_arn("cacert", id.as_str()), "certificateId": id }))
    })
}

/// Checks a registrationConfig: a template's name, or a body with a role.
fn checked(account: &Account, config: Config) -> Result<RegistrationConfig, Error> {
    match config {
        Config {
            template_body: Some(body),
            role_arn: Some(role_arn),
            template_name: None,
        } => Ok(RegistrationConfig::Body {
            template: Template::parse(&body)?,
            role_arn: Some(role_arn),
        }),
        Config {
            template_body: None,
            template_name: Some(name),
            ..
        } => {
            account.templates.jitp_plan(&name)?;
            Ok(RegistrationConfig::Named(name))
        }
        _ => Err(Refusal::invalid("registrationConfig needs templateBody and roleArn, or templateName").into()),
    }
}

pub(super) fn describe(call: &Call<'_>) -> Result<Value, Error> {
    call.read_account(|account| {
        let ca = account.cas.named(call.resource())?;
        let parsed = ParsedCertificate::from_pem(ca.pem.as_bytes())?;
        let (not_before, not_after) = parsed.validity();
        let config = match &ca.registration_config {
            None => json!({}),
            Some(RegistrationConfig::Named(name)) => json!({ "templateName": name }),
            Some(RegistrationConfig::Body { template, role_arn }) => {
                json!({ "templateBody": template.body(), "roleArn": role_arn })
            }
        };
        let more = json!({
            "certificatePem": ca.pem,
            "ownedBy": account.id(),
            "autoRegistrationStatus": if ca.auto_registration { "ENABLE" } else { "DISABLE" },
            "lastModifiedDate": ca.modified,
            "customerVersion": ca.version,
            "validity": { "notBefore": not_before, "notAfter": not_after },
            "certificateMode": ca.mode,
        });
        let description = joined(summary(account, ca), more);
        Ok(json!({ "certificateDescription": description, "registrationConfig": config }))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Value, Error> {
    let cas = call.read_account(|account| {
        let uses = |ca: &&CaCertificate| match (call.query("templateName"), &ca.registration_config) {
            (None, _) => true,
            (Some(wanted), Some(RegistrationConfig::Named(name))) => name == wanted,
            (Some(_), _) => false,
        };
        account.cas.iter().filter(uses).map(|ca| summary(account, ca)).collect()
    });
    page(call, Dialect::Marker, "certificates", cas)
}

fn summary(account: &Account, ca: &CaCertificate) -> Value {
    json!({
        "certificateArn": account.iot_arn("cacert", ca.id.as_str()),
        "certificateId": ca.id,
        "status": if ca.active { "ACTIVE" } else { "INACTIVE" },
        "creationDate": ca.created,
    })
}

pub(super) fn update(call: &Call<'_>) -> Result<Value, Error> {
    let body: Update = call.body()?;
    let choice = |name: &str, on: &str, off: &str| match call.query(name) {
        None => Ok(None),
        Some(value) if value == on => Ok(Some(true)),
        Some(value) if value == off => Ok(Some(false)),
        Some(other) => Err(Refusal::invalid(format!("{name} {other:?} is neither {on} nor {off}"))),
    };
    let active = choice("newStatus", "ACTIVE", "INACTIVE")?;
    let auto_registration = choice("newAutoRegistrationStatus", "ENABLE", "DISABLE")?;
    call.change(|account| {
        let id = account.cas.named(call.resource())?.id.clone();
        let config = body.registration_config.map(|config| checked(account, config));
        let config = config.transpose()?;
        account.cas.update(&id, |ca| {
            ca.active = active.unwrap_or(ca.active);
            ca.auto_registration = auto_registration.unwrap_or(ca.auto_registration);
            if body.remove_auto_registration {
                (ca.auto_registration, ca.registration_config) = (false, None);
            }
            if config.is_some() {
                ca.registration_config = config;
            }
        })?;
        Ok(json!({}))
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<Value, Error> {
    call.change(|account| {
        let id = account.cas.named(call.resource())?.id.clone();
        account.cas.delete(&id)?;
        Ok(json!({}))
    })
}

pub(super) fn certificates(call: &Call<'_>) -> Result<Value, Error> {
    let certificates = call.read_account(|account| {
        let ca = &account.cas.named(call.resource())?.id;
        let signed = account
            .certificates
            .iter()
            .filter(|certificate| certificate.ca.as_ref() == Some(ca));
        let signed = signed.map(|certificate| certificate::summary(account, certificate));
        Ok::<_, Error>(signed.collect())
    })?;
    page(call, Dialect::Marker, "certificates", certificates)
}
