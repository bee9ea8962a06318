//! Handles a request: determines the operation, authenticates the client, and responds.

use std::sync::Arc;

use hyper::body::{Body as HttpBody, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::answer::{self, AnswerBody};
use crate::authentication::ClientCertificate;
use crate::base64_text;
use crate::enrolment::enrol;
use crate::events::{Event, Operation};
use crate::faults::{Answer, NoAnswer, with_faults};
use crate::options::RequestAttributes;
use crate::state::State;

/// CsrAttrs with the object identifier of challengePassword.
const CHALLENGE_PASSWORD: &[u8] = &[
    0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07,
];

/// The connection must be closed without a response.
#[derive(Debug)]
pub(crate) struct Closed;

/// Responds to a request.
pub(crate) async fn respond<B>(
    state: Arc<State>,
    certificate: Option<Arc<ClientCertificate>>,
    request: Request<B>,
) -> Result<Response<AnswerBody>, Closed>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let operation = operation(request.uri().path(), state.options.label.as_deref());
    let answered = match (operation, request.method().clone()) {
        (None, _) => Ok(Answer::refused(StatusCode::NOT_FOUND, "there is no such path")),
        (Some(Operation::CaCertificates), Method::GET) => with_faults(&state, false, || ca_certificates(&state)).await,
        (Some(Operation::RequestAttributes), Method::GET) => {
            with_faults(&state, false, || request_attributes(&state)).await
        }
        (Some(operation @ (Operation::Enrol | Operation::Reenrol)), Method::POST) => {
            enrol(&state, operation, certificate.as_deref(), request).await
        }
        (Some(_), _) => Ok(Answer::refused(StatusCode::METHOD_NOT_ALLOWED, "the method is wrong")),
    };
    let (response, client, status, note) = match answered {
        Ok(answer) => {
            let status = answer.response.status().as_u16();
            (Ok(answer.response), answer.client, status, answer.note)
        }
        Err(NoAnswer { note, client, hang }) => (Err(hang), client, 0, note),
    };
    state.events.push(Event::Answered {
        operation,
        client,
        status,
        note,
    });
    match response {
        Ok(response) => Ok(response),
        Err(true) => std::future::pending().await,
        Err(false) => Err(Closed),
    }
}

fn operation(path: &str, label: Option<&str>) -> Option<Operation> {
    let rest = path.strip_prefix("/.well-known/est/")?;
    let name = match rest.split_once('/') {
        Some((before, name)) if label == Some(before) => name,
        Some(_) => return None,
        None => rest,
    };
    match name {
        "cacerts" => Some(Operation::CaCertificates),
        "csrattrs" => Some(Operation::RequestAttributes),
        "simpleenroll" => Some(Operation::Enrol),
        "simplereenroll" => Some(Operation::Reenrol),
        _ => None,
    }
}

fn ca_certificates(state: &State) -> Answer {
    let published = state.cas.lock().published();
    answer::certificates(&published, &state.switches.get()).into()
}

fn request_attributes(state: &State) -> Answer {
    let der = match &state.options.request_attributes {
        RequestAttributes::NotFound => return Answer::refused(StatusCode::NOT_FOUND, "no attributes are asked for"),
        RequestAttributes::NoContent => {
            let mut response = Response::new(AnswerBody::full(Bytes::new()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response.into();
        }
        RequestAttributes::ChallengePassword => CHALLENGE_PASSWORD,
        RequestAttributes::Der(der) => der,
    };
    let mut response = Response::new(AnswerBody::full(base64_text::encode(der)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/csrattrs"));
    headers.insert("content-transfer-encoding", HeaderValue::from_static("base64"));
    response.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_operations_with_and_without_the_label() {
        for (path, label, expected) in [
            ("/.well-known/est/cacerts", None, Some(Operation::CaCertificates)),
            ("/.well-known/est/csrattrs", None, Some(Operation::RequestAttributes)),
            ("/.well-known/est/simpleenroll", None, Some(Operation::Enrol)),
            (
                "/.well-known/est/simplereenroll",
                Some("fleet"),
                Some(Operation::Reenrol),
            ),
            (
                "/.well-known/est/fleet/simpleenroll",
                Some("fleet"),
                Some(Operation::Enrol),
            ),
            ("/.well-known/est/other/simpleenroll", Some("fleet"), None),
            ("/.well-known/est/fleet/simpleenroll", None, None),
            ("/.well-known/est/fleet/x/simpleenroll", Some("fleet"), None),
            ("/.well-known/est/serverkeygen", None, None),
            ("/.well-known/est", None, None),
            ("/", None, None),
        ] {
            assert_eq!(operation(path, label), expected, "{path} {label:?}");
        }
    }
}
