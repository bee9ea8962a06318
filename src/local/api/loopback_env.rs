//! GET /v1/loopback and /v1/loopback/{alias}: the environment variables for an SDK's container provider.

use hyper::StatusCode;
use serde::Serialize;

use super::credentials;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};

/// Values of the two variables (AWS SDKs and Tools Reference Guide, "Container credential provider").
#[derive(Serialize)]
struct Environment<'a> {
    /// AWS_CONTAINER_CREDENTIALS_FULL_URI
    uri: String,
    /// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    token_file: &'a str,
}

/// Returns the variables for `alias`, or for the default alias.
pub fn get(context: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<Response, ApiError> {
    let conflict = |code, message: String| ApiError::new(StatusCode::CONFLICT, code, message);
    let Some(loopback) = context.loopback.get() else {
        let error = conflict("loopback_off", "the loopback listener is off".to_owned()).hint(
            "set loopback.listen = \"127.0.0.1:9922\" in gatepost's configuration, then: systemctl reload gatepost",
        );
        return Err(error.remark(context.unloaded_change("loopback.listen")));
    };
    let cached = credentials::authorize_alias(context, caller, alias)?;
    let name = &cached.status.details.name;
    let (access, tokens) = (context.access.borrow(), loopback.tokens());
    let token = access
        .selectors_giving(caller, name)
        .filter_map(|selectors| tokens.find(selectors))
        .find(|token| token.is_readable() && !token.has_no_file())
        .and_then(|token| token.file.to_str());
    let Some(token_file) = token else {
        return Err(conflict(
            "no_token_file",
            format!("{caller} is allowed role alias {name} by a rule whose token file only root can read"),
        )
        .hint("let the rule select only a user or only a group, or pass the file with LoadCredential= in the unit"));
    };
    // Configured aliases have no characters that a path would have to escape.
    let path = alias.map_or_else(|| "/v1/credentials".to_owned(), |_| format!("/v1/credentials/{name}"));
    Ok(http::json(&Environment {
        uri: format!("http://{}{path}", loopback.address()),
        token_file,
    }))
}
