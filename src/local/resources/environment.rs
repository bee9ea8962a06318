//! GET /v1/loopback and /v1/loopback/{alias}: what an SDK's container provider needs in its environment.

use hyper::StatusCode;
use serde::Serialize;

use super::super::answer::{self, Answer, ApiError};
use super::super::caller::Caller;
use super::super::view::ApiContext;
use super::credentials;

/// The two settings; AWS SDKs and Tools Reference Guide, "Container credential provider".
#[derive(Serialize)]
struct Environment<'a> {
    /// AWS_CONTAINER_CREDENTIALS_FULL_URI
    uri: String,
    /// AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    token_file: &'a str,
}

/// Where `caller` gets `alias`, or the default alias, over the loopback listener.
pub fn get(shared: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<Answer, ApiError> {
    let conflict = |code, message: String| ApiError::new(StatusCode::CONFLICT, code, message);
    let Some(loopback) = shared.loopback.get() else {
        let refusal = conflict("loopback_off", "the loopback listener is off".to_owned()).hint(
            "set loopback.listen = \"127.0.0.1:9922\" in gatepost's configuration, then: systemctl reload gatepost",
        );
        return Err(shared.remark_on_files(refusal, "loopback.listen"));
    };
    let cached = credentials::allowed(shared, caller, alias)?;
    let name = &cached.status.details.name;
    let (access, tokens) = (shared.access.borrow(), loopback.tokens());
    let token = access
        .holders_for(caller, name)
        .filter_map(|selectors| tokens.of(selectors))
        .find(|token| token.is_readable() && !token.has_no_file())
        .and_then(|token| token.file.to_str());
    let Some(token_file) = token else {
        return Err(conflict(
            "no_token_file",
            format!("{caller} may have role alias {name}, by a rule whose token file only root can read"),
        )
        .hint("give the rule just a user or just a group, or hand the file over by LoadCredential= in the unit"));
    };
    // An alias has nothing that would have to be escaped in a path: its characters were checked.
    let path = alias.map_or_else(|| "/v1/credentials".to_owned(), |_| format!("/v1/credentials/{name}"));
    answer::json(&Environment {
        uri: format!("http://{}{path}", loopback.address()),
        token_file,
    })
}
