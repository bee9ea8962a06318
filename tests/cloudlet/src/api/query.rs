//! The query protocol of STS and IAM: parameters as a form, responses in XML (IAM User Guide, "Making query requests").

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use quick_xml::escape::escape;

use super::failure::Failure;
use crate::Error;
use crate::account::Refusal;

/// One service's variant of the protocol.
pub(super) struct QueryProtocol {
    pub(super) namespace: &'static str,
    /// The only version of its API that exists.
    pub(super) version: &'static str,
}

/// The parameters of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl QueryProtocol {
    /// Parses a request, whose parameters may be in the query, in a form in the body, or in both. Returns them and the action.
    pub(super) fn read(&self, head: &Parts, body: &[u8]) -> Result<(String, Parameters), Failure> {
        if ![Method::GET, Method::POST].contains(&head.method) {
            let message = "Only GET and POST are taken";
            return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, "InvalidAction", message));
        }
        let parameters = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .chain(form_urlencoded::parse(body))
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        let parameters = Parameters(parameters.collect());
        let version = parameters.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
        match parameters.get("Action") {
            Some(action) if version == self.version => Ok((action.to_owned(), parameters)),
            Some(action) => Err(self.no_such_action(action, version)),
            None => Err(Failure::new(
                StatusCode::BAD_REQUEST,
                "MissingAction",
                "The request is missing the parameter Action",
            )),
        }
    }

    /// Returns the failure of an unknown or unsupported action.
    pub(super) fn no_such_action(&self, action: &str, version: &str) -> Failure {
        let message = format!("Could not find operation {action} for version {version}");
        Failure::new(StatusCode::BAD_REQUEST, "InvalidAction", message)
    }

    /// Returns a successful response; `result` is already XML.
    pub(super) fn answer(&self, action: &str, result: &str, request_id: &str) -> Response<Full<Bytes>> {
        let namespace = self.namespace;
        let body = format!(
            "<{action}Response xmlns=\"{namespace}\">\n<{action}Result>{result}</{action}Result>\n\
             <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{action}Response>\n"
        );
        respond(StatusCode::OK, request_id, body)
    }

    /// Returns an error response.
    pub(super) fn refuse(&self, failure: &Failure, request_id: &str) -> Response<Full<Bytes>> {
        let (namespace, code, message) = (self.namespace, &failure.code, escape(&failure.message));
        let body = format!(
            "<ErrorResponse xmlns=\"{namespace}\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    \
             <Message>{message}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
        );
        respond(failure.status, request_id, body)
    }
}

impl Parameters {
    /// Returns the value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(parameter, _)| parameter == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter that the action requires.
    pub(super) fn require(&self, name: &str) -> Result<&str, Error> {
        self.get(name)
            .ok_or_else(|| Refusal::invalid(format!("The request must contain the parameter {name}")).into())
    }
}

/// Returns an XML element that contains text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn respond(status: StatusCode, request_id: &str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), request_id);
    }
    response
}
