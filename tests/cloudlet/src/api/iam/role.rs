//! Roles and their policies.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Error;
use crate::account::{Refusal, Role, TrustPolicy};
use crate::api::caller::unique_id;
use crate::api::query::{Parameters, element};
use crate::cloud::Cloud;

pub(super) fn create(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let name = parameters.require("RoleName")?;
    let path = parameters.get("Path").unwrap_or("/");
    if !path.starts_with('/') || !path.ends_with('/') {
        return Err(Refusal::invalid("The specified value for path is invalid: it must begin and end with /").into());
    }
    let trust_policy = TrustPolicy::parse(parameters.require("AssumeRolePolicyDocument")?)?;
    let session = session_duration(parameters)?.unwrap_or(*Role::SESSION_SECONDS.start());
    cloud.account.change(|account| {
        let role = Role {
            trust_policy,
            max_session_seconds: session,
            description: parameters.get("Description").map(str::to_owned),
            ..Role::trusting(account.role_arn(&format!("{}{name}", path.trim_start_matches('/'))))
        };
        let described = element_of("Role", &description(&role));
        account.roles.create(role)?;
        Ok(described)
    })
}

fn session_duration(parameters: &Parameters) -> Result<Option<u64>, Error> {
    let seconds = parameters.get("MaxSessionDuration").map(str::parse);
    seconds
        .transpose()
        .map_err(|_| Refusal::invalid("MaxSessionDuration is not a number").into())
}

pub(super) fn get(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    on_role(cloud, parameters, |role| Ok(element_of("Role", &description(role))))
}

pub(super) fn list(cloud: &Cloud, _: &Parameters) -> Result<String, Error> {
    let roles: String = cloud.account.read(|account| {
        let roles = account.roles.iter();
        roles.map(|role| element_of("member", &description(role))).collect()
    });
    Ok(element_of("Roles", &roles) + "<IsTruncated>false</IsTruncated>")
}

pub(super) fn update(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let session = session_duration(parameters)?;
    change(cloud, parameters, |role| {
        role.max_session_seconds = session.unwrap_or(role.max_session_seconds);
        if let Some(text) = parameters.get("Description") {
            role.description = Some(text.to_owned());
        }
    })
}

pub(super) fn update_trust(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let trust_policy = TrustPolicy::parse(parameters.require("PolicyDocument")?)?;
    change(cloud, parameters, |role| role.trust_policy = trust_policy)
}

pub(super) fn delete(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let name = parameters.require("RoleName")?;
    cloud.account.change(|account| account.roles.delete(name))?;
    Ok(String::new())
}

pub(super) fn attach(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let arn = parameters.require("PolicyArn")?;
    if !arn.starts_with("arn:aws:iam::") || !arn.contains(":policy/") {
        return Err(Refusal::invalid(format!("ARN {arn} is not valid.")).into());
    }
    change(cloud, parameters, |role| {
        role.attached.insert(arn.to_owned());
    })
}

pub(super) fn detach(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let arn = parameters.require("PolicyArn")?;
    let attached = on_role(cloud, parameters, |role| Ok(role.attached.contains(arn)))?;
    if !attached {
        return Err(Refusal::not_found(format!("Policy {arn} was not found.")).into());
    }
    change(cloud, parameters, |role| {
        role.attached.remove(arn);
    })
}

pub(super) fn list_attached(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    on_role(cloud, parameters, |role| {
        let member = |arn: &String| {
            let name = arn.rsplit_once('/').map_or(arn.as_str(), |(_, name)| name);
            element_of("member", &(element("PolicyName", name) + &element("PolicyArn", arn)))
        };
        let members: String = role.attached.iter().map(member).collect();
        Ok(element_of("AttachedPolicies", &members) + "<IsTruncated>false</IsTruncated>")
    })
}

pub(super) fn put_inline(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let (name, document) = (parameters.require("PolicyName")?, parameters.require("PolicyDocument")?);
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(document);
    if !parsed.is_ok_and(|document| document.get("Statement").is_some()) {
        let kind = crate::account::RefusalKind::MalformedDocument;
        return Err(Refusal::new(kind, "Syntax errors in policy.").into());
    }
    change(cloud, parameters, |role| {
        role.inline.insert(name.to_owned(), document.to_owned());
    })
}

pub(super) fn get_inline(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let name = parameters.require("PolicyName")?;
    on_role(cloud, parameters, |role| {
        let document = role.inline.get(name).ok_or_else(|| no_policy(name))?;
        Ok([
            element("RoleName", role.name()),
            element("PolicyName", name),
            element("PolicyDocument", &encoded(document)),
        ]
        .concat())
    })
}

pub(super) fn list_inline(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    on_role(cloud, parameters, |role| {
        let members: String = role.inline.keys().map(|name| element("member", name)).collect();
        Ok(element_of("PolicyNames", &members) + "<IsTruncated>false</IsTruncated>")
    })
}

pub(super) fn delete_inline(cloud: &Cloud, parameters: &Parameters) -> Result<String, Error> {
    let name = parameters.require("PolicyName")?;
    if !on_role(cloud, parameters, |role| Ok(role.inline.contains_key(name)))? {
        return Err(no_policy(name).into());
    }
    change(cloud, parameters, |role| {
        role.inline.remove(name);
    })
}

fn no_policy(name: &str) -> Refusal {
    Refusal::not_found(format!("The role policy with name {name} cannot be found."))
}

fn on_role<T>(
    cloud: &Cloud,
    parameters: &Parameters,
    look: impl FnOnce(&Role) -> Result<T, Error>,
) -> Result<T, Error> {
    let name = parameters.require("RoleName")?;
    cloud.account.read(|account| look(account.roles.named(name)?))
}

fn change(cloud: &Cloud, parameters: &Parameters, update: impl FnOnce(&mut Role)) -> Result<String, Error> {
    let name = parameters.require("RoleName")?;
    cloud.account.change(|account| account.roles.update(name, update))?;
    Ok(String::new())
}

fn description(role: &Role) -> String {
    let created = i64::try_from(role.created).ok();
    let created = created.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let created = created
        .and_then(|created| created.format(&Rfc3339).ok())
        .unwrap_or_default();
    // arn:aws:iam::ACCOUNT:role and the path, which begins and ends with a slash.
    let path = role.arn.split_once(":role").map_or("/", |(_, path)| path);
    let path = path.strip_suffix(role.name()).unwrap_or(path);
    [
        element("Path", path),
        element("RoleName", role.name()),
        element("RoleId", &unique_id("AROA", &role.arn)),
        element("Arn", &role.arn),
        element("CreateDate", &created),
        element("AssumeRolePolicyDocument", &encoded(role.trust_policy.text())),
        element("MaxSessionDuration", &role.max_session_seconds.to_string()),
        role.description
            .as_deref()
            .map_or_else(String::new, |text| element("Description", text)),
    ]
    .concat()
}

/// Percent-encodes a policy, as in IAM's responses (IAM API Reference, GetRole).
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, NON_ALPHANUMERIC).to_string()
}

/// Returns an XML element that contains other elements.
fn element_of(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}
