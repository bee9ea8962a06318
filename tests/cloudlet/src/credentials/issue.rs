//! Decides about a request. The checks are in the order in which AWS's errors were observed (aws-iot-core-credential-provider
//! session-helper, development notes).

use hyper::StatusCode;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::client::Client;
use crate::account::{CREDENTIALS_PROVIDER, Role, RoleAlias};
use crate::cloud::Cloud;
use crate::policy::Context;
use crate::switches::Lifetime;

/// An error in AWS's words.
pub(super) struct Denial {
    pub(super) status: StatusCode,
    /// `x-amzn-ErrorType`.
    pub(super) kind: &'static str,
    pub(super) message: &'static str,
}

const fn denial(status: StatusCode, kind: &'static str, message: &'static str) -> Denial {
    Denial { status, kind, message }
}

const BAD_THING_NAME: Denial = denial(
    StatusCode::FORBIDDEN,
    "AccessDeniedException",
    "Invalid thing name passed",
);
const ACCESS_DENIED: Denial = denial(StatusCode::FORBIDDEN, "AccessDeniedException", "Access Denied");
const NO_ALIAS: Denial = denial(
    StatusCode::NOT_FOUND,
    "ResourceNotFoundException",
    "Role alias does not exist",
);
const NO_ROLE: Denial = denial(
    StatusCode::BAD_REQUEST,
    "InvalidRequestException",
    "Unable to assume the role, or the role to assume does not exist",
);
const TOO_LONG: Denial = denial(
    StatusCode::BAD_REQUEST,
    "InvalidRequestException",
    "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role",
);

/// Credentials as JSON, and the access key's ID.
pub(super) struct Issued {
    pub(super) body: String,
    pub(super) access_key_id: String,
}

pub(super) fn issue(cloud: &Cloud, client: &Client, alias: &str, thing: Option<&str>) -> Result<Issued, Denial> {
    if let Some(thing) = thing {
        let attached = cloud.account.read(|account| {
            account
                .certificates
                .get(&client.id)
                .is_some_and(|certificate| certificate.things.contains(thing))
        });
        if !attached {
            return Err(BAD_THING_NAME);
        }
    }
    let context = Context::of_request(&client.certificate, client.peer.ip());
    let action = "iot:AssumeRoleWithCertificate";
    if !cloud
        .decide(client.id.as_str(), &client.id, &context, action, ("rolealias", alias))
        .allowed
    {
        return Err(ACCESS_DENIED);
    }
    let (alias, role) = cloud.account.read(|account| {
        let alias = account.role_aliases.get(alias).cloned().ok_or(NO_ALIAS)?;
        let role = account
            .roles
            .get(&alias.role_arn)
            .filter(|role| role.trust_policy.trusts(CREDENTIALS_PROVIDER))
            .cloned();
        Ok((alias, role.ok_or(NO_ROLE)?))
    })?;
    if alias.duration_seconds > role.max_session_seconds {
        return Err(TOO_LONG);
    }
    Ok(mint(cloud, client, &alias, &role))
}

fn mint(cloud: &Cloud, client: &Client, alias: &RoleAlias, role: &Role) -> Issued {
    let lifetime = cloud
        .switches
        .get(|switches| switches.credentials.lifetime_for(&alias.name));
    let granted = i64::try_from(alias.duration_seconds).unwrap_or(i64::MAX);
    let seconds = match &lifetime {
        Lifetime::Granted | Lifetime::Malformed(_) => granted,
        Lifetime::Seconds(seconds) => *seconds,
        Lifetime::Skewed(seconds) => granted.saturating_add(*seconds),
    };
    let expires = from_now(cloud, seconds);
    let minted = cloud.access_keys.mint(&role.arn, client.id.as_str(), expires.into());
    let expiration = match lifetime {
        Lifetime::Malformed(text) => text,
        _ => expires.format(&Rfc3339).unwrap_or_else(|error| error.to_string()),
    };
    let body = json!({ "credentials": {
        "accessKeyId": minted.access_key_id,
        "secretAccessKey": minted.secret_access_key,
        "sessionToken": minted.session_token,
        "expiration": expiration,
    }});
    Issued {
        body: body.to_string(),
        access_key_id: minted.access_key_id,
    }
}

/// Returns the time this many seconds from now, in whole seconds, as the expiration is written (`2018-01-18T09:18:06Z`): STS refuses the
/// credentials from that instant on.
fn from_now(cloud: &Cloud, seconds: i64) -> OffsetDateTime {
    let now = OffsetDateTime::from(cloud.now()).truncate_to_second();
    now.saturating_add(Duration::seconds(seconds))
}
