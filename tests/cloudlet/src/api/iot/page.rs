//! Pages of lists, in AWS IoT's two dialects: `marker` with `pageSize`, and `nextToken` with `maxResults`.

use serde_json::{Value, json};

use super::call::Call;
use crate::Error;
use crate::account::Refusal;

/// The names of the parameters that request a page of a list.
#[derive(Clone, Copy)]
pub(super) enum Dialect {
    /// `marker`, `pageSize`, `isAscendingOrder`; the response contains `nextMarker`.
    Marker,
    /// `nextToken`, `maxResults`; the response contains `nextToken`.
    Token,
}

/// Maximum size of a page (API reference: pageSize and maxResults are 1 to 250).
const MAX_PAGE: usize = 250;

/// Returns a response with one page of a list under `name`. A marker is the number of items before the page.
pub(super) fn page(call: &Call<'_>, dialect: Dialect, name: &str, mut items: Vec<Value>) -> Result<Value, Error> {
    let (token, size, next) = match dialect {
        Dialect::Marker => ("marker", "pageSize", "nextMarker"),
        Dialect::Token => ("nextToken", "maxResults", "nextToken"),
    };
    let number = |parameter: &str, default: usize| match call.query(parameter) {
        None | Some("") => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::invalid(format!("{parameter} {text:?} is not valid"))),
    };
    let (start, size) = (number(token, 0)?, number(size, MAX_PAGE)?);
    if !(1..=MAX_PAGE).contains(&size) {
        return Err(Refusal::invalid(format!("A page has 1 to {MAX_PAGE} items")).into());
    }
    if matches!(dialect, Dialect::Marker) && call.query("isAscendingOrder") == Some("false") {
        items.reverse();
    }
    let end = start.saturating_add(size);
    let more = end < items.len();
    let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut answer = json!({ name: items });
    if let Some(members) = answer.as_object_mut()
        && more
    {
        members.insert(next.to_owned(), json!(end.to_string()));
    }
    Ok(answer)
}
