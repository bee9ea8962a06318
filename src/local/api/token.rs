//! GET /v1/token?audience=...: a web identity token for a service outside AWS, from memory.

use hyper::StatusCode;

use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response, parse_query};
use crate::problem::Problem;

/// Maximum length of an audience (AWS STS API Reference, GetWebIdentityToken).
const MAX_AUDIENCE: usize = 1000;

/// Returns the token for an audience, if a rule grants it to `caller`.
pub fn get(context: &ApiContext, caller: &Caller, query: Option<&str>) -> Result<Response, ApiError> {
    let audience = parse_audience(query)?;
    context
        .authorize(caller, Permission::Token(&audience), "")
        .map_err(|error| error.remark(granted_lookalike(context, caller, &audience).as_deref()))?;
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
    let message = format!("no access rule names the audience \"{}\"", audience.escape_debug());
    let error = ApiError::new(StatusCode::NOT_FOUND, "unknown_audience", message);
    match context.unloaded_change("access") {
        Some(remark) => error.hint(remark),
        None => error.hint("name it in the tokens of an [[access]] rule"),
    }
}

/// Returns a remark if a rule grants `caller` an audience that is almost the requested one. The service outside AWS compares audiences
/// character by character, so gatepost does as well.
fn granted_lookalike(context: &ApiContext, caller: &Caller, audience: &str) -> Option<String> {
    let access = context.access.borrow();
    let parts = context.cache.web_tokens().parts(&*context.clock);
    parts.into_iter().find_map(|part| {
        let granted = part.details.audience;
        let difference = difference(audience, &granted)?;
        access.find_rule(caller, Permission::Token(&granted), "")?;
        Some(format!(
            "a rule grants \"{}\", which differs by {difference}",
            granted.escape_debug()
        ))
    })
}

/// Returns in words what distinguishes two audiences that somebody may have confused.
fn difference(audience: &str, granted: &str) -> Option<&'static str> {
    let (one, other) = (audience.trim_end_matches('/'), granted.trim_end_matches('/'));
    let scheme_ends = |text: &str| text.find("://").map(|end| text.split_at(end + 3).1.to_owned());
    if audience == granted {
        None
    } else if one == other {
        Some("a slash at the end")
    } else if one.eq_ignore_ascii_case(other) {
        Some("capital letters")
    } else if one == other.replace('+', " ") {
        Some("a plus sign, which means a blank in a query: write %2B")
    } else if one.trim() == other.trim() {
        Some("blanks at its ends")
    } else if scheme_ends(one).as_deref() == Some(other) || scheme_ends(other).as_deref() == Some(one) {
        Some("https:// at the beginning")
    } else {
        None
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
            "an audience of {length} characters; AWS accepts 1 to {MAX_AUDIENCE}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_that_is_almost_a_granted_one_is_recognised() {
        const VAULT: &str = "https://vault.example";
        for (audience, granted, words) in [
            ("https://vault.example/", VAULT, Some("a slash at the end")),
            (VAULT, "https://vault.example/", Some("a slash at the end")),
            ("https://vault.example//", VAULT, Some("a slash at the end")),
            ("https://VAULT.example", VAULT, Some("capital letters")),
            ("HTTPS://vault.example/", VAULT, Some("capital letters")),
            ("Vault", "vault", Some("capital letters")),
            ("a b", "a+b", Some("%2B")),
            ("vault ", "vault", Some("blanks")),
            (" https://vault.example", VAULT, Some("blanks")),
            ("vault.example", VAULT, Some("https://")),
            (VAULT, "vault.example/", Some("https://")),
            (VAULT, VAULT, None),
            ("https://vault.example:443", VAULT, None),
            ("https://vault.example/a", VAULT, None),
            ("https://vault.example.org", VAULT, None),
            ("http://vault.example", VAULT, None),
            ("vault", "vaults", None),
            ("/", VAULT, None),
        ] {
            let found = difference(audience, granted);
            assert_eq!(found.is_some(), words.is_some(), "{audience:?} {granted:?}: {found:?}");
            assert!(
                found.unwrap_or_default().contains(words.unwrap_or_default()),
                "{found:?}"
            );
        }
    }

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
            (Some("audience=%zz"), None),
            (Some("audience=a%2"), None),
            (Some("audience=50%"), None),
            (Some("audience=50%25"), Some("50%")),
            (Some("audience=a%2Bb"), Some("a+b")),
            (Some("audience=a%26b%3Dc"), Some("a&b=c")),
            (
                Some("audience=https://vault.example/?a"),
                Some("https://vault.example/?a"),
            ),
            (Some("audience=a&other=b"), None),
            (Some("Audience=a"), None),
            (Some("audience"), None),
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
