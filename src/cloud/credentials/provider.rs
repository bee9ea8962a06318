//! One request to the credentials provider, and what its answer means.
//!
//! `GET https://{endpoint}/role-aliases/{alias}/credentials` with mutual TLS and the thing's name in a header (AWS IoT
//! developer guide, "Authorizing direct calls to AWS services using AWS IoT Core credential provider").

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header, redirect};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::keeper::Source;
use crate::clock::{Clock, SharedClock, rfc3339};
use crate::cloud::reach;
use crate::config::Endpoint;
use crate::credentials::{Credentials, USABLE_MARGIN};
use crate::identity::{Identity, SendChain, client_config};
use crate::problem::{Problem, with_causes};
use crate::secret::SecretString;

/// An honest answer has about 1.1 KB.
const MAX_BODY: usize = 16 * 1024;
/// For the whole exchange. A handshake alone may take a TPM several seconds when signatures queue.
const PATIENCE: Duration = Duration::from_secs(60);
/// AWS's own words are passed on up to this length.
const MAX_WORDS: usize = 300;

/// Why there are no new credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The network, the service or the answer: it heals by itself.
    Transient(Problem),
    /// AWS has understood and said no: somebody must change something there.
    Refused(Problem),
}

impl Failure {
    /// What to tell people.
    pub fn problem(&self) -> &Problem {
        match self {
            Self::Transient(problem) | Self::Refused(problem) => problem,
        }
    }
}

/// AWS's credentials provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// What expirations are compared with.
    pub clock: SharedClock,
}

impl Source for Provider {
    type Identity = Arc<Identity>;

    async fn fetch(&self, alias: &str, identity: &Self::Identity) -> Result<Credentials, Failure> {
        let tls = client_config(identity, self.roots.clone(), SendChain::Leaf, &[], self.clock.clone())
            .map_err(|error| Failure::Transient(Problem::wait(format!("no TLS: {}", with_causes(&error)))))?;
        fetch(
            &self.endpoint,
            tls,
            alias,
            &identity.certificate.thing_name,
            &*self.clock,
        )
        .await
    }
}

