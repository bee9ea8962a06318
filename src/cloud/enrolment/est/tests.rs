//! Each status code and header, with the resulting reply.

use super::*;
use crate::problem::Remedy;

const SERVER: &str = "est.example";

fn meaning(answer: &Answer) -> Reply {
    interpret(Operation::Enrol, CredentialKind::Secret, SERVER, answer)
}

fn failure(answer: &Answer) -> Failure {
    match meaning(answer) {
        Reply::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn with_status(status: u16) -> Answer<'static> {
    Answer {
        status,
        ..Answer::default()
    }
}

#[test]
fn each_status_names_the_responsible_party() {
    use FailureKind::{Refused, Unauthorized, Unavailable};
    for (status, kind, remedy, part) in [
        (100, Unavailable, Remedy::Wait, "means nothing here"),
        (204, Unavailable, Remedy::Wait, "means nothing here"),
        (301, Refused, Remedy::Configuration, "redirects simpleenroll (301)"),
        (302, Refused, Remedy::Configuration, "not followed"),
        (308, Refused, Remedy::Configuration, "enrolment.est.url"),
        (400, Refused, Remedy::Configuration, "refuses the request (400)"),
        (
            401,
            Unauthorized,
            Remedy::Configuration,
            "does not accept the secret (401)",
        ),
        (
            403,
            Refused,
            Remedy::Configuration,
            "refuses simpleenroll by the secret (403)",
        ),
        (
            404,
            Refused,
            Remedy::Configuration,
            "has no simpleenroll at this URL (404)",
        ),
        (405, Refused, Remedy::Configuration, "at this URL"),
        (407, Refused, Remedy::Configuration, "proxy"),
        (408, Unavailable, Remedy::Wait, "cannot answer"),
        (413, Refused, Remedy::Configuration, "refuses the request"),
        (415, Refused, Remedy::Configuration, "refuses the request"),
        (429, Unavailable, Remedy::Wait, "cannot answer"),
        (500, Unavailable, Remedy::Wait, "cannot answer simpleenroll now (500)"),
        (501, Refused, Remedy::Configuration, "at this URL"),
        (502, Unavailable, Remedy::Wait, "cannot answer"),
        (503, Unavailable, Remedy::Wait, "cannot answer"),
        (505, Refused, Remedy::Configuration, "refuses the request"),
        (599, Unavailable, Remedy::Wait, "cannot answer"),
        (600, Unavailable, Remedy::Wait, "means nothing here"),
    ] {
        let failure = failure(&with_status(status));
        assert_eq!((failure.kind, failure.problem.remedy), (kind, remedy), "{status}");
        assert!(
            failure.problem.to_string().contains(part),
            "{status}: {}",
            failure.problem
        );
        assert_eq!(failure.retry_after, None, "{status}");
    }
}

#[test]
fn each_credential_has_a_next_step_of_its_own() {
    let steps: std::collections::BTreeSet<String> = [
        CredentialKind::Secret,
        CredentialKind::BootstrapCertificate,
        CredentialKind::CurrentCertificate,
    ]
    .into_iter()
    .map(
        |credential| match interpret(Operation::Reenrol, credential, SERVER, &with_status(401)) {
            Reply::Failed(failure) => {
                assert!(failure.problem.message.contains(&credential.to_string()));
                failure.problem.next_step.unwrap()
            }
            other => panic!("{other:?}"),
        },
    )
    .collect();
    assert_eq!(steps.len(), 3);
}

#[test]
fn a_wait_is_as_long_as_the_server_says_within_bounds() {
    let date = httpdate::parse_http_date("Fri, 15 Jan 2027 08:00:00 GMT").ok();
    for (retry_after, date, seconds) in [
        (None, None, 60),
        (Some("30"), None, 30),
        (Some(" 7 "), None, 7),
        (Some("0"), None, 1),
        (Some("86400"), None, 86_400),
        (Some("86401"), None, 86_400),
        (Some("99999999999999999999999999"), None, 86_400),
        (Some("-5"), None, 60),
        (Some("soon"), None, 60),
        (Some(""), None, 60),
        (Some("1.5"), None, 60),
        (Some("Fri, 15 Jan 2027 08:02:00 GMT"), date, 120),
        (Some("Fri, 15 Jan 2027 07:00:00 GMT"), date, 1),
        (Some("Fri, 15 Jan 2027 08:02:00 GMT"), None, 60),
    ] {
        let answer = Answer {
            status: 202,
            retry_after,
            date,
            ..Answer::default()
        };
        assert_eq!(
            meaning(&answer),
            Reply::Wait(Duration::from_secs(seconds)),
            "{retry_after:?}"
        );
    }
    let busy = Answer {
        retry_after: Some("90"),
        ..with_status(503)
    };
    assert_eq!(failure(&busy).retry_after, Some(Duration::from_secs(90)));
}

#[test]
fn a_good_answer_gives_certificates_whatever_its_content_type() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let body = certificate.pem();
    for status in [200, 201] {
        for content_type in [
            None,
            Some("application/pkcs7-mime"),
            Some("text/plain"),
            Some("application/octet-stream"),
        ] {
            let answer = Answer {
                status,
                content_type,
                body: body.as_bytes(),
                ..Answer::default()
            };
            assert_eq!(meaning(&answer), Reply::Certificates(vec![certificate.der().clone()]));
        }
    }
    for (body, part) in [
        (&b"<html>Welcome</html>"[..], "captive portal"),
        (b"", "the answer is empty"),
        (b"%%%", "neither base64 nor PEM"),
        (b"QUJD", "not complete PKCS#7"),
    ] {
        let answer = Answer {
            body,
            ..with_status(200)
        };
        let failure = failure(&answer);
        assert_eq!(
            (failure.kind, failure.problem.remedy),
            (FailureKind::Unavailable, Remedy::Wait)
        );
        assert!(failure.problem.to_string().contains(part), "{}", failure.problem);
    }
}

#[test]
fn the_servers_words_are_shown_only_where_they_are_safe() {
    let long = "no ".repeat(500);
    for (content_type, body, shown) in [
        (
            Some("text/plain"),
            "the subject is not allowed\r\n",
            "(400: the subject is not allowed)",
        ),
        (
            Some("Text/Plain; charset=utf-8"),
            "no\u{1b}[31m\nway",
            "(400: no [31m way)",
        ),
        (Some("text/html"), "<b>no</b>", "(400)"),
        (None, "no", "(400)"),
        (Some("text/plain"), "", "(400)"),
        (Some("text/plain"), &long, "no no no"),
        (
            Some("text/plain"),
            "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
            "(400)",
        ),
        (Some("text/plain"), "password=hunter2", "(400)"),
    ] {
        let answer = Answer {
            content_type,
            body: body.as_bytes(),
            ..with_status(400)
        };
        let message = failure(&answer).problem.message;
        assert!(message.contains(shown), "{message}");
        assert!(
            message.chars().count() < 300 && !message.contains(char::is_control),
            "{message}"
        );
    }
}

#[test]
fn operations_have_the_paths_of_the_standard() {
    for (operation, path) in [
        (Operation::CaCertificates, "cacerts"),
        (Operation::RequestAttributes, "csrattrs"),
        (Operation::Enrol, "simpleenroll"),
        (Operation::Reenrol, "simplereenroll"),
    ] {
        assert_eq!(operation.path(), path);
    }
}
