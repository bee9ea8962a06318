//! Which operation a method and a path name (AWS IoT API Reference, the request syntax of each).

use hyper::Method;
use serde_json::Value;

use super::call::Call;
use super::endpoint;
use crate::Error;

/// An operation.
pub(super) struct Route {
    /// As in `DescribeEndpoint`.
    pub(super) operation: &'static str,
    pub(super) carry_out: fn(&Call<'_>) -> Result<Value, Error>,
}

/// The operation for a request, if there is one.
pub(super) fn find(method: &Method, segments: &[&str]) -> Option<Route> {
    let route = |operation, carry_out| Some(Route { operation, carry_out });
    match (method.as_str(), segments) {
        ("GET", ["endpoint"]) => route("DescribeEndpoint", endpoint::describe),
        _ => None,
    }
}
