//! Answers a request: its path, AWS's response, and the faults that may replace it.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, DATE, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::body::AnswerBody;
use super::client::Client;
use super::issue::{Denial, issue};
use crate::cloud::Cloud;
use crate::events::Event;
use crate::switches::{Answer, Date};

pub(super) async fn answer(cloud: &Cloud, client: &Client, request: &Request<Incoming>) -> Response<AnswerBody> {
    let Some(alias) = alias_of(request) else {
        // This has never been observed at AWS; it is the control plane's error code.
        return respond(
            cloud,
            StatusCode::NOT_FOUND,
            Some("UnknownOperationException"),
            r#"{"message":"Not Found"}"#,
        );
    };
    *cloud.credential_requests.lock().entry(alias.clone()).or_default() += 1;
    let answer = cloud.switches.get(|switches| switches.credentials.answer_for(&alias));
    let thing = request.headers().get("x-amzn-iot-thingname");
    let thing = thing.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let normal = || {
        let (response, detail) = match issue(cloud, client, &alias, thing.as_deref()) {
            Ok(issued) => (respond(cloud, StatusCode::OK, None, &issued.body), issued.access_key_id),
            Err(Denial { status, kind, message }) => {
                let body = json!({ "message": message }).to_string();
                (respond(cloud, status, Some(kind), &body), message.to_owned())
            }
        };
        say(cloud, client, &alias, response.status().as_u16(), detail);
        response
    };
    match answer {
        Answer::Normal => normal(),
        Answer::Slow(delay) => {
            tokio::time::sleep(delay).await;
            normal()
        }
        Answer::Cut => {
            let response = normal();
            let (parts, body) = response.into_parts();
            Response::from_parts(parts, body.into_cut())
        }
        Answer::Garbage => {
            client.garbage.store(true, Ordering::Relaxed);
            say(cloud, client, &alias, 0, "garbage, by a switch".to_owned());
            let mut response = respond(cloud, StatusCode::OK, None, "");
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Answer::Status(status, body) => {
            say(cloud, client, &alias, status, "by a switch".to_owned());
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            respond(cloud, status, None, &body)
        }
        Answer::Body(body) => {
            say(cloud, client, &alias, 200, "a body by a switch".to_owned());
            respond(cloud, StatusCode::OK, None, &body)
        }
        Answer::HugeBody(length) => {
            say(cloud, client, &alias, 200, format!("{length} bytes by a switch"));
            respond(cloud, StatusCode::OK, None, &"x".repeat(length))
        }
        Answer::Redirect(location) => {
            say(cloud, client, &alias, 302, format!("to {location}, by a switch"));
            let mut response = respond(cloud, StatusCode::FOUND, None, "");
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        }
    }
}

/// Returns the alias in `GET /role-aliases/{alias}/credentials`.
fn alias_of(request: &Request<Incoming>) -> Option<String> {
    if request.method() != Method::GET {
        return None;
    }
    let alias = request
        .uri()
        .path()
        .strip_prefix("/role-aliases/")?
        .strip_suffix("/credentials")?;
    if alias.is_empty() || alias.contains('/') {
        return None;
    }
    percent_decode_str(alias)
        .decode_utf8()
        .ok()
        .map(|alias| alias.into_owned())
}

/// Returns a response with AWS's headers (session-helper development notes: `x-amzn-RequestId`, `x-amzn-ErrorType`).
fn respond(cloud: &Cloud, status: StatusCode, error: Option<&'static str>, body: &str) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for date in dates(cloud) {
        if let Ok(date) = HeaderValue::from_str(&date) {
            headers.append(DATE, date);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(&cloud.random_uuid().to_string()) {
        headers.insert("x-amzn-RequestId", id);
    }
    if let Some(error) = error {
        headers.insert("x-amzn-ErrorType", HeaderValue::from_static(error));
    }
    response
}

/// Returns the Date header fields (RFC 9110, 5.6.7).
fn dates(cloud: &Cloud) -> Vec<String> {
    const HTTP_DATE: &[BorrowedFormatItem] =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    match cloud.switches.get(|switches| switches.credentials.date.clone()) {
        Date::Fields(fields) => fields,
        Date::Right => OffsetDateTime::from(cloud.now())
            .format(HTTP_DATE)
            .into_iter()
            .collect(),
    }
}

fn say(cloud: &Cloud, client: &Client, alias: &str, status: u16, detail: String) {
    let certificate = client.id.clone();
    cloud.events.push(Event::Credentials {
        alias: alias.to_owned(),
        certificate,
        status,
        detail,
    });
}
