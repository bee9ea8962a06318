//! The part of IAM that AWS IoT needs: roles, who may assume them, and their policies (IAM API Reference, version 2010-05-08). The content
//! of the policies is not evaluated.

mod role;

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::caller::Caller;
use super::failure::Failure;
use super::query::{Parameters, QueryProtocol, element};
use super::sts::unsigned;
use super::web_identity;
use crate::Error;
use crate::account::{Refusal, RefusalKind};
use crate::cloud::Cloud;
use crate::events::Event;
use crate::sigv4::{self, Endpoint};

pub(super) const PROTOCOL: QueryProtocol = QueryProtocol {
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    version: "2010-05-08",
};

/// The function behind an action. It returns the result's content as XML.
type Action = fn(&Cloud, &Parameters) -> Result<String, Error>;

pub(super) fn answer(
    cloud: &Arc<Cloud>,
    head: &Parts,
    body: &Bytes,
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Failure> {
    let endpoint = Endpoint {
        service: "iam".to_owned(),
        region: None,
    };
    let key = sigv4::verify(head, body, &endpoint, &cloud.access_keys, cloud.now()).map_err(unsigned)?;
    let caller = cloud.account.read(|account| Caller::of(&key, account.id()));
    let of_caller = |failure: Failure| failure.of(Some(caller.access_key_id.clone()));

    let (action, parameters) = PROTOCOL.read(head, body).map_err(of_caller)?;
    let (operation, carry_out) =
        find(&action).ok_or_else(|| of_caller(PROTOCOL.no_such_action(&action, PROTOCOL.version)))?;
    let of_caller = |failure: Failure| of_caller(failure.in_operation(operation));
    if !caller.is_administrator {
        let message = format!("User: {} is not authorized to perform: iam:{operation}", caller.arn);
        return Err(of_caller(Failure::new(StatusCode::FORBIDDEN, "AccessDenied", message)));
    }
    let result = carry_out(cloud, &parameters).map_err(|error| of_caller(failure(error)))?;
    cloud.events.push(Event::ApiCalled {
        service: "iam",
        operation,
        access_key_id: caller.access_key_id,
        caller: caller.arn,
        resource: parameters.get("RoleName").unwrap_or_default().to_owned(),
    });
    Ok(PROTOCOL.answer(operation, &result, request_id))
}

fn find(action: &str) -> Option<(&'static str, Action)> {
    Some(match action {
        "CreateRole" => ("CreateRole", role::create),
        "GetRole" => ("GetRole", role::get),
        "ListRoles" => ("ListRoles", role::list),
        "UpdateRole" => ("UpdateRole", role::update),
        "UpdateAssumeRolePolicy" => ("UpdateAssumeRolePolicy", role::update_trust),
        "DeleteRole" => ("DeleteRole", role::delete),
        "AttachRolePolicy" => ("AttachRolePolicy", role::attach),
        "DetachRolePolicy" => ("DetachRolePolicy", role::detach),
        "ListAttachedRolePolicies" => ("ListAttachedRolePolicies", role::list_attached),
        "PutRolePolicy" => ("PutRolePolicy", role::put_inline),
        "GetRolePolicy" => ("GetRolePolicy", role::get_inline),
        "ListRolePolicies" => ("ListRolePolicies", role::list_inline),
        "DeleteRolePolicy" => ("DeleteRolePolicy", role::delete_inline),
        "EnableOutboundWebIdentityFederation" => ("EnableOutboundWebIdentityFederation", enable_web_identity_tokens),
        _ => return None,
    })
}

/// Lets STS issue tokens for services outside AWS from now on.
fn enable_web_identity_tokens(cloud: &Cloud, _: &Parameters) -> Result<String, Error> {
    cloud.switches.set(|switches| switches.web_identity_tokens = true);
    Ok(element("IssuerIdentifier", &web_identity::issuer(cloud)))
}

/// Converts an error to IAM's error codes (IAM API Reference, the errors of each action).
fn failure(error: Error) -> Failure {
    let Error::Refused(Refusal { kind, message, .. }) = error else {
        return Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailure", error.to_string());
    };
    let (status, code) = match kind {
        RefusalKind::NotFound => (StatusCode::NOT_FOUND, "NoSuchEntity"),
        RefusalKind::AlreadyExists => (StatusCode::CONFLICT, "EntityAlreadyExists"),
        RefusalKind::DeleteConflict => (StatusCode::CONFLICT, "DeleteConflict"),
        RefusalKind::LimitExceeded => (StatusCode::CONFLICT, "LimitExceeded"),
        RefusalKind::MalformedDocument => (StatusCode::BAD_REQUEST, "MalformedPolicyDocument"),
        _ => (StatusCode::BAD_REQUEST, "ValidationError"),
    };
    Failure::new(status, code, message)
}
