//! A parsed request to the data plane.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::answer::invalid;
use crate::api::failure::Failure;
use crate::cloud::Cloud;

/// A request to the data plane.
pub(super) struct Call {
    pub(super) cloud: Arc<Cloud>,
    pub(super) method: Method,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn read(cloud: &Arc<Cloud>, head: &Parts, body: Bytes) -> Result<Self, Failure> {
        let segments = head.uri.path().split('/').filter(|segment| !segment.is_empty());
        let segments = segments.map(|segment| percent_decode_str(segment).decode_utf8().map(String::from));
        Ok(Self {
            cloud: cloud.clone(),
            method: head.method.clone(),
            segments: segments
                .collect::<Result<_, _>>()
                .map_err(|_| invalid("The path cannot be parsed"))?,
            query: form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers: head.headers.clone(),
            body,
        })
    }

    /// Returns the decoded segments of the path.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// Returns the second segment of the path: a client ID, a topic or a thing.
    pub(super) fn resource(&self) -> &str {
        self.segments.get(1).map_or("", String::as_str)
    }

    /// Returns a query parameter.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let mut named = self.query.iter().filter(|(parameter, _)| parameter == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Returns a boolean query parameter; false if it is missing.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.query(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(format!("{name} is neither true nor false"))),
        }
    }

    /// Returns a numeric query parameter within a range; `default` if it is missing.
    pub(super) fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, Failure> {
        let Some(text) = self.query(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| invalid(format!("{name} must be from {} to {}", range.start(), range.end())))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