/// Asks once for the credentials of `alias`.
///
/// A connection is made for this one request: the next refresh is half an hour away, and NAT boxes forget sooner.
///
/// # Errors
/// Sorted by what the reader can do.
async fn fetch(
    endpoint: &Endpoint,
    tls: Arc<ClientConfig>,
    alias: &str,
    thing_name: &str,
    clock: &dyn Clock,
) -> Result<Credentials, Failure> {
    let transient = |what: String| Failure::Transient(Problem::wait(what));
    let client = Client::builder()
        .tls_backend_preconfigured(tls.as_ref().clone())
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(true)
        .http1_only()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .build()
        .map_err(|error| transient(with_causes(&error)))?;
    // Alias names are of [\w=,@-]: each of these may stand in a path as it is (RFC 3986, 3.3).
    let url = format!("https://{endpoint}/role-aliases/{alias}/credentials");
    let response = client
        .get(url)
        .header("x-amzn-iot-thingname", thing_name)
        .send()
        .await
        .map_err(|error| Failure::Transient(reach::problem(endpoint, &error.without_url())))?;
    let status = response.status();
    let request_id = header_text(&response, "x-amzn-requestid");
    let content_type = header_text(&response, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let body = read_body(response)
        .await
        .map_err(|what| transient(format!("{endpoint} {what}")))?;
    match status {
        StatusCode::OK => parse(&body, clock).map_err(|what| transient(format!("{endpoint} answered 200, but {what}"))),
        _ => Err(refusal(
            alias,
            status,
            &words(&body, &content_type),
            request_id.as_deref(),
        )),
    }
}

/// reqwest repeats the URL in its errors; the endpoint is named already.
fn causes_of(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

async fn read_body(mut response: Response) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_BODY));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BODY => {
                return Err(format!("sent more than {MAX_BODY} bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(format!("broke off in its answer: {}", causes_of(error))),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    credentials: AnswerCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerCredentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
    expiration: String,
}

/// Only `expiration` is believed; the alias's duration is not in the answer and may have been changed.
fn parse(body: &[u8], clock: &dyn Clock) -> Result<Credentials, String> {
    // serde_json's messages name a place and a type, and may quote a value of the wrong type: the place is enough.
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        format!(
            "its body is no set of credentials (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let set = answer.credentials;
    let expiration = humantime::parse_rfc3339(&set.expiration)
        .map_err(|_| format!("its expiration is no time: {:?}", shortened(&set.expiration)))?;
    let lifetime = expiration.duration_since(clock.wall()).unwrap_or_default();
    if lifetime <= USABLE_MARGIN {
        let now = rfc3339(clock.wall());
        return Err(match lifetime {
            Duration::ZERO => format!(
                "the credentials expired at {} and it is {now} by this machine's clock",
                rfc3339(expiration)
            ),
            _ => format!(
                "the credentials live only until {} and it is {now}",
                rfc3339(expiration)
            ),
        });
    }
    if set.access_key_id.is_empty() {
        return Err("its access key ID is empty".into());
    }
    Ok(Credentials::received(
        &set.access_key_id,
        &set.secret_access_key,
        &set.session_token,
        expiration,
        clock,
    ))
}

/// Sorts what AWS said; its documented errors get the step that mends them.
fn refusal(alias: &str, status: StatusCode, words: &str, request_id: Option<&str>) -> Failure {
    let request = request_id
        .map(|id| format!(", request {}", shortened(id)))
        .unwrap_or_default();
    let message = format!(
        "AWS answered {} for role alias {alias}{request}: {words}",
        status.as_u16()
    );
    let throttled = status == StatusCode::TOO_MANY_REQUESTS || words.contains("Throttling");
    if !status.is_client_error() || throttled || status == StatusCode::REQUEST_TIMEOUT {
        return Failure::Transient(Problem::wait(message));
    }
    Failure::Refused(Problem::configuration(message).next(next_step(words)))
}

/// Messages as AWS words them (session helper's test notes; aws-iot-core-credential-provider-session-helper, dev_notes).
fn next_step(words: &str) -> &'static str {
    let steps = [
        (
            "Invalid thing name passed",
            "attach the certificate to the thing of this name: aws iot attach-thing-principal",
        ),
        (
            "Access Denied",
            "allow iot:AssumeRoleWithCertificate on this role alias in the certificate's policy",
        ),
        (
            "Role alias does not exist",
            "create the role alias, or correct its name: aws iot list-role-aliases",
        ),
        (
            "Unable to assume the role",
            "let the role trust credentials.iot.amazonaws.com, and check that it exists",
        ),
        (
            "exceeds the MaxSessionDuration",
            "lower the alias's credentialDurationSeconds or raise the role's MaxSessionDuration",
        ),
        (
            "Certificate is invalid on this endpoint",
            "check aws.credentials-endpoint: aws iot describe-endpoint --endpoint-type iot:CredentialProvider",
        ),
    ];
    steps
        .iter()
        .find(|(said, _)| words.contains(said))
        .map_or("look the message up in the AWS account's CloudTrail", |(_, step)| step)
}

/// AWS's message out of a JSON body, else what the body says, shortened; markup from a proxy says nothing.
fn words(body: &[u8], content_type: &str) -> String {
    #[derive(Deserialize)]
    struct Said {
        #[serde(alias = "Message")]
        message: String,
    }
    match serde_json::from_slice::<Said>(body) {
        Ok(said) => shortened(&said.message),
        Err(_) if body.is_empty() => "(no words)".into(),
        Err(_) if content_type.contains("html") => "(a web page)".into(),
        Err(_) => shortened(&String::from_utf8_lossy(body)),
    }
}

fn shortened(text: &str) -> String {
    text.chars()
        .take(MAX_WORDS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;

    const NOW: u64 = 1_800_000_000; // 2027-01-15T08:00:00Z

    fn body(expiration: &str) -> String {
        format!(
            r#"{{"credentials":{{"accessKeyId":"ASIA1","secretAccessKey":"s3cr3t","sessionToken":"t0k3n","expiration":"{expiration}"}}}}"#
        )
    }

    #[test]
    fn an_answer_is_believed_for_its_expiration_only() {
        let clock = ManualClock::at(NOW);
        let credentials = parse(body("2027-01-15T08:15:00Z").as_bytes(), &*clock).unwrap();
        assert_eq!(credentials.remaining(&*clock), Duration::from_secs(900));
    }

    #[test]
    fn unusable_answers_name_the_reason_and_no_secret() {
        let clock = ManualClock::at(NOW);
        let cases = [
            (
                body("2027-01-15T07:00:00Z"),
                "expired at 2027-01-15T07:00:00Z and it is 2027-01-15T08:00:00Z",
            ),
            (body("2027-01-15T08:00:59Z"), "live only until"),
            (body("tomorrow"), "its expiration is no time: \"tomorrow\""),
            (
                r#"{"credentials":{"accessKeyId":"ASIA1","secretAccessKey":"s3cr3t"}}"#.into(),
                "no set of credentials",
            ),
            (r#"{"credentials":"s3cr3t"}"#.into(), "no set of credentials"),
            ("<html>".into(), "no set of credentials (line 1, column 1)"),
            (String::new(), "no set of credentials"),
        ];
        for (text, expected) in cases {
            let reason = parse(text.as_bytes(), &*clock).expect_err(&text);
            assert!(
                reason.contains(expected) && !reason.contains("s3cr3t"),
                "{text}: {reason}"
            );
        }
    }

    #[test]
    fn failures_are_sorted_by_what_the_reader_can_do() {
        let cases = [
            (500, "", false),
            (503, "slow down", false),
            (429, "Too many", false),
            (400, "ThrottlingException: Rate exceeded", false),
            (302, "", false),
            (408, "", false),
            (403, "Invalid thing name passed", true),
            (403, "Access Denied", true),
            (404, "Role alias does not exist", true),
            (
                400,
                "Unable to assume the role, or the role to assume does not exist",
                true,
            ),
        ];
        for (status, said, refused) in cases {
            let failure = refusal("telemetry", StatusCode::from_u16(status).unwrap(), said, None);
            assert_eq!(matches!(failure, Failure::Refused(_)), refused, "{status} {said}");
            assert!(
                failure.problem().message.contains(said),
                "AWS's own words are passed on"
            );
        }
    }

    #[test]
    fn words_are_aws_message_or_a_short_line() {
        assert_eq!(words(br#"{"message":"Access Denied"}"#, ""), "Access Denied");
        assert_eq!(words(br#"{"Message":"Denied"}"#, ""), "Denied");
        assert_eq!(words(b"a\nb", ""), "a b");
        assert_eq!(words(b"<html>", "text/html"), "(a web page)");
        assert_eq!(words(&[b'x'; 4000], "").len(), MAX_WORDS);
    }
}
