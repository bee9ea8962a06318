//! GetConnection and ListSubscriptions.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use crate::api::failure::Failure;

/// Default and range of `maxResults` (API Reference, ListSubscriptions; the range is not documented).
const DEFAULT_RESULTS: u64 = 20;
const RESULTS: std::ops::RangeInclusive<u64> = 1..=250;

pub(super) fn get(call: &Call) -> Result<Value, Failure> {
    let with_socket = call.flag("includeSocketInformation")?;
    let found = call.cloud.client_records.connection(call.resource(), with_socket);
    found.ok_or_else(not_found)
}

pub(super) fn subscriptions(call: &Call) -> Result<Value, Failure> {
    let most = usize::try_from(call.number("maxResults", RESULTS, DEFAULT_RESULTS)?).unwrap_or(usize::MAX);
    let begin = usize::try_from(call.number("nextToken", 0..=u64::from(u16::MAX), 0)?).unwrap_or(usize::MAX);
    let all = call
        .cloud
        .client_records
        .subscriptions(call.resource())
        .ok_or_else(not_found)?;
    let end = begin.saturating_add(most);
    let next = (end < all.len()).then(|| end.to_string());
    let page: Vec<Value> = all.into_iter().skip(begin).take(most).collect();
    Ok(json!({ "subscriptions": page, "nextToken": next }))
}

fn not_found() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "ResourceNotFoundException",
        "The client is not known",
    )
}
