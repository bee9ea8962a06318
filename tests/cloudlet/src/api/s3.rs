//! The part of Amazon S3 that a program needs to test its credentials: objects can be put, got and listed, and every signature is verified
//! (S3 API Reference; errors as in its "Error responses"). Every bucket name exists, all valid credentials may use it, and objects are lost
//! when the cloudlet stops.

use std::collections::{BTreeMap, BTreeSet};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, HOST, HeaderName, HeaderValue, LAST_MODIFIED, RANGE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::caller::Caller;
use super::failure::Failure;
use super::objects::Object;
use super::query::element;
use crate::cloud::Cloud;
use crate::events::Event;
use crate::sigv4::{self, Code, Endpoint, Refusal};

/// The response to a copy. The ETag and the time that S3 adds are left out, because nobody reads them.
const COPIED: &[u8] =
    b"<CopyObjectResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ETag>copied</ETag></CopyObjectResult>";

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
            let source = head.headers.get("x-amz-copy-source");
            let (operation, content, answer) = match source.and_then(|source| copied(&objects, source)) {
                Some(content) => ("CopyObject", content, Bytes::from_static(COPIED)),
                None => ("PutObject", body.clone(), Bytes::new()),
            };
            let object = Object::put(content, &head.headers, cloud.now());
            let answer = tagged(&object, answer);
            objects.insert(name.clone(), object);
            (operation, answer)
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
            (operation, content(object, head))
        }
        ("DELETE", true) => {
            objects.remove(&name);
            ("DeleteObject", response(StatusCode::NO_CONTENT, Bytes::new()))
        }
        ("HEAD", false) => ("HeadBucket", response(StatusCode::OK, Bytes::new())),
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

/// Returns `BUCKET/KEY`, for both styles of URLs: http://s3.REGION.amazonaws.com/BUCKET/KEY and http://BUCKET.s3.REGION.amazonaws.com/KEY.
fn object_name(head: &Parts) -> String {
    let path = percent_decode_str(head.uri.path().trim_start_matches('/')).decode_utf8_lossy();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    match host.and_then(|host| host.split_once(".s3.")) {
        Some((bucket, _)) => format!("{bucket}/{path}"),
        None => path.into_owned(),
    }
}

/// Returns the content of the source object of a copy.
fn copied(objects: &BTreeMap<String, Object>, source: &HeaderValue) -> Option<Bytes> {
    let source = percent_decode_str(source.to_str().ok()?).decode_utf8_lossy();
    objects
        .get(source.trim_start_matches('/'))
        .map(|object| object.body.clone())
}

fn list(objects: &BTreeMap<String, Object>, name: &str, head: &Parts) -> String {
    let bucket = name.trim_end_matches('/');
    let query = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        pairs
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let prefix = query("prefix").unwrap_or_default();
    let delimiter = query("delimiter").filter(|delimiter| !delimiter.is_empty());
    let mut contents = Vec::new();
    let mut folders = BTreeSet::new();
    for (name, object) in objects {
        let key = name.strip_prefix(bucket).and_then(|key| key.strip_prefix('/'));
        let Some((key, rest)) = key.and_then(|key| Some((key, key.strip_prefix(&*prefix)?))) else {
            continue;
        };
        if let Some((folder, delimiter)) = delimiter
            .as_deref()
            .and_then(|delimiter| Some((rest.split_once(delimiter)?.0, delimiter)))
        {
            folders.insert(format!("{prefix}{folder}{delimiter}"));
            continue;
        }
        let modified = OffsetDateTime::from(object.modified)
            .format(&Rfc3339)
            .unwrap_or_default();
        contents.push(format!(
            "<Contents>{}{}{}<Size>{}</Size></Contents>",
            element("Key", key),
            element("LastModified", &modified),
            element("ETag", &object.tag),
            object.body.len()
        ));
    }
    let count = contents.len() + folders.len();
    let folder = |folder: &String| format!("<CommonPrefixes>{}</CommonPrefixes>", element("Prefix", folder));
    format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}{}<KeyCount>{count}</KeyCount>\
         <IsTruncated>false</IsTruncated>{}{}</ListBucketResult>",
        element("Name", bucket),
        element("Prefix", &prefix),
        contents.concat(),
        folders.iter().map(folder).collect::<String>()
    )
}

/// Converts a rejected signature to S3's own error codes.
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

/// Returns a response about an object.
fn tagged(object: &Object, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = response(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    if let Ok(tag) = HeaderValue::try_from(&object.tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Returns the response with an object and its header fields, or with the requested range of it.
fn content(object: &Object, head: &Parts) -> Response<Full<Bytes>> {
    let length = object.body.len();
    let wanted = head
        .headers
        .get(RANGE)
        .and_then(|range| part(range.to_str().ok()?, length));
    let body = match wanted {
        Some((first, last)) => object.body.slice(first..=last),
        None => object.body.clone(),
    };
    let mut response = tagged(object, body);
    if let Some((first, last)) = wanted {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(value) = HeaderValue::try_from(format!("bytes {first}-{last}/{length}")) {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
    }
    let headers = response.headers_mut();
    headers.extend(object.headers.clone());
    let modified = OffsetDateTime::from(object.modified)
        .format(&Rfc2822)
        .unwrap_or_default();
    if let Ok(modified) = HeaderValue::try_from(modified.replace("+0000", "GMT")) {
        headers.insert(LAST_MODIFIED, modified);
    }
    response
}

/// Returns the first and the last byte of a range such as `bytes=0-99` or `bytes=100-`.
fn part(range: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let end = length.checked_sub(1)?;
    let last = last.parse().map_or(end, |last: usize| last.min(end));
    (first <= last).then_some((first, last))
}

fn identified(mut response: Response<Full<Bytes>>, request_id: &str) -> Response<Full<Bytes>> {
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("x-amz-request-id"), request_id);
    }
    response
}
