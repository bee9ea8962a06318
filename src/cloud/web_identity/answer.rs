//! Interprets answers of STS to GetWebIdentityToken (AWS STS API Reference): a token, or a failure and who can resolve it.

use std::time::SystemTime;

use hyper::StatusCode;

use crate::cloud::credentials::Failure;
use crate::problem::{Problem, quoted};
use crate::secret::SecretString;

/// Maximum length of a token. AWS limits its payload, and one without tags has about 1 KB.
const MAX_TOKEN: usize = 16 * 1024;

/// Parses an answer. `server` and `role_alias` are for messages.
///
/// # Errors
/// With a failure that says who can resolve it.
pub fn parse(
    server: &str,
    role_alias: &str,
    status: StatusCode,
    body: &[u8],
) -> Result<(SecretString, SystemTime), Failure> {
    let text = str::from_utf8(body).unwrap_or_default();
    match status {
        StatusCode::OK => {
            token(text).map_err(|what| Failure::Transient(Problem::wait(format!("{server} answered 200, but {what}"))))
        }
        _ => Err(refusal(server, role_alias, status, text)),
    }
}

fn token(text: &str) -> Result<(SecretString, SystemTime), &'static str> {
    let token = element(text, "WebIdentityToken").ok_or("its body has no token")?;
    // A JWT is three parts of base64url (RFC 7519, 3).
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_jwt = token.split('.').count() == 3 && token.split('.').all(|part| !part.is_empty());
    if !is_jwt || token.len() > MAX_TOKEN || !token.bytes().all(is_legal) {
        return Err("its token is not a JWT");
    }
    let expiration = element(text, "Expiration").and_then(|text| humantime::parse_rfc3339(text.trim()).ok());
    Ok((
        SecretString::from(token),
        expiration.ok_or("its expiration is not a time")?,
    ))
}

fn refusal(server: &str, role_alias: &str, status: StatusCode, text: &str) -> Failure {
    let code = element(text, "Code").unwrap_or_default();
    let words = element(text, "Message").map_or_else(|| status.to_string(), quoted);
    let said = format!("{server} answered {}: {words}", status.as_u16());
    let configuration = |message: String, step: String| Failure::Refused(Problem::configuration(message).next(step));
    let name = code.strip_suffix("Exception").unwrap_or(code);
    match (name, status.as_u16()) {
        ("OutboundWebIdentityFederationDisabled", _) => configuration(
            format!("this account issues no tokens for services outside AWS: {said}"),
            "enable it once for the account: aws iam enable-outbound-web-identity-federation".to_owned(),
        ),
        ("AccessDenied", _) => configuration(
            format!("the role of role alias {role_alias} may not have a token: {said}"),
            "allow sts:GetWebIdentityToken in a policy of the role, and check whether a condition there (sts:IdentityTokenAudience) \
             excludes this audience"
                .to_owned(),
        ),
        ("JWTPayloadSizeExceeded", _) => configuration(
            format!("the token would be too large: {said}"),
            "give the audience a shorter name, or the role fewer tags".to_owned(),
        ),
        ("InvalidAction", _) => configuration(
            format!("{server} does not support tokens for services outside AWS: {said}"),
            "aws.sts-endpoint must be a Regional endpoint of STS: sts.REGION.amazonaws.com".to_owned(),
        ),
        ("ValidationError", _) => configuration(said, "correct the audience in the access rules (tokens)".to_owned()),
        // The credentials are replaced by themselves.
        ("SessionDurationEscalation" | "ExpiredToken" | "InvalidClientTokenId" | "RequestExpired", _) => {
            Failure::Transient(Problem::wait(said))
        }
        ("SignatureDoesNotMatch" | "IncompleteSignature", _) => {
            Failure::Transient(Problem::wait(said).next("check this machine's clock: timedatectl"))
        }
        ("Throttling" | "ThrottlingException" | "RequestLimitExceeded", _) | (_, 429 | 500..=599) => {
            Failure::Throttled(Problem::wait(said))
        }
        _ => configuration(said, "look the error up in the STS API Reference".to_owned()),
    }
}

