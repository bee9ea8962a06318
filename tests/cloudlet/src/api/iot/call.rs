//! A parsed request to the control plane.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;
use crate::account::{Account, Refusal};
use crate::api::failure::Failure;
use crate::cloud::Cloud;

/// A request to the control plane.
pub(super) struct Call<'a> {
    pub(super) cloud: &'a Arc<Cloud>,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    headers: &'a HeaderMap,
    body: Value,
}

impl<'a> Call<'a> {
    /// Parses a request. A body that is not JSON is refused here.
    pub(super) fn read(cloud: &'a Arc<Cloud>, head: &'a Parts, body: &Bytes) -> Result<Self, Failure> {
        let malformed = |what: &str| {
            let message = format!("{what} cannot be parsed");
            Failure::new(StatusCode::BAD_REQUEST, "InvalidRequestException", message)
        };
        let segments = head.uri.path().split('/').filter(|segment| !segment.is_empty());
        let segments = segments.map(|segment| percent_decode_str(segment).decode_utf8().map(String::from));
        let body = match body.is_empty() {
            true => Value::Object(serde_json::Map::new()),
            false => serde_json::from_slice(body).map_err(|_| malformed("The body"))?,
        };
        Ok(Self {
            cloud,
            segments: segments.collect::<Result<_, _>>().map_err(|_| malformed("The path"))?,
            query: form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers: &head.headers,
            body,
        })
    }

    /// Returns the decoded segments of the path.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// Returns the name in the path: its second segment, as in `/role-aliases/{name}`; empty if there is none.
    pub(super) fn resource(&self) -> &str {
        self.segments.get(1).map_or("", String::as_str)
    }

    /// Returns a number in the path, such as that of a version.
    pub(super) fn number(&self, position: usize) -> Result<u32, Error> {
        let text = self.segments.get(position).map_or("", String::as_str);
        text.parse()
            .map_err(|_| Refusal::invalid(format!("{text:?} is not a number")).into())
    }

    /// Returns a query parameter.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let mut named = self.query.iter().filter(|(parameter, _)| parameter == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Returns a boolean query parameter; false if it is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.query(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::invalid(format!("{name} is {other:?}, neither true nor false")).into()),
        }
    }

    /// Returns a header that the operation requires.
    pub(super) fn header(&self, name: &str) -> Result<&str, Error> {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or_else(|| Refusal::invalid(format!("Header {name} is missing")).into())
    }

    /// Parses the body.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.body).map_err(|error| Refusal::invalid(error.to_string()).into())
    }

    /// Reads the account.
    pub(super) fn read_account<T>(&self, look: impl FnOnce(&Account) -> T) -> T {
        self.cloud.account.read(look)
    }

    /// Changes the account, completely or not at all.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Account) -> Result<T, Error>) -> Result<T, Error> {
        self.cloud.account.change(change)
    }
}
