//! Requests, parsed and checked.

use serde_json::{Map, Value};

use super::rejection::Rejection;

/// Maximum nesting of objects and lists in `desired` and `reported` (developer guide, device-shadow-error-messages).
const MAX_DEPTH: usize = 6;
/// Maximum size of a request's document (quotas, "Maximum size of a JSON state document").
const MAX_SIZE: usize = 8 * 1024;
/// Maximum length of a client token (developer guide, device-shadow-error-messages).
const MAX_TOKEN: usize = 64;

/// A section of the state that a request changes: an object, or null to remove it.
pub(super) type Section = Option<Map<String, Value>>;

/// A request.
#[derive(Debug, Default)]
pub(super) struct ShadowRequest {
    /// The sections in the request; `None` if it has no state.
    pub(super) state: Option<State>,
    pub(super) version: Option<u64>,
    pub(super) client_token: Option<Value>,
}

/// The sections of a request's state.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) desired: Option<Section>,
    pub(super) reported: Option<Section>,
}

/// Parses a request. An empty payload is an empty request.
pub(super) fn read(payload: &[u8]) -> Result<ShadowRequest, Rejection> {
    if payload.len() > MAX_SIZE {
        return Err(Rejection::new(413, "The payload exceeds the maximum size allowed"));
    }
    if payload.is_empty() {
        return Ok(ShadowRequest::default());
    }
    if std::str::from_utf8(payload).is_err() {
        return Err(Rejection::new(
            415,
            "Unsupported documented encoding; supported encoding is UTF-8",
        ));
    }
    let document: Value = serde_json::from_slice(payload).map_err(|_| Rejection::invalid("Invalid JSON"))?;
    let Value::Object(document) = document else {
        return Err(Rejection::invalid("Invalid JSON"));
    };
    let client_token = token(&document)?;
    read_members(&document, client_token.clone()).map_err(|rejection| rejection.with_token(client_token.as_ref()))
}

fn token(document: &Map<String, Value>) -> Result<Option<Value>, Rejection> {
    match document.get("clientToken") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_TOKEN => Ok(Some(text.clone().into())),
        Some(_) => Err(Rejection::invalid("Invalid clientToken")),
    }
}

fn read_members(document: &Map<String, Value>, client_token: Option<Value>) -> Result<ShadowRequest, Rejection> {
    let version = match document.get("version") {
        None | Some(Value::Null) => None,
        Some(version) => Some(version.as_u64().ok_or_else(|| Rejection::invalid("Invalid version"))?),
    };
    let state = match document.get("state") {
        None => None,
        Some(Value::Object(state)) => Some(State {
            desired: section(state, "desired", "Desired node must be an object")?,
            reported: section(state, "reported", "Reported node must be an object")?,
        }),
        Some(_) => return Err(Rejection::invalid("State node must be an object")),
    };
    if let Some(Value::Object(state)) = document.get("state")
        && state.keys().any(|key| key != "desired" && key != "reported")
    {
        return Err(Rejection::invalid("State contains an invalid node"));
    }
    Ok(ShadowRequest {
        state,
        version,
        client_token,
    })
}

fn section(state: &Map<String, Value>, name: &str, wrong: &str) -> Result<Option<Section>, Rejection> {
    match state.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::Object(section)) if section.values().all(|value| depth(value) < MAX_DEPTH) => {
            Ok(Some(Some(section.clone())))
        }
        Some(Value::Object(_)) => Err(Rejection::invalid(
            "JSON contains too many levels of nesting; maximum is 6",
        )),
        Some(_) => Err(Rejection::invalid(wrong)),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
