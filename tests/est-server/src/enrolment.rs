//! simpleenroll and simplereenroll: authorisation, and issuing certificates.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};

use crate::answer;
use crate::authentication::{Authenticated, ClientCertificate, Used};
use crate::base64_text;
use crate::events::{Event, Operation};
use crate::faults::{Answer, NoAnswer, with_faults};
use crate::issue::{Issued, arrange, issue_certificate};
use crate::pkcs10::Pkcs10;
use crate::state::State;
use crate::switches::{CertificateFault, Switches};

/// Maximum size of a request. Normal requests have some hundred bytes; one with an RSA 8192 key and many names still fits.
const MAX_REQUEST: usize = 64 * 1024;

/// Answers a request for a certificate.
pub(crate) async fn enrol<B>(
    state: &State,
    operation: Operation,
    certificate: Option<&ClientCertificate>,
    request: Request<B>,
) -> Result<Answer, NoAnswer>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let header = request.headers().get(AUTHORIZATION);
    let user = header.and_then(|header| state.users.authenticate(header.as_bytes()));
    let is_pkcs10 = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/pkcs10"));
    // The body is read first, because a client that is still writing it might not read a refusal.
    let body = Limited::new(request.into_body(), MAX_REQUEST).collect().await;
    let client = user
        .as_ref()
        .map(|user| user.name.clone())
        .or_else(|| certificate.map(|certificate| certificate.name.clone()));
    let client = client.as_deref();
    let refuse = |status, why: &str| Ok(Answer::refused(status, why).by(client));
    let Ok(body) = body else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    };
    if let Err((status, why)) = authorize(state, operation, certificate, user.as_ref()) {
        let mut refusal = Answer::refused(status, why).by(client);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"est\"");
            refusal.response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        return Ok(refusal);
    }
    if !is_pkcs10 {
        return refuse(StatusCode::BAD_REQUEST, "the Content-Type must be application/pkcs10");
    }
    let Some(der) = base64_text::decode(&body.to_bytes()) else {
        return refuse(StatusCode::BAD_REQUEST, "the body is not base64");
    };
    let asked = match Pkcs10::parse(&der) {
        Ok(asked) => asked,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    if let (Operation::Reenrol, Some(old)) = (operation, certificate)
        && (asked.subject != old.subject || asked.subject_alt_name != old.subject_alt_name)
    {
        let why = "subject and subjectAltName must be those of the certificate that is renewed";
        return refuse(StatusCode::FORBIDDEN, why);
    }
    if let Some(used) = user.as_ref().and_then(|user| user.used.as_ref())
        && !(state.options.repeat_same_request && used.request == der)
    {
        let mut refusal = Answer::refused(StatusCode::UNAUTHORIZED, "the secret was used before").by(client);
        let challenge = HeaderValue::from_static("Basic realm=\"est\"");
        refusal.response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return Ok(refusal);
    }
    with_faults(state, true, || {
        issue(state, operation, &asked, &der, certificate, user.as_ref()).by(client)
    })
    .await
}

/// Checks whether this client is authorised for this operation.
fn authorize(
    state: &State,
    operation: Operation,
    certificate: Option<&ClientCertificate>,
    user: Option<&Authenticated>,
) -> Result<(), (StatusCode, &'static str)> {
    let has_own = certificate.is_some_and(|certificate| certificate.is_own);
    let has_bootstrap = certificate.is_some_and(|certificate| !certificate.is_own);
    match operation {
        Operation::Reenrol if has_own => Ok(()),
        Operation::Reenrol => Err((StatusCode::FORBIDDEN, "a renewal needs the certificate that is renewed")),
        _ if has_bootstrap || user.is_some() || state.options.open => Ok(()),
        _ => Err((
            StatusCode::UNAUTHORIZED,
            "a secret or a bootstrap certificate is needed",
        )),
    }
}

fn issue(
    state: &State,
    operation: Operation,
    asked: &Pkcs10,
    der: &[u8],
    old: Option<&ClientCertificate>,
    user: Option<&Authenticated>,
) -> Answer {
    let switches = state.switches.get();
    let cas = state.cas.lock();
    let Some(ca) = cas.current() else {
        return Answer::refused(StatusCode::INTERNAL_SERVER_ERROR, "there is no CA");
    };
    let repeated = user
        .and_then(|user| user.used.as_ref())
        .map(|used| used.certificate.clone());
    let unchanged = old.filter(|_| switches.certificate == CertificateFault::Unchanged);
    let leaf = match repeated.or_else(|| unchanged.map(|old| old.der.clone())) {
        Some(leaf) => leaf,
        None => match issue_certificate(ca, asked, *state.lifetime.lock(), switches.certificate) {
            Ok(Issued { certificate, serial }) => {
                state.events.push(Event::Issued {
                    common_name: asked.common_name.clone(),
                    serial,
                    renewal: operation == Operation::Reenrol,
                });
                certificate
            }
            Err(error) => return Answer::refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
    };
    if let Some(user) = user.filter(|user| user.one_time) {
        state.users.use_up(
            &user.name,
            Used {
                request: der.to_vec(),
                certificate: leaf.clone(),
            },
        );
    }
    match arrange(leaf, ca, switches.order) {
        Ok(certificates) => success(&certificates, &switches),
        Err(error) => Answer::refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn success(certificates: &[Vec<u8>], switches: &Switches) -> Answer {
    let mut response = answer::certificates(certificates, switches);
    if switches.created {
        *response.status_mut() = StatusCode::CREATED;
    }
    response.into()
}