/// Returns the content of an element, whose entities are not resolved: neither tokens nor times have any.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Remedy;
    use crate::secret::ExposeSecret as _;

    const SERVER: &str = "sts.us-east-2.amazonaws.com";

    fn answer(token: &str, expiration: &str) -> String {
        format!(
            "<GetWebIdentityTokenResponse><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken>\
             <Expiration>{expiration}</Expiration></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>"
        )
    }

    #[test]
    fn a_token_is_a_jwt_with_an_expiration() {
        const END: &str = "2027-01-15T08:00:00Z";
        let (token, end) = parse(
            SERVER,
            "telemetry",
            StatusCode::OK,
            answer("aB1.c-2.d_3", END).as_bytes(),
        )
        .unwrap();
        assert_eq!(token.expose_secret(), "aB1.c-2.d_3");
        assert_eq!(humantime::format_rfc3339_seconds(end).to_string(), END);
        let long = format!("a.{}.c", "b".repeat(MAX_TOKEN));
        for (body, words) in [
            (answer("a.b", END), "not a JWT"),
            (answer("a..c", END), "not a JWT"),
            (answer("a.b.c.d", END), "not a JWT"),
            (answer("hunter2", END), "not a JWT"),
            (answer("a.hunter2 b.c", END), "not a JWT"),
            (answer("a.b\n.c", END), "not a JWT"),
            (answer(&long, END), "not a JWT"),
            (answer("a.hunter2.c", "soon"), "not a time"),
            (answer("a.hunter2.c", ""), "not a time"),
            ("<html>hunter2</html>".to_owned(), "no token"),
            ("<WebIdentityToken>a.b.c".to_owned(), "no token"),
            (String::new(), "no token"),
        ] {
            let failure = parse(SERVER, "telemetry", StatusCode::OK, body.as_bytes()).unwrap_err();
            let problem = failure.problem().to_string();
            assert!(problem.contains(words) && !problem.contains("hunter2"), "{problem}");
            assert!(matches!(failure, Failure::Transient(_)), "{problem}");
        }
    }

    #[test]
    fn each_refusal_of_sts_has_a_next_step_or_heals_by_itself() {
        use Remedy::{Configuration, Wait};
        for (status, code, remedy, step) in [
            (403, "AccessDenied", Configuration, "allow sts:GetWebIdentityToken"),
            (
                403,
                "AccessDeniedException",
                Configuration,
                "allow sts:GetWebIdentityToken",
            ),
            (
                403,
                "OutboundWebIdentityFederationDisabledException",
                Configuration,
                "aws iam enable-outbound-web-identity-federation",
            ),
            (
                403,
                "OutboundWebIdentityFederationDisabled",
                Configuration,
                "aws iam enable-outbound-web-identity-federation",
            ),
            (400, "JWTPayloadSizeExceededException", Configuration, "shorter name"),
            (400, "InvalidAction", Configuration, "Regional endpoint"),
            (400, "ValidationError", Configuration, "correct the audience"),
            (400, "Whatever", Configuration, "STS API Reference"),
            (403, "SessionDurationEscalationException", Wait, ""),
            (403, "ExpiredToken", Wait, ""),
            (403, "InvalidClientTokenId", Wait, ""),
            (403, "SignatureDoesNotMatch", Wait, "clock"),
            (400, "Throttling", Wait, ""),
            (429, "", Wait, ""),
            (500, "InternalFailure", Wait, ""),
            (503, "", Wait, ""),
        ] {
            let body = format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>AWS's words</Message></Error></ErrorResponse>"
            );
            let status = StatusCode::from_u16(status).unwrap();
            let failure = parse(SERVER, "telemetry", status, body.as_bytes()).unwrap_err();
            let problem = failure.problem();
            assert_eq!(problem.remedy, remedy, "{code}: {problem}");
            assert!(
                problem.next_step.clone().unwrap_or_default().contains(step),
                "{code}: {problem}"
            );
            assert!(problem.message.contains("AWS's words"), "{code}: {problem}");
        }
        let failure = parse(SERVER, "telemetry", StatusCode::FORBIDDEN, b"<html>").unwrap_err();
        assert!(failure.problem().message.contains("403 Forbidden"), "{failure:?}");
    }
}
