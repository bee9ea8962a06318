//! GET /v1/token?audience=...: a web identity token for a service outside AWS, from memory.

use hyper::StatusCode;

use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, parse_query};
use crate::problem::{Problem, quoted};

/// Maximum length of an audience (AWS STS API Reference, GetWebIdentityToken).
const MAX_AUDIENCE: usize = 1000;

/// Returns the token for an audience, if a rule grants it to `caller`.
pub fn get(context: &ApiContext, caller: &Caller, query: Option<&str>) -> Result<Response, ApiError> {
    let audience = parse_audience(query)?;
    context.authorize(caller, Permission::Token(&audience), "")?;
    let clock = &*context.clock;
    let cached = context.cache.web_tokens().get(&audience, clock);
    let cached = cached.ok_or_else(|| unknown_audience(context, &audience))?;
    if let Some(token) = cached.token.filter(|token| token.is_usable(clock)) {
        return Ok(http::ok("application/json", token.body().expose()));
    }
    let problem = cached.status.problem.or_else(|| context.board.obstacle());
    Err(ApiError::not_ready(
        &problem.unwrap_or_else(|| Problem::wait("AWS is being asked for the token")),
    ))
}

/// Returns the error for an audience that no rule names. A rule that names it may be there and not loaded.
pub(super) fn unknown_audience(context: &ApiContext, audience: &str) -> ApiError {
    let message = format!("no access rule names the audience {}", quoted(audience));
    let error = ApiError::new(StatusCode::NOT_FOUND, "unknown_audience", message);
    match context.unloaded_change("access") {
        Some(remark) => error.hint(remark),
        None => error.hint("name it in the tokens of an [[access]] rule"),
    }
}

fn parse_audience(query: Option<&str>) -> Result<String, ApiError> {
    let mut parameters = parse_query(query, &["audience"])?.into_iter();
    let audience = parameters
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    match audience.chars().count() {
        0 => Err(ApiError::malformed("there is no audience").hint("/v1/token?audience=AUDIENCE, percent-encoded")),
        1..=MAX_AUDIENCE => Ok(audience),
        length => Err(ApiError::malformed(format!(
            "an audience of {length} characters; AWS takes 1 to {MAX_AUDIENCE}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_audience_of_bounded_length_is_named() {
        let long = format!("audience={}", "x".repeat(1000));
        for (query, audience) in [
            (Some("audience=vault"), Some("vault")),
            (
                Some("audience=https%3A%2F%2Fvault.example"),
                Some("https://vault.example"),
            ),
            (Some("audience=a+b"), Some("a b")),
            (Some(long.as_str()), Some(&long["audience=".len()..])),
            (Some(&format!("{long}x")), None),
            (Some(&format!("audience={}", "x".repeat(10 * 1024))), None),
            (Some("audience="), None),
            (Some("aud=vault"), None),
            (Some("audience=a&audience=b"), None),
            (Some("audience=%ff"), None),
            (Some("audience=va%0Ault"), Some("va\nult")),
            (Some("audience=%1b%5b2J"), Some("\u{1b}[2J")),
            (Some("audience=%F0%9F%94%91-%E2%80%AE"), Some("\u{1f511}-\u{202e}")),
            (Some("audience=va%00ult"), Some("va\0ult")),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(parse_audience(query).ok().as_deref(), audience, "{query:?}");
        }
    }
}
