//! The part of Amazon S3 that a program needs to test its credentials: it can put, get and list objects, and every
//! signature is verified (S3 API Reference; errors by its "Error responses"). Every bucket name exists, all valid
//! credentials may use it, and objects are lost when the cloudlet stops.

use std::collections::BTreeMap;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;

use super::caller::Caller;
use super::failure::Failure;
use super::query::element;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::sha256;
use crate::sigv4::{self, Code, Endpoint, Refusal};

pub(super) fn answer(
    cloud: &Cloud,
    head: &Parts,
    body: &Bytes,
    request_id: &str,
) -> Result<Response<Full<Bytes>>, Failure> {
    let endpoint = Endpoint {
        service: "s3".to_owned(),
        region: None,
    };
    let key = sigv4::verify(head, body, &endpoint, &cloud.access_keys, cloud.now()).map_err(unsigned)?;
    let caller = cloud.account.read(|account| Caller::of(&key, account.id()));
    let of_caller = |failure: Failure| failure.of(Some(caller.access_key_id.clone()));
    let name = object_name(head);
    let is_object = name.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let mut objects = cloud.objects.lock();
    let (operation, answer) = match (head.method.as_str(), is_object) {
        ("PUT", true) => {
            objects.insert(name.clone(), body.clone());
            ("PutObject", tagged(body, Bytes::new()))
        }
        ("GET" | "HEAD", true) => {
            let operation = if head.method == Method::HEAD {
                "HeadObject"
            } else {
                "GetObject"
            };
            let object = objects.get(&name).ok_or_else(|| {
                let message = "The specified key does not exist.";
                of_caller(Failure::new(StatusCode::NOT_FOUND, "NoSuchKey", message).in_operation(operation))
            })?;
            (operation, tagged(object, object.clone()))
        }
        ("DELETE", true) => {
            objects.remove(&name);
            ("DeleteObject", response(StatusCode::NO_CONTENT, Bytes::new()))
        }
        ("GET", false) => (
            "ListObjectsV2",
            response(StatusCode::OK, list(&objects, &name, head).into()),
        ),
        _ => {
            let message = "The specified method is not allowed against this resource.";
            return Err(of_caller(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                message,
            )));
        }
    };
    cloud.events.push(Event::ApiCalled {
        service: "s3",
        operation,
        access_key_id: caller.access_key_id,
        caller: caller.arn,
        resource: name,
    });
    Ok(identified(answer, request_id))
}

/// `BUCKET/KEY`, of either style: http://s3.REGION.amazonaws.com/BUCKET/KEY or http://BUCKET.s3.REGION.amazonaws.com/KEY.
fn object_name(head: &Parts) -> String {
    let path = percent_decode_str(head.uri.path().trim_start_matches('/')).decode_utf8_lossy();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    match host.and_then(|host| host.split_once(".s3.")) {
        Some((bucket, _)) => format!("{bucket}/{path}"),
        None => path.into_owned(),
    }
}

fn list(objects: &BTreeMap<String, Bytes>, name: &str, head: &Parts) -> String {
    let bucket = name.trim_end_matches('/');
    let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let prefix = query
        .filter(|(name, _)| name == "prefix")
        .map(|(_, value)| value)
        .next();
    let prefix = prefix.unwrap_or_default();
    let found = objects.iter().filter_map(|(name, body)| {
        let key = name.strip_prefix(bucket)?.strip_prefix('/')?;
        key.starts_with(&*prefix).then_some((key, body.len()))
    });
    let contents: Vec<String> = found
        .map(|(key, size)| {
            let when = "2026-01-01T00:00:00.000Z";
            format!(
                "<Contents>{}<LastModified>{when}</LastModified><Size>{size}</Size></Contents>",
                element("Key", key)
            )
        })
        .collect();
    format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}{}<KeyCount>{}</KeyCount>\
         <IsTruncated>false</IsTruncated>{}</ListBucketResult>",
        element("Name", bucket),
        element("Prefix", &prefix),
        contents.len(),
        contents.concat()
    )
}

/// S3's own names for what the other services call otherwise.
fn unsigned(refusal: Refusal) -> Failure {
    let (status, code) = match refusal.code {
        Code::MissingAuthenticationToken | Code::RequestExpired => (StatusCode::FORBIDDEN, "AccessDenied"),
        Code::IncompleteSignature => (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"),
        Code::InvalidClientTokenId => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
        Code::ExpiredToken => (StatusCode::BAD_REQUEST, "ExpiredToken"),
        Code::SignatureDoesNotMatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
    };
    Failure::new(status, code, refusal.message).of(refusal.access_key_id)
}

pub(super) fn refuse(failure: &Failure, request_id: &str) -> Response<Full<Bytes>> {
    let (code, message) = (&failure.code, escape(&failure.message));
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>{request_id}</RequestId></Error>"
    );
    identified(response(failure.status, body.into()), request_id)
}

fn response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// An answer about an object; S3 does not say how a tag is made, only that it changes with the object.
fn tagged(object: &Bytes, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = response(StatusCode::OK, body);
    let tag = format!("\"{}\"", sha256::hex(object));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn identified(mut response: Response<Full<Bytes>>, request_id: &str) -> Response<Full<Bytes>> {
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-amz-request-id"), request_id);
    }
    response
}
