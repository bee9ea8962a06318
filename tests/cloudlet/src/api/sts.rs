//! The part of AWS's Security Token Service that a gateway needs: the caller's identity, and tokens for services outside AWS, both for
//! signed requests (AWS STS API Reference, GetCallerIdentity, GetWebIdentityToken and "Common Error Types").

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use super::caller::Caller;
use super::failure::Failure;
use super::query::{QueryProtocol, element};
use super::web_identity;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::sigv4::{self, Endpoint, Refusal};

pub(super) const PROTOCOL: QueryProtocol = QueryProtocol {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    version: "2011-06-15",
};

pub(super) fn answer(
    cloud: &Cloud,
    head: &Parts,
    body: &Bytes,
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Failure> {
    if let Some(document) = web_identity::document(cloud, head) {
        return document;
    }
    // The operation is checked before the signature: some of STS's operations are not signed.
    let (action, parameters) = PROTOCOL.read(head, body)?;
    if !["GetCallerIdentity", "GetWebIdentityToken"].contains(&action.as_str()) {
        return Err(PROTOCOL.no_such_action(&action, PROTOCOL.version));
    }
    let endpoint = Endpoint {
        service: "sts".to_owned(),
        region: None,
    };
    let key = sigv4::verify(head, body, &endpoint, &cloud.access_keys, cloud.now()).map_err(unsigned)?;
    if action == "GetWebIdentityToken" {
        let result =
            web_identity::token(cloud, &key, &parameters).map_err(|failure| failure.of(Some(key.id.clone())))?;
        return Ok(PROTOCOL.answer(&action, &result, request_id));
    }
    let caller = cloud.account.read(|account| Caller::of(&key, account.id()));
    cloud.events.push(Event::CallerIdentified {
        access_key_id: caller.access_key_id.clone(),
        arn: caller.arn.clone(),
    });
    let result = [
        element("Arn", &caller.arn),
        element("UserId", &caller.user_id),
        element("Account", &caller.account_id),
    ];
    Ok(PROTOCOL.answer(&action, &result.concat(), request_id))
}

/// Converts a rejected signature to the error codes of services that use the query protocol.
pub(super) fn unsigned(refusal: Refusal) -> Failure {
    let Refusal {
        code,
        message,
        access_key_id,
    } = refusal;
    Failure::new(code.status(), code.name(), message).of(access_key_id)
}
